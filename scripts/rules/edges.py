"""Rule `edges`: the USES and DRIVERS lists of CMakeLists.txt equal the layer table."""

import re

from . import table
from .tree import Violation, line_of

CALL = re.compile(r"^[ \t]*sluice_folder\(([^)]*)\)", re.MULTILINE)


def declared(text):
    """(line, top, folder, uses, drivers) of each sluice_folder()."""
    for m in CALL.finditer(text):
        path, *rest = m.group(1).split()
        lists, current = {"USES": set(), "DRIVERS": set(), "THIRD": set()}, None
        for word in rest:
            if word in lists:
                current = word
            elif current:
                lists[current].add(word)
        top, _, folder = path.partition("/")
        yield line_of(text, m.start()), top, folder, lists["USES"], lists["DRIVERS"]


def expected(top, folder, folders, drivers):
    """(must be used, may be used, drivers that must, drivers that may)."""
    if top == "drivers":
        uv = {"uv"} if folder in table.DRIVERS_ON_UV else set()
        return set(table.BASE_PORTS), set(table.BASE_PORTS), set(), uv
    if folder == "box":
        others = folders - {"box"}
        return others, others, drivers, drivers
    must = table.FOLDERS.get(folder, set()) & folders
    return must, must | set(table.VIEWS.get(folder, {})), set(), set()


def cmake(tree):
    path = "CMakeLists.txt"
    if not tree.exists(path):
        yield Violation(path, 1, "edges", "does not exist", "declare a target per folder in it")
        return
    text = tree.text(path)
    calls = list(declared(text))
    folders = {c[2] for c in calls if c[1] == "firmware"}
    drivers = {c[2] for c in calls if c[1] == "drivers"}
    for line, top, folder, uses, drives in calls:
        must, may, must_drive, may_drive = expected(top, folder, folders, drivers)
        missing = sorted((must - uses) | (must_drive - drives))
        extra = sorted((uses - may) | (drives - may_drive))
        if missing:
            yield Violation(path, line, "edges", f"{top}/{folder} does not link {' '.join(missing)}",
                            "add what the table allows")
        if extra:
            yield Violation(path, line, "edges", f"{top}/{folder} links {' '.join(extra)}",
                            "the table in scripts/rules/table.py does not allow it")
    with_code = {tuple(f.split("/")[:2]) for f in tree.inside("firmware/") if f.count("/") == 2}
    with_code |= {("drivers", f[len("drivers/"):f.rindex("/")]) for f in tree.inside("drivers/")}
    for top, folder in sorted(with_code - {(c[1], c[2]) for c in calls}):
        yield Violation(path, 1, "edges", f"{top}/{folder} has sources and no target",
                        f"add sluice_folder({top}/{folder} ...)")


RULES = [cmake]
