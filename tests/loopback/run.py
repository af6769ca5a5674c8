#!/usr/bin/env python3
# Runs the loopback tests: the real daemon against stand-ins, over loopback.
#
#   tests/loopback/run.py --build FOLDER [--sanitized] [--keep] [--nightly] [CHAPTER...] [-k WORD]
#
# --build FOLDER  where sluiced, testbed-engine and testbed-load are
# --sanitized     they were built with sanitizers: more patience, no judgement of memory
# --keep          leave the folders of the worlds behind, and say where they are
# --nightly       the chapters are the long ones, *_nightly.py
# CHAPTER         the beginning of a *_test.py; without one all of them
# -k WORD         only tests whose name has it

import argparse
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import programs  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=Path)
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--nightly", action="store_true")
    parser.add_argument("-k", action="append")
    parser.add_argument("chapters", nargs="*")
    options = parser.parse_args()
    programs.SETUP = programs.Setup(options.build.resolve(), options.sanitized, options.keep)
    missing = [name for name in ("sluiced", "testbed-engine", "testbed-load")
               if not (programs.SETUP.build / name).is_file()]
    if missing:
        sys.exit(f"run.py: {', '.join(missing)} not found in {programs.SETUP.build}")
    kind = "nightly" if options.nightly else "test"
    names = sorted(f.stem for f in HERE.glob(f"*_{kind}.py"))
    chapters = [f"{c}_{kind}" for c in options.chapters] or names
    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = [f"*{word}*" for word in options.k]
    suite = unittest.TestSuite(loader.loadTestsFromName(chapter) for chapter in chapters)
    if suite.countTestCases() == 0:
        sys.exit("run.py: no such test")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    for test, why in result.skipped:
        print(f"SKIPPED, NOT TESTED: {test}: {why}", file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
