"""How near the estimated queue is to the true one while clients go past the box, for a while;
tests/bench/estimate measures the same at length."""

import os
import sys
from pathlib import Path

import programs
from world import World

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench/estimate"))

import shared_engine  # noqa: E402
from shared_engine import Case  # noqa: E402


class QueueAccuracy(World):
    def test_the_estimate_is_near_the_truth_while_a_third_of_the_load_goes_past_the_box(self):
        case = Case("for a while", levels=(0.6, 1.3), level_s=5, seconds=14)
        os.makedirs(self.folder / "shared")
        samples = shared_engine.play(case, 1, self.folder / "shared")
        box = shared_engine.score(samples, "the box")["present"]
        blind = shared_engine.score(samples, "own count")["present"]
        self.assertGreater(len(samples), 80)
        self.assertGreaterEqual(box["within"], 0.75 if programs.SETUP.sanitized else 0.92)
        self.assertGreater(box["within"], blind["within"] + 0.2)
