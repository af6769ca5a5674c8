"""Malformed and hostile HTTP at the API's address: refused, closed, and never passed on."""

import json
import re
import socket

from programs import ask, patience
from world import World, chat, local

STATUS_LINE = re.compile(rb"HTTP/1\.1 \d\d\d ")
BODY = json.dumps({"model": "demo", "max_tokens": 2,
                   "messages": [{"role": "user", "content": "x"}]})


class Wire(World):
    def setUp(self):
        super().setUp()
        self.gpu = self.engine("gpu")
        self.start_box([local(self.gpu)], limits={"head_ms_max": 700, "body_bytes_max": 100000})

    def raw(self, text):
        """All that is answered until the connection ends; it must end."""
        host, port = self.box.api.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=patience(15)) as client:
            try:
                client.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
            except (BrokenPipeError, ConnectionResetError):
                pass
            received = b""
            try:
                while piece := client.recv(65536):
                    received += piece
            except ConnectionResetError:
                pass
            return received

    def post(self, fields, body=BODY, line="POST /v1/chat/completions HTTP/1.1"):
        return (f"{line}\r\nHost: x\r\nAuthorization: Bearer {self.box.key}\r\n{fields}"
                f"\r\n{body}")

    def check_refused(self, vectors):
        for name, text, statuses in vectors:
            with self.subTest(name):
                answer = self.raw(text)
                status = int(answer.split(b" ", 2)[1]) if answer else None
                self.assertIn(status, statuses, answer[:300])
                self.assertEqual(len(STATUS_LINE.findall(answer)), 1, answer[:600])
        self.assertEqual(self.gpu.counters()["received"], 0)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
        self.assertEqual(len(self.box.attempts()), 1)

    def test_ambiguous_framing_is_refused_and_nothing_after_it_is_read(self):
        size = len(BODY)
        chunked = f"{size:x}\r\n{BODY}\r\n0\r\n\r\n"
        smuggled = self.post(f"Content-Length: {size}\r\n")
        self.check_refused([
            ("both lengths", self.post(f"Content-Length: {size}\r\nTransfer-Encoding: chunked\r\n",
                                       chunked) + smuggled, (400,)),
            ("two content lengths",
             self.post(f"Content-Length: {size}\r\nContent-Length: 5\r\n") + smuggled, (400,)),
            ("listed content length", self.post(f"Content-Length: {size}, {size}\r\n"), (400,)),
            ("signed content length", self.post(f"Content-Length: +{size}\r\n"), (400,)),
            ("chunked twice",
             self.post("Transfer-Encoding: chunked, chunked\r\n", chunked) + smuggled, (400, 501)),
            ("an unknown coding",
             self.post("Transfer-Encoding: xchunked\r\n", chunked) + smuggled, (400, 501)),
            ("chunked in HTTP/1.0",
             self.post("Transfer-Encoding: chunked\r\n", chunked,
                       "POST /v1/chat/completions HTTP/1.0"), (400,)),
            ("a blank before the colon", self.post(f"Content-Length : {size}\r\n"), (400,)),
            ("a folded field", self.post(f"X-A: b\r\n c\r\nContent-Length: {size}\r\n"), (400,)),
            ("a wrong chunk size", self.post("Transfer-Encoding: chunked\r\n", "zz\r\n" + BODY),
             (400,)),
            ("a chunk that is too long",
             self.post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n" + BODY),
             (400, 413)),
        ])

    def test_lines_that_are_not_http_are_refused(self):
        size = len(BODY)
        good = self.post(f"Content-Length: {size}\r\n")
        self.check_refused([
            ("bare line feeds", good.replace("\r\n", "\n"), (400,)),
            ("a line feed in one field", self.post(f"X-A: b\nContent-Length: {size}\r\n"), (400,)),
            ("a NUL in a field", self.post(f"X-A: b\0c\r\nContent-Length: {size}\r\n"), (400,)),
            ("no host", good.replace("Host: x\r\n", ""), (400,)),
            ("two hosts", self.post(f"Host: y\r\nContent-Length: {size}\r\n"), (400,)),
            ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)), (400,)),
            ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
            ("a version that is not", self.post(f"Content-Length: {size}\r\n", BODY,
                                                "POST /v1/chat/completions HTTP/3.7"), (400, 505)),
            ("no target", good.replace("POST /v1/chat/completions ", "POST "), (400,)),
        ])

    def test_what_is_too_much_or_too_slow_is_refused(self):
        self.check_refused([
            ("a huge field", self.post(f"X-A: {'a' * 200000}\r\nContent-Length: 0\r\n"), (431,)),
            ("many fields", self.post("".join(f"X-{i}: 1\r\n" for i in range(2000))
                                      + "Content-Length: 0\r\n"), (431,)),
            ("a huge target", self.post("", "", f"GET /{'a' * 200000} HTTP/1.1"), (414, 431, 400)),
            ("a head that does not end", "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n",
             (408,)),
            ("a body that is announced too large", self.post("Content-Length: 100000000\r\n", ""),
             (413,)),
        ])

    def test_bodies_that_are_no_questions_are_refused_with_what_is_wrong(self):
        fields = {"Authorization": f"Bearer {self.box.key}", "Content-Type": "application/json"}
        for body in ("", "{", "[]", '"x"', '{"messages": []}', '{"model": 7, "messages": []}',
                     '{"model": "demo", "model": "demo", "messages": []}', "{}" * 2, "\0",
                     '{"model": "demo", "stream": "yes", "messages": []}'):
            status, _, text = ask(self.box.api, "POST", "/v1/chat/completions", body, fields)
            self.assertEqual(status, 400, (body, text))
            self.assertTrue(json.loads(text)["error"]["message"])
        self.assertEqual(self.gpu.counters()["received"], 0)
        self.stop_box()
