"""5,000 open streams, ten reloads, three upgrades in place: every byte of every stream arrives. It takes
some 20,000 descriptors."""

import os

import streams
from world import World

STREAMS = int(os.environ.get("STREAMS", "5000"))
SECONDS = float(os.environ.get("STREAMS_SECONDS", "90"))


class Streams(World):
    def test_no_stream_breaks_over_ten_reloads_and_three_upgrades(self):
        streams.check(self, STREAMS, reloads=10, upgrades=3, seconds=SECONDS)
