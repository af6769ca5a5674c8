"""Rule `clang-format`: sources are laid out by .clang-format."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .tree import Violation

TOOL = "clang-format-14"
COMPLAINT = re.compile(r"^(.+?):(\d+):\d+: error: code should be clang-formatted")


def complaints(tree, files):
    run = subprocess.run([TOOL, "--dry-run", "--Werror", "--ferror-limit=1", *files], cwd=tree.root,
                         capture_output=True, text=True)
    hits = [COMPLAINT.match(line) for line in run.stderr.split("\n")]
    hits = [(m.group(1), int(m.group(2))) for m in hits if m]
    if run.returncode and not hits:
        hits = [(files[0], 1)]
    return hits


def laid_out(tree):
    batches = [tree.cpp[i:i + 12] for i in range(0, len(tree.cpp), 12)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda files: complaints(tree, files), batches))
    first = {}
    for path, line in (hit for hits in results for hit in hits):
        first.setdefault(path, line)
    for path, line in first.items():
        yield Violation(path, line, "clang-format", "not laid out by .clang-format",
                        f"run scripts/format {path}")


def available():
    return shutil.which(TOOL) is not None


RULES = [laid_out]
