"""Malformed and hostile HTTP at the API's address: refused, closed, and never passed on."""

import json
import re
import shutil
import socket
import subprocess
import time
import unittest

from programs import ask, patience
from raw_engine import RawEngine
from vectors import split_answers, take_answer
from world import World, chat, local

STATUS_LINE = re.compile(rb"HTTP/1\.1 \d\d\d ")
BODY = json.dumps({"model": "demo", "max_tokens": 2,
                   "messages": [{"role": "user", "content": "x"}]})


class Wire(World):
    def setUp(self):
        super().setUp()
        self.gpu = self.engine("gpu")
        self.start_box([local(self.gpu)], limits={"head_ms_max": 700, "body_bytes_max": 100000})

    def connect(self):
        host, port = self.box.api.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=patience(15))

    def raw(self, text):
        """All that is answered until the connection ends; it must end."""
        with self.connect() as client:
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

    def test_rule_28_an_expectation_is_met_at_once_or_refused_before_the_body(self):
        expect = "Expect: 100-continue\r\n"
        size = len(BODY)
        with self.connect() as client:
            client.sendall(self.post(f"{expect}Content-Length: {size}\r\n", "").encode())
            began = time.monotonic()
            self.assertEqual(client.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
            self.assertLess(time.monotonic() - began, patience(0.2))
            client.sendall(BODY.encode())
            self.assertEqual(take_answer(client.recv(65536))[0].status, 200)
        for name, text, status in (
                ("too large", self.post(f"{expect}Content-Length: 100000000\r\n", ""), 413),
                ("no key", self.post(f"{expect}Content-Length: {size}\r\n", "").replace(
                    self.box.key, "sk-nobody"), 401),
                ("no such path", self.post(f"{expect}Content-Length: {size}\r\n", "",
                                           "POST /v1/nothing HTTP/1.1"), 404),
                ("another expectation", self.post(f"Expect: 200-ok\r\nContent-Length: {size}\r\n"),
                 417)):
            with self.subTest(name):
                answer, rest = take_answer(self.raw(text))
                self.assertEqual((answer.status, rest), (status, b""))
        self.stop_box()

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_rule_28_curl_sends_a_large_body_without_its_second_of_waiting(self):
        self.box.settings["limits"]["body_bytes_max"] = 16 * 1024 * 1024
        self.box.write_settings()
        self.box.reload()
        body = self.folder / "large.json"
        body.write_text(json.dumps({"model": "demo", "max_tokens": 2, "messages": [
            {"role": "user", "content": "z" * 90_000}]}))
        told = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", "-H",
             f"Authorization: Bearer {self.box.key}", "-H", "Expect: 100-continue", "--data-binary",
             f"@{body}", f"http://{self.box.api}/v1/chat/completions"],
            capture_output=True, text=True, timeout=60).stdout.split()
        self.assertEqual(told[0], "200")
        self.assertLess(float(told[1]), patience(0.9))
        self.stop_box()

    def test_rule_29_large_bodies_pass_whole_and_the_limit_is_the_settings(self):
        self.box.settings["limits"]["body_bytes_max"] = 24 * 1024 * 1024
        self.box.write_settings()
        self.box.reload()
        raw = RawEngine("raw")
        self.addCleanup(raw.close)
        self.box.settings["nodes"] = [{**local(raw), "engine": "openai"}]
        self.box.write_settings()
        self.box.reload()
        self.box.wait_node("raw", "up")
        for size in (33_000, 1_100_000, 20_000_000):
            body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBO" * (
                    size // 4)}}]}]})
            status, _, text = ask(self.box.api, "POST", "/v1/chat/completions", body,
                                  {"Authorization": f"Bearer {self.box.key}"})
            self.assertEqual(status, 200, text)
            self.assertEqual(raw.asked[-1].body, body.encode(), f"{size} bytes were changed")
        chunked = self.post("Transfer-Encoding: chunked\r\n",
                            "1900000\r\n" + '{"model": "demo", "messages": "'.ljust(0x1900000, "x"))
        self.assertEqual(take_answer(self.raw(chunked))[0].status, 413)
        self.stop_box()

    def test_rule_31_head_options_http_1_0_and_a_thousand_requests_on_a_connection(self):
        answer, rest = take_answer(self.raw("HEAD /healthz HTTP/1.1\r\nHost: x\r\n"
                                            "Connection: close\r\n\r\n"), to_head=True)
        self.assertEqual((answer.status, answer.fields["content-length"], rest), (200, "3", b""))
        for target in ("*", "/v1/chat/completions"):
            answers = split_answers(self.raw(f"OPTIONS {target} HTTP/1.1\r\nHost: x\r\n"
                                             "Connection: close\r\n\r\n"))
            self.assertEqual(len(answers), 1)
            self.assertIn(answers[0].status, (200, 204, 404, 405))
            self.assertNotIn("access-control-allow-origin", answers[0].fields)
        size = len(BODY)
        old = self.raw(self.post(f"Content-Length: {size}\r\n",
                                 line="POST /v1/chat/completions HTTP/1.0"))
        answer, rest = take_answer(old)
        self.assertEqual((answer.status, rest), (200, b""))
        self.assertNotIn("transfer-encoding", answer.fields)
        streaming = BODY[:-1] + ', "stream": true}'
        received = self.raw(self.post(f"Content-Length: {len(streaming)}\r\n", streaming,
                                      "POST /v1/chat/completions HTTP/1.0"))
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertNotIn(b"transfer-encoding", head.lower())
        self.assertTrue(body.endswith(b"data: [DONE]\n\n"), body[-100:])
        answers = split_answers(self.raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1100))
        self.assertEqual([a.status for a in answers], [200] * 1000)
        self.assertEqual([i for i, a in enumerate(answers) if a.fields.get("connection")], [999])
        self.stop_box()

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
