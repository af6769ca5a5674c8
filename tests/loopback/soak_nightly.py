"""An hour of it, at least 10,000 requests: nothing is lost or doubled, and nothing grows."""

import os

from soak import Soak, Story, check_growth, wait_same_descriptors
from world import World, descriptors

SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
RATE = float(os.environ.get("SOAK_RATE", "8"))
GROWTH_KB = 2 * 1024


class Long(World):
    def test_an_hour_of_faults_leaves_exact_books_and_no_growth(self):
        over = SECONDS * 0.95
        story = Story(load={"rate": RATE, "duration": SECONDS, "max_tokens": 20,
                            "abort_probability": 0.1, "abort_within": 0.2},
                      kills=SECONDS // 60, reloads=SECONDS // 60, drops=SECONDS // 120, upgrades=3,
                      over_s=over, sample_s=SECONDS / 200)
        soak = Soak(self, story)
        at_rest = descriptors(self.box.pid)
        report, records = soak.run()
        counts = soak.check(report, records)
        print(f"{report['requests']} requests: {dict(counts)}", flush=True)
        if SECONDS >= 1800:
            self.assertGreaterEqual(report["requests"], 10_000)
        wait_same_descriptors(self.box, at_rest)
        check_growth(self, story, settled_s=SECONDS / 5, most_kb=GROWTH_KB)
        self.stop_box()
