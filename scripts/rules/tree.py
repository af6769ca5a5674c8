"""The files that a check looks at, and C++ text without comments and strings."""

import re
from pathlib import Path
from typing import NamedTuple

SKIPPED = {".git", "build", "node_modules", "__pycache__"}
CPP = {".h", ".cpp"}


class Violation(NamedTuple):
    path: str
    line: int
    rule: str
    what: str
    do: str

    def text(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.what}; {self.do}"


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"([^()\\ ]{0,16})\(.*?\)\1"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def blank(match):
    text = match.group(0)
    lines = "\n" * text.count("\n")
    return lines + " " if text.startswith("/") else '""' + lines


def code_of(text):
    """Comments become blanks and literals "": the line numbers stay."""
    return TOKEN.sub(blank, text)


class Tree:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = sorted(self._walk(self.root))
        self.cpp = [f for f in self.files
                    if Path(f).suffix in CPP and f.split("/")[0] in ("firmware", "drivers", "tests")]
        self._text = {}
        self._code = {}

    def _walk(self, folder):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if entry.name not in SKIPPED:
                    yield from self._walk(entry)
            elif entry.is_file():
                yield entry.relative_to(self.root).as_posix()

    def text(self, path):
        if path not in self._text:
            self._text[path] = (self.root / path).read_bytes().decode("utf-8", "replace")
        return self._text[path]

    def code(self, path):
        if path not in self._code:
            self._code[path] = code_of(self.text(path))
        return self._code[path]

    def exists(self, path):
        return (self.root / path).exists()

    def inside(self, *folders):
        return [f for f in self.cpp if f.startswith(folders)]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(tree, path):
    """(line, "<" or '"', header) of each #include."""
    text = tree.text(path)
    return [(line_of(text, m.start()), m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]
