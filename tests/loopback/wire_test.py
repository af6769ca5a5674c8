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
