#!/usr/bin/env python3
# 5,000 open streams, ten reloads, three upgrades in place: every byte of every stream arrives.
# Runs at night, not with the chapters: it takes a minute or two and some 20,000 descriptors.
#
#   tests/loopback/streams_5000.py --build FOLDER [--streams N] [--seconds S]

import argparse
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import programs  # noqa: E402
import streams  # noqa: E402
from world import World  # noqa: E402

OPTIONS = None


class Streams(World):
    def test_no_stream_breaks_over_ten_reloads_and_three_upgrades(self):
        streams.check(self, OPTIONS.streams, reloads=10, upgrades=3, seconds=OPTIONS.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=90)
    OPTIONS = parser.parse_args()
    programs.SETUP = programs.Setup(OPTIONS.build.resolve())
    unittest.main(argv=sys.argv[:1], verbosity=2)
