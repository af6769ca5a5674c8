"""Rules `header-alone` and `clang-tidy`: run compilers. What passed once is remembered by a hash of
the file, of everything of ours that it includes and of the settings, in build/check/."""

import hashlib
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .tree import Violation, includes

FLAGS = ["-std=c++20", "-I.", "-Wall", "-Wextra", "-Werror", "-O0"]
TIDY = "clang-tidy-14"
TIDY_FLAGS = ["--extra-arg=-Wno-unknown-warning-option"]  # the database speaks g++
PRODUCT = ("firmware/", "drivers/")
KNOWN = ".ci/tidied"
PROBLEM = re.compile(r"^(.+?):(\d+):\d+: (?:fatal )?(?:error|warning): (.*)$", re.MULTILINE)


class Passed:
    """Stamps of what was green. A file that changed, or a header below it, has another hash."""

    def __init__(self, tree, settings):
        self.tree = tree
        self.folder = tree.root / "build" / "check"
        self.settings = settings.encode()
        self.below = {}

    def reach(self, path):
        """Every file of ours that `path` includes, itself first."""
        if path not in self.below:
            seen, todo = [], [path]
            while todo:
                at = todo.pop()
                if at not in seen and self.tree.exists(at):
                    seen.append(at)
                    todo += [h for _, kind, h in includes(self.tree, at) if kind == '"']
            self.below[path] = seen
        return self.below[path]

    def stamp(self, what, path):
        digest = hashlib.sha256(self.settings + what.encode())
        for file in [path, *sorted(self.reach(path)[1:])]:
            digest.update(file.encode() + b"\0" + self.tree.text(file).encode())
        return self.folder / what / digest.hexdigest()

    def missing(self, what, paths, known=frozenset()):
        (self.folder / what).mkdir(parents=True, exist_ok=True)
        stamps = {p: self.stamp(what, p) for p in paths}
        return [p for p, stamp in stamps.items()
                if not stamp.exists() and short(stamp) not in known]

    def remember(self, what, path):
        self.stamp(what, path).touch()


def short(stamp):
    return stamp.name[:16]


def known_green(tree):
    """Stamps of what clang-tidy passed when all was looked at last: same file, same headers below it."""
    return frozenset(tree.text(KNOWN).split()) if tree.exists(KNOWN) else frozenset()


def write_known(tree):
    passed = Passed(tree, tree.text(".clang-tidy"))
    paths = [p for p in tree.cpp if p.endswith(".cpp") and p.startswith(PRODUCT)]
    lines = sorted({short(passed.stamp("clang-tidy", p)) for p in paths})
    (tree.root / KNOWN).write_text("\n".join(lines) + "\n")


def problems(root, rule, path, output, do):
    hits = {}
    for m in PROBLEM.finditer(output):
        file = os.path.relpath(os.path.join(root, m.group(1)), root)
        hits[(file, int(m.group(2)))] = m.group(3)
    if not hits:
        hits[(path, 1)] = "the compiler failed: " + " ".join(output.split())[-300:]
    return [Violation(file, line, rule, what, do) for (file, line), what in hits.items()]


def run_all(passed, what, paths, command, do):
    def one(path):
        run = subprocess.run(command(path), cwd=passed.tree.root, capture_output=True, text=True)
        if run.returncode == 0:
            passed.remember(what, path)
            return []
        return problems(passed.tree.root, what, path, run.stdout + run.stderr, do)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {v for hits in pool.map(one, paths) for v in hits}
    return sorted(found)


def to_compile_alone(tree):
    """A header with a .cpp of its own is the first include there (rule `own-header`): the build of that
    shows that it compiles alone."""
    return [p for p in tree.cpp if p.endswith(".h") and not tree.exists(p[:-2] + ".cpp")]


def headers_alone(tree):
    compiler = shutil.which("g++")
    if not compiler:
        return [Violation("scripts/packages.txt", 1, "header-alone", "g++ is missing",
                          "run scripts/setup")]
    passed = Passed(tree, " ".join(FLAGS))
    paths = passed.missing("header-alone", to_compile_alone(tree))
    print(f"check: {len(paths)} headers to compile alone", flush=True)
    return run_all(passed, "header-alone", paths,
                   lambda p: [compiler, *FLAGS, "-fsyntax-only", "-include", p, "-x", "c++", "/dev/null"],
                   "include in the header what it names")


def tidy(tree, folders=(*PRODUCT, "tests/"), known=frozenset()):
    database = tree.root / "build" / "debug" / "compile_commands.json"
    if not shutil.which(TIDY):
        return [Violation("scripts/packages.txt", 1, "clang-tidy", f"{TIDY} is missing",
                          "run scripts/setup")]
    if tree.exists("CMakePresets.json"):  # new files enter the database when CMake runs
        subprocess.run(["cmake", "--preset", "debug", "-DSLUICE_TESTS=ON"], cwd=tree.root,
                       check=True, stdout=subprocess.DEVNULL)
    if not database.exists():
        return [Violation("CMakePresets.json", 1, "clang-tidy", "no build/debug/compile_commands.json",
                          "run scripts/build debug")]
    passed = Passed(tree, tree.text(".clang-tidy"))
    paths = passed.missing("clang-tidy", [p for p in tree.cpp
                                          if p.endswith(".cpp") and p.startswith(folders)], known)
    paths.sort(key=lambda p: -len(tree.text(p)))
    print(f"check: {len(paths)} files for {TIDY}", flush=True)
    return run_all(passed, "clang-tidy", paths,
                   lambda p: [TIDY, "--quiet", "-p", "build/debug", *TIDY_FLAGS, p],
                   "mend it, or NOLINT(check) with the reason beside it")


def tidy_product(tree):
    return tidy(tree, PRODUCT, known_green(tree))


RULES = [headers_alone, tidy]
PRODUCT_RULES = [headers_alone, tidy_product]
