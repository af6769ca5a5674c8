#!/usr/bin/env python3
"""Writes the vectors of tests/data/http into the corpora of the HTTP targets, a file each, named by
its id. Long ones are left out: the targets have small limits. Run it when vectors have changed."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "http"
LONGEST = 500
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"


def text_of(vector, parts):
    send = vector["send"] if isinstance(vector["send"], list) else [vector["send"]]
    texts = [parts[vector["begin"]].replace("{KEY}", "k")] if "begin" in vector else []
    texts += [item if isinstance(item, str) else item.get("repeat", "") * item.get("times", 0)
              for item in send]
    return "".join(texts)


def seed(target, name, text):
    if 0 < len(text) <= LONGEST:
        (HERE / "corpus" / target / name).write_bytes(text.encode("latin-1"))


def main():
    (HERE / "corpus" / "http_body").mkdir(exist_ok=True)
    for path in sorted(DATA.glob("*.json")):
        file = json.loads(path.read_text())
        for vector in file["vectors"]:
            text = text_of(vector, file.get("parts", {}))
            seed("http_response" if path.stem == "upstream" else "http_request", vector["id"], text)
            if path.stem in ("chunks", "upstream") and CHUNKED in text:
                seed("http_body", vector["id"], "\2" + text.split(CHUNKED, 1)[1])


main()
