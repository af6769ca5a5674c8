#!/usr/bin/env python3
"""Tests of bound.py on arrivals whose bound a person can tell."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parent / "bound.py"
SECOND_A_PROMPT = "0,0,0,0.001"  # prompts of 1,000 tokens take one second, answers nothing


def bound(arrivals, law=SECOND_A_PROMPT, *options):
    text = "".join(f"{at_us},{prompt},{output}\n" for at_us, prompt, output in arrivals)
    run = subprocess.run([sys.executable, str(TOOL), "--law", law, *options], input=text,
                         capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["bound"]


class Bound(unittest.TestCase):
    def test_what_fits_costs_nothing(self):
        self.assertEqual(bound([(0, 1000, 1), (5_000_000, 1000, 1)]), 0)

    def test_a_burst_keeps_what_its_window_holds(self):
        # Ten at once, to be computed within 2 s: with bins of a second the window is three.
        burst = [(0, 1000, 1)] * 10
        self.assertAlmostEqual(bound(burst), 0.7, places=4)
        self.assertAlmostEqual(bound(burst, SECOND_A_PROMPT, "--bin", "0.5"), 0.75, places=4)
        self.assertAlmostEqual(bound(burst, SECOND_A_PROMPT, "--ttft", "4"), 0.5, places=4)

    def test_the_dearer_answers_stay(self):
        # Equal work, the second has a four times longer answer: 1,004 and 1,016 tokens of weight.
        self.assertAlmostEqual(bound([(0, 3000, 1), (0, 3000, 4)]), 3004 / 6020, places=4)

    def test_decoding_may_take_as_long_as_its_tokens(self):
        # 100 tokens of 0.1 s work each, due within 2 s + 10 s: all 13 bins are needed for one and 0.3.
        law = "0,0.1,0,0"
        self.assertAlmostEqual(bound([(0, 1, 100)] * 2, law), 0.35, places=4)

    def test_the_rigorous_capacity_bounds_less(self):
        burst = [(0, 1000, 1)] * 10
        law = "0.02,0,0,0.001"
        self.assertAlmostEqual(bound(burst, law), 1 - 0.3 * 0.8, places=4)
        self.assertAlmostEqual(bound(burst, law, "--capacity", "rigorous"), 0.7, places=4)

    def test_steps_count_what_each_chunk_costs(self):
        # 250 tokens a step: four steps of 0.25 s more for each prompt, so that 1.5 of 10 are served.
        law = "0.25,0,0,0.001,250"
        burst = [(0, 1000, 1)] * 10
        self.assertAlmostEqual(bound(burst, law, "--capacity", "steps"), 0.85, places=4)

    def test_who_is_late_alone_is_not_served(self):
        law = "0,0,0,0.001,250"
        self.assertAlmostEqual(bound([(0, 2500, 1), (9_000_000, 1000, 1)], law, "--capacity", "steps"),
                               2504 / 3508, places=4)


if __name__ == "__main__":
    unittest.main()
