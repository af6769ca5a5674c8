"""The messages of tests/data/http as bytes with pauses, a strict reader of the daemon's answers, and
how a vector is sent and judged."""

import json
import re
import socket
import time
from pathlib import Path

from programs import patience

FOLDER = Path(__file__).resolve().parent.parent / "data" / "http"
GROUPS = ("framing", "chunks", "lines", "start_line", "host", "connection", "slow")
HEAD = re.compile(rb"HTTP/1\.1 (\d\d\d) [ -~]*\r\n((?:[!-9;-~]+: ?[^\r\n]*\r\n)*)\r\n")
REFUSALS = ("malformed_request", "request_timeout", "misdirected_request", "request_too_large")
# Behind a refused message: a request that would be served if anybody read it.
BODY = json.dumps({"model": "demo", "max_tokens": 2,
                   "messages": [{"role": "user", "content": "x"}]})
SENTINEL = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def read_group(group):
    """(id, vector) in order; `pieces` of a vector are texts and pauses in seconds."""
    file = json.loads((FOLDER / f"{group}.json").read_text())
    for vector in file["vectors"]:
        send = vector["send"] if isinstance(vector["send"], list) else [vector["send"]]
        pieces = [file["parts"][vector["begin"]]] if "begin" in vector else []
        for item in send:
            if isinstance(item, str):
                pieces.append(item)
            elif "repeat" in item:
                pieces.append(item["repeat"] * item["times"])
            else:
                pieces.append(item["pause_ms"] / 1000)
        vector["pieces"] = pieces
        yield vector["id"], vector


def smuggled(key):
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n{BODY}")


class Answer:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def code(self):
        try:
            return json.loads(self.body)["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None


def take_answer(received, to_head=False):
    """(answer, rest); raises ValueError if it is not whole and well formed."""
    head = HEAD.match(received)
    if not head:
        raise ValueError(f"no whole head: {received[:300]!r}")
    fields = {}
    for line in head.group(2).decode("latin-1").split("\r\n")[:-1]:
        name, value = line.split(":", 1)
        if name.lower() in fields and name.lower() in ("content-length", "transfer-encoding"):
            raise ValueError(f"{name} twice")
        fields[name.lower()] = value.strip()
    rest = received[head.end():]
    status = int(head.group(1))
    if to_head or status < 200 or status in (204, 304):
        return Answer(status, fields, b""), rest
    if "transfer-encoding" in fields:
        body, rest = take_chunks(rest)
        return Answer(status, fields, body), rest
    length = int(fields["content-length"])
    if len(rest) < length:
        raise ValueError(f"{len(rest)} of {length} bytes: {received[:300]!r}")
    return Answer(status, fields, rest[:length]), rest[length:]


def take_chunks(rest):
    body = []
    at = 0
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            raise ValueError(f"a broken chunk size: {rest[at:at + 100]!r}")
        count = int(rest[at:end], 16)
        at = end + 2
        if rest[at + count:at + count + 2] != b"\r\n":
            raise ValueError(f"a broken chunk of {count}: {rest[at:at + 100]!r}")
        body.append(rest[at:at + count])
        at += count + 2
        if count == 0:
            return b"".join(body), rest[at:]


def split_answers(received):
    """All answers; 100 Continue is none of them."""
    answers = []
    while received:
        answer, received = take_answer(received)
        if answer.status != 100:
            answers.append(answer)
    return answers


def send(address, vector, key, behind=b""):
    """(all that came until the connection ended, how it ended: end, reset or open)"""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=patience(8)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pieces = list(vector["pieces"]) + [behind]
        try:
            for piece in pieces:
                if isinstance(piece, float):
                    time.sleep(piece)  # the vector's own pause
                    continue
                text = piece.replace("{KEY}", key) if isinstance(piece, str) else piece
                client.sendall(text.encode("latin-1") if isinstance(text, str) else text)
            if vector.get("end"):
                client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        try:
            while piece := client.recv(65536):
                received += piece
            return received, "end"
        except ConnectionResetError:
            return received, "reset"
        except socket.timeout:
            return received, "open"


def check(test, address, vector, key):
    """One connection, one vector; the answers until its end."""
    refused = "status" in vector
    alone = vector.get("end") or vector.get("silent") or vector.get("closes")
    behind = smuggled(key) if refused else "" if alone else SENTINEL
    received, ending = send(address, vector, key, behind.encode())
    answers = split_answers(received)
    accepted = vector.get("accepted", 0)
    test.assertEqual(ending, "end", (vector["id"], received[-300:]))
    for answer in answers:
        test.assertNotEqual(answer.status, 101)
    good, more = answers[:accepted], answers[accepted:]
    test.assertEqual(len(good), accepted, received[-600:])
    for answer in good:
        test.assertNotIn(answer.code(), REFUSALS, answer.body)
    if refused:
        test.assertEqual([a.status in vector["status"] for a in more], [True], received[-600:])
        test.assertEqual(more[0].fields.get("connection"), "close")
        test.assertIn("message", json.loads(more[0].body)["error"])
    elif alone:
        test.assertEqual(more, [], received[-600:])
    else:
        test.assertEqual([(a.status, a.body) for a in more], [(200, b"ok\n")], received[-600:])
    return answers
