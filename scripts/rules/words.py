"""Rules `banned-word`, `unordered-iteration`, `unfinished`, `registry`: words that may not appear."""

import re

from .tree import Violation, line_of

TIME = "time comes through ports: Clock, Calendar, Timers"
WORK = "threads are behind ports/work.h"
FIRMWARE = [
    (r"\b(steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday|uv_hrtime)\b", TIME),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>:])sleep\s*\(", TIME),
    (r"(?<![\w.>])time\s*\(\s*(nullptr|NULL|0|&)", TIME),
    (r"\brandom_device\b|(?<![\w.>:])(s?rand|std::s?rand|random)\s*\(", "chance is ports/random.h"),
    (r"\bstd::(j?thread|mutex|recursive_mutex|shared_mutex|condition_variable|async)\b", WORK),
    (r"\bfopen\b|\bstd::[io]?fstream\b", "files are ports/files.h"),
    (r"\bsqlite3_\w*", "storage is ports/store.h"),
    (r"\buv_\w+", "the loop is behind ports"),
    (r"(?<![\w.>])(::)?socket\s*\(", "sockets are ports/streams.h"),
]
BOTH = [
    (r"\bthrow\b", "return a Result"),
    (r"\bco_(await|return|yield)\b", "use a sink interface and a State"),
    (r"\[\s*=\s*[\],]", "name what the lambda captures"),
]
# Libraries that report by exceptions: what may be caught there.
CATCHES = {
    "drivers/yaml/": r"",
    "firmware/box/": r"\s*\(\s*const CLI::",
    "firmware/main.cpp": r"\s*\(\s*const CLI::",
}
# Spelled in two parts: this file must pass its own rule.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
REGISTRIES = re.compile(
    r"\b(" + "|".join(re.escape(a + b) for a, b in [
        ("registry.", "npmjs.org"), ("registry.", "yarnpkg.com"), ("registry.", "npmmirror.com"),
        ("py", "pi.org"), ("files.", "pythonhosted.org"), ("crates", ".io"), ("ruby", "gems.org"),
        ("proxy.", "golang.org"), ("deb.", "debian.org"), ("docker", ".io"), ("gh", "cr.io"),
        ("qu", "ay.io"), ("conan", ".io"), ("repo.maven.", "apache.org"),
    ]) + r")\b", re.IGNORECASE)
BINARY = (".png", ".ico", ".gz", ".zst", ".woff2", ".jpg", ".db", ".pyc")


def found(path, code, pattern, do):
    for m in re.finditer(pattern, code):
        yield Violation(path, line_of(code, m.start()), "banned-word", f"`{m.group(0).strip()}`", do)


def banned(tree):
    for path in tree.inside("firmware/", "drivers/"):
        code = tree.code(path)
        words = BOTH + (FIRMWARE if path.startswith("firmware/") else [])
        for pattern, do in words:
            yield from found(path, code, pattern, do)
        allowed = [after for place, after in CATCHES.items() if path.startswith(place)]
        for m in re.finditer(r"\bcatch\b", code):
            if not any(re.match(after, code[m.end():]) for after in allowed):
                yield Violation(path, line_of(code, m.start()), "banned-word", "`catch`",
                                "ask the library for an error value; only drivers/yaml may catch")


ORDERED = ("valve", "sense", "meter", "capacity")
ALIAS = re.compile(r"\busing\s+(\w+)\s*=\s*(?:std::)?unordered_(?:multi)?(?:map|set)\b")


def unordered_names(code, aliases):
    """Names of variables and members whose type is an unordered container."""
    types = r"(?:std::)?unordered_(?:multi)?(?:map|set)\b"
    if aliases:
        types += "|" + "|".join(rf"\b{a}\b" for a in aliases)
    for m in re.finditer(types, code):
        rest = code[m.end():]
        if rest.lstrip().startswith("<"):
            depth, at = 0, 0
            for at, c in enumerate(rest):
                depth += (c == "<") - (c == ">")
                if c == ">" and depth == 0:
                    break
            rest = rest[at + 1:]
        name = re.match(r"[\s&*]*([A-Za-z_]\w*)\s*(\(\s*\)\s*const)?", rest)
        if name:
            yield name.group(1)


def unordered(tree):
    for folder in ORDERED:
        files = tree.inside(f"firmware/{folder}/")
        aliases = {a for f in files for a in ALIAS.findall(tree.code(f))}
        names = {n for f in files for n in unordered_names(tree.code(f), aliases)}
        for path in files:
            code = tree.code(path)
            for name in sorted(names):
                loop = rf"for\s*\([^;()]*:[^;{{}}]*\b{name}(\(\))?\s*\)|\b{name}\s*\.\s*c?begin\s*\("
                for m in re.finditer(loop, code):
                    yield Violation(path, line_of(code, m.start()), "unordered-iteration",
                                    f"iterates over `{name}`, whose order is chance",
                                    "use std::map or a sorted vector")


def texts(tree):
    for path in tree.files:
        if path.endswith(BINARY) or "/dist/" in path:
            continue
        text = tree.text(path)
        for m in UNFINISHED.finditer(text):
            yield Violation(path, line_of(text, m.start()), "unfinished", f"`{m.group(0)}`",
                            "finish it or leave it out")
        for m in REGISTRIES.finditer(text):
            yield Violation(path, line_of(text, m.start()), "registry", f"names `{m.group(0)}`",
                            "leave the host to the client's own settings")


RULES = [banned, unordered, texts]
