"""Requests among all faults at once, engines killed, settings read again, an upgrade in place: the
books agree token by token. The long form is soak_nightly.py."""

from soak import Soak, Story
from world import World


class Exact(World):
    def test_every_request_ends_once_and_every_token_is_in_all_books(self):
        story = Story(load={"concurrency": 40, "requests": 2500, "max_tokens": 20,
                            "abort_probability": 0.1, "abort_within": 0.2},
                      kills=3, reloads=3, upgrades=0, drops=2, over_s=12)
        soak = Soak(self, story)
        counts = soak.check(*soak.run())
        self.assertGreater(counts["ok"], 1200, counts)
        self.assertGreater(counts["aborted"], 50, counts)
        self.stop_box()
