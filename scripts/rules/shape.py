"""Rules `file-length`, `function-length`, `class-name`, `folder-name`, `top-level`, `script`: how
files look from outside."""

import os
import re
from pathlib import Path

from .tree import Violation, line_of

FILE_MAX = 500
FUNCTION_MAX = 70
SCRIPT_MAX = 150
SOURCE = {".h", ".cpp", ".c", ".ts", ".tsx", ".js", ".mjs", ".py", ".css", ".cmake", ".sh"}
TOP = set("""CMakeLists.txt CMakePresets.json LICENSE README.md SECURITY.md firmware board drivers
    overlay scripts tests toolchain build node_modules""".split())
FOLDERS_BANNED = {"util", "utils", "common", "core", "manager", "helpers", "misc"}
ENDINGS = "Manager|Helper|Handler|Impl|Data|Info"
CLASS = re.compile(rf"\b(?:class|struct|using|enum|concept)\s+(?:class\s+|struct\s+)?"
                   rf"(?:\[\[\w+\]\]\s*)?(\w*(?:{ENDINGS}))\b\s*(?:final\s*)?[:{{=;]")
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum)\b|\bextern\s*\"\"")
BRACE = re.compile(r"[{};()]|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
AFTER_PARENTHESES = re.compile(
    r"\)(?:\s*(?:const|volatile|noexcept\s*\([^{}]*\)|noexcept|override|final|mutable|try|&&?"
    r"|->[^;{}]*))*\s*$", re.DOTALL)


def functions(code):
    """(first line, last line) of each function body outside other functions, by its braces."""
    header, scopes, inside, skip, depth = 0, [], 0, 0, 0
    for m in BRACE.finditer(code):
        token = m.group(0)
        if token.lstrip().startswith("#"):
            if not inside and not skip:
                header = m.end()
        elif token in "()":
            depth += 1 if token == "(" else -1
        elif inside or skip:  # in a body, or in a member's braces
            change = (token == "{") - (token == "}")
            if inside:
                inside += change
                if not inside:
                    yield line_of(code, first), line_of(code, m.start())
                    header = m.end()
            else:
                skip += change
        elif token == "{":
            before = code[header:m.start()]
            if SCOPE.search(before) and not AFTER_PARENTHESES.search(before):
                scopes.append(token)
                header = m.end()
            elif AFTER_PARENTHESES.search(before) or re.search(r"\)\s*:.*[)}]\s*$", before, re.DOTALL):
                first, inside = header + len(before) - len(before.lstrip()), 1
            else:
                skip = 1  # an initialiser: the header goes on after it
        elif token == "}" or (token == ";" and depth <= 0):
            if token == "}" and scopes:
                scopes.pop()
            header, depth = m.end(), 0


def lengths(tree):
    for path in tree.files:
        if Path(path).suffix not in SOURCE or "/dist/" in path:
            continue
        lines = tree.text(path).count("\n")
        if lines > FILE_MAX:
            yield Violation(path, FILE_MAX + 1, "file-length", f"{lines} lines, ceiling {FILE_MAX}",
                            "split it by nouns of the domain")
    for path in tree.cpp:
        for first, last in functions(tree.code(path)):
            if last - first + 1 > FUNCTION_MAX:
                yield Violation(path, first, "function-length",
                                f"{last - first + 1} lines, ceiling {FUNCTION_MAX}",
                                "keep the branches here and move straight lines into functions")


def names(tree):
    for path in tree.inside("firmware/", "drivers/"):
        code = tree.code(path)
        for m in CLASS.finditer(code):
            yield Violation(path, line_of(code, m.start()), "class-name", f"`{m.group(1)}` says nothing",
                            "name the thing of the domain")
    seen = set()
    for path in tree.files:
        for parent in Path(path).parents:
            if parent.name in FOLDERS_BANNED and str(parent) not in seen:
                seen.add(str(parent))
                yield Violation(str(parent), 1, "folder-name", f"a folder named {parent.name}",
                                "put each file where its noun lives")
    for entry in sorted(tree.root.iterdir()):
        if not entry.name.startswith(".") and entry.name not in TOP:
            yield Violation(entry.name, 1, "top-level", "not one of the agreed names at the top",
                            "move it into a folder of the map in README.md")


def scripts(tree):
    for path in tree.files:
        parts = path.split("/")
        if parts[0] != "scripts" or path.endswith((".txt", ".md")):
            continue
        lines = tree.text(path).split("\n")
        if len(lines) - 1 >= SCRIPT_MAX:
            yield Violation(path, SCRIPT_MAX, "script", f"{len(lines) - 1} lines, must be < {SCRIPT_MAX}",
                            "split it")
        if len(parts) > 2:
            continue  # modules of a script
        if not (lines[0].startswith("#!") and len(lines) > 1 and lines[1].startswith("# ")):
            yield Violation(path, 1, "script", "does not open with #! and a comment",
                            "say in the first comment what it does: --help prints it")
        if "--help" not in tree.text(path):
            yield Violation(path, 1, "script", "knows no --help", "print the first comment")
        if not os.access(tree.root / path, os.X_OK):
            yield Violation(path, 1, "script", "is not executable", "chmod +x")


RULES = [lengths, names, scripts]
