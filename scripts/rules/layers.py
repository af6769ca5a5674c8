"""Rules `layer`, `third-party`, `include-path`, `own-header`, `pragma-once`: #include lines against
the table."""

from pathlib import Path

from . import table
from .tree import Violation, includes


def folder_of(path):
    """firmware/sense/x.h -> ("firmware", "sense"); firmware/main.cpp -> ("firmware", "box");
    drivers/accelerators/nvml/x.h -> ("drivers", "accelerators/nvml"): each is a driver of its own."""
    parts = path.split("/")
    if parts[0] == "firmware" and len(parts) == 2:
        return "firmware", "box"
    if parts[0] == "drivers":
        return "drivers", "/".join(parts[1:-1])
    return parts[0], parts[1] if len(parts) > 2 else ""


def edge_error(path, header):
    """Why `path` may not include the project's `header`, or None."""
    top, own = folder_of(path)
    to_top, to = folder_of(header)
    if top == "tests" or (top, own) == ("firmware", "box"):
        return None if to_top != "tests" or top == "tests" else "the daemon does not know its tests"
    if to_top == top and to == own:
        return None
    if to_top == "tests":
        return "the daemon does not know its tests"
    if top == "drivers":
        if to_top == "drivers":
            allowed = own in table.DRIVERS_ON_UV and to == "uv"
            return None if allowed else f"drivers/{own} may not know another driver"
        return None if to in table.BASE_PORTS else f"drivers/{own} may include only base and ports"
    if to_top == "drivers":
        return f"firmware/{own} may not know drivers"
    if own not in table.FOLDERS:
        return f"firmware/{own} is not in the layer table"
    if to in table.FOLDERS[own]:
        return None
    endings = table.VIEWS.get(own, {}).get(to)
    if endings is None:
        return f"firmware/{own} may not include firmware/{to}"
    if header.endswith(endings):
        return None
    return f"firmware/{own} may include of firmware/{to} only *{' *'.join(endings)}"


def third_party_error(path, header):
    top, own = folder_of(path)
    if top == "tests" or header.startswith("fmt/"):
        return None
    if header in table.STANDARD:
        if top == "firmware" and header in table.STANDARD_BANNED:
            return f"<{header}> has a port; firmware/ may not use it"
        return None
    if (top, own) == ("firmware", "box"):
        return None if header.startswith("CLI/") else f"box may include of libraries only CLI11"
    if top == "firmware":
        return f"<{header}> belongs behind a driver"
    if header in table.SYSTEM or header.startswith(table.SYSTEM_FOLDERS):
        return None
    for name in table.LIBRARIES.get(own, ()):
        if header == name or (name.endswith("/") and header.startswith(name)):
            return None
    return f"<{header}> is not the library of drivers/{own}"


def edges(tree):
    for path in tree.cpp:
        for line, kind, header in includes(tree, path):
            if kind == "<":
                why = third_party_error(path, header)
                if why:
                    yield Violation(path, line, "third-party", why,
                                    "go through a port, or add it to scripts/rules/table.py")
                continue
            if header.split("/")[0] not in ("firmware", "drivers", "tests"):
                yield Violation(path, line, "include-path", f'"{header}" does not start at the root',
                                "write the path from the root; libraries in <>")
            elif not tree.exists(header):
                yield Violation(path, line, "include-path", f'"{header}" does not exist',
                                "name a file of this tree")
            else:
                why = edge_error(path, header)
                if why:
                    yield Violation(path, line, "layer", why,
                                    "move the code, or go through a port or a view")


def headers(tree):
    known = set(tree.cpp)
    for path in tree.cpp:
        if path.endswith(".h"):
            if "#pragma once" not in tree.text(path):
                yield Violation(path, 1, "pragma-once", "no #pragma once", "add it")
            continue
        own = str(Path(path).with_suffix(".h"))
        listed = includes(tree, path)
        if own in known and (not listed or listed[0][2] != own):
            yield Violation(path, listed[0][0] if listed else 1, "own-header",
                            f'"{own}" is not its first include', "include it first")


RULES = [edges, headers]
