#!/usr/bin/env python3
"""Holds the map in README.md against the vectors and the tests: every vector's id and every wire rule
from 1 to 35 has a row, every file and test that a row names exists, and every test that carries a
rule's number stands in that rule's row. Exit 1 if not."""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
RULES = range(1, 36)
ROW = re.compile(r"^\| (\d+|[A-Z]\d+-[A-Z]?\d+) \| .* \| (.*) \|$")
NAMED = re.compile(r"`([\w/.]+\.(?:py|cpp))(?:: ([^`]+))?`")
CARRIES = re.compile(r"def test_rules?_((?:\d\d_)+)")


def rows():
    """(first cell, last cell)"""
    for line in (HERE / "README.md").read_text().splitlines():
        if found := ROW.match(line):
            yield found.groups()


def ids_of(cell):
    first, last = cell.split("-")
    letter = first[0]
    return [f"{letter}{n:02d}" for n in range(int(first[1:]), int(last.lstrip(letter)) + 1)]


def vectors():
    for path in sorted((TESTS / "data" / "http").glob("*.json")):
        for vector in json.loads(path.read_text())["vectors"]:
            yield vector["id"]


def carried():
    """rule -> files that have a test with its number"""
    found = {}
    for path in sorted(HERE.glob("*_test.py")):
        for numbers in CARRIES.findall(path.read_text()):
            for number in numbers.strip("_").split("_"):
                found.setdefault(int(number), set()).add(path.name)
    return found


def wrong_names(cell, tests):
    for file, name in NAMED.findall(tests):
        path = HERE / file
        if not path.is_file():
            yield f"row {cell}: there is no {path}"
        elif name and name not in path.read_text():
            yield f"row {cell}: {file} has no test {name!r}"


def check():
    rules, ids = {}, set()
    for cell, tests in rows():
        yield from wrong_names(cell, tests)
        if not cell.isdigit():
            ids |= set(ids_of(cell))
            continue
        if int(cell) in rules:
            yield f"rule {cell} has two rows"
        rules[int(cell)] = {file for file, _ in NAMED.findall(tests)}
        if not rules[int(cell)]:
            yield f"rule {cell}: its row names no test"
    there = carried()
    for rule in RULES:
        if rule not in rules:
            yield f"rule {rule} has no row"
        for file in sorted(there.get(rule, set()) - rules.get(rule, set())):
            yield f"rule {rule}: {file} tests it, its row does not say so"
    known = set(vectors())
    for one in sorted(known - ids):
        yield f"vector {one} is in no row"
    for one in sorted(ids - known):
        yield f"a row names vector {one}, which is not there"


def main():
    troubles = list(check())
    for trouble in troubles:
        print(f"tests/loopback/README.md: {trouble}")
    print(f"wire map: {len(set(vectors()))} vectors, {len(RULES)} rules, {len(troubles)} troubles")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
