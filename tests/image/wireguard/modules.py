#!/usr/bin/env python3
"""Copies kernel modules and everything they depend on.

    modules.py FROM TO NAME...

FROM and TO are folders like /lib/modules/6.1.0-1-amd64. A module that is built in is passed over;
one that does not exist is an error. What a module needs is read from the module itself.
"""

import re
import shutil
import sys
from pathlib import Path


def main():
    source, target, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    files = {f.name[:-len(".ko")].replace("-", "_"): f for f in source.rglob("*.ko")}
    built_in = {Path(line).stem.replace("-", "_")
                for line in (source / "modules.builtin").read_text().split()}
    done = set()
    while wanted:
        name = wanted.pop().replace("-", "_")
        if name in done or name in built_in:
            continue
        if name not in files:
            sys.exit(f"modules.py: the kernel has no module {name}")
        done.add(name)
        to = target / files[name].relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[name], to)
        content = files[name].read_bytes()
        for found in re.findall(rb"\0depends=([^\0]*)", content):
            wanted += [needed for needed in found.decode().split(",") if needed]
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copyfile(source / name, target / name)


if __name__ == "__main__":
    main()
