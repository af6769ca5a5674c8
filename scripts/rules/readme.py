"""Rule `readme-path`: every path in backticks of a README.md names something that exists."""

import re
from pathlib import Path

from .tree import Violation, line_of

FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"[A-Za-z0-9_.*\-]+(?:/[A-Za-z0-9_.*\-]+)*/?")
FILE = re.compile(r"\.(h|cpp|cmake|py|ts|tsx|mjs|md|yaml|yml|txt|service)$")
CODE_FILE = re.compile(r"\.(h|cpp|cmake|tsx?|mjs)$")
GENERATED = {"build", "node_modules"}


def bases(tree, readme):
    return [tree.root, tree.root / Path(readme).parent, tree.root / "firmware"]


def is_path(word, places):
    head, slash, _ = word.partition("/")
    if head in GENERATED or "node_modules" in word:
        return False
    if not slash:
        return bool(CODE_FILE.search(word))
    return bool(FILE.search(word)) or any((place / head).is_dir() for place in places if head)


def exists(word, places):
    word = word.rstrip("/")
    for place in places:
        if "*" in word:
            if any(place.glob(word)):
                return True
        elif any((place / (word + end)).exists() for end in ("", ".h", ".cpp")):
            return True
    return False


def words(text):
    for m in FENCE.finditer(text):
        for word in re.finditer(r"(?<!\S)(?:\./)?(" + WORD.pattern + r")(?=$|[\s:,;)])", m.group(1),
                                re.MULTILINE):
            if "/" in word.group(1):
                yield m.start(1) + word.start(), word.group(1)
    plain = FENCE.sub(lambda m: "\n" * m.group(0).count("\n"), text)
    for span in SPAN.finditer(plain):
        for part in span.group(1).split():
            part = part.strip(":,;()").removeprefix("./")
            if WORD.fullmatch(part):
                yield None, (line_of(plain, span.start()), part)


def readmes(tree):
    for readme in tree.files:
        if Path(readme).name != "README.md":
            continue
        places = bases(tree, readme)
        text = tree.text(readme)
        for at, word in words(text):
            line, word = (line_of(text, at), word) if at is not None else word
            if is_path(word, places) and not exists(word, places):
                yield Violation(readme, line, "readme-path", f"`{word}` does not exist",
                                "name the file as it is now")


RULES = [readmes]
