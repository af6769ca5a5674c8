"""Clients that leave: noticed at once, also while nothing is being written and whatever they had
sent ahead; and clients that only ended their side."""

import json
import socket
import statistics
import struct
import threading
import time

import programs
from programs import patience, wait_until
from raw_engine import RawEngine, chunk, event
from vectors import BODY, split_answers, take_answer
from world import World, chat, descriptors, local, memory_kb

STREAM_HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n")
NOTICED_S = 0.050
TIMES = 20


class Departure(World):
    def start(self, **settings):
        self.raw = RawEngine()
        self.addCleanup(self.raw.close)
        self.left_at = []
        self.start_box([{**local(self.raw), "engine": "openai"}], **settings)
        self.box.wait_node("raw", "up")

    def stay_silent(self, begin=b""):
        """The engine takes the request, sends `begin`, says nothing more, and notes when the box
        leaves."""
        def answer(_asked, connection):
            connection.sendall(begin)
            self.begun.set()
            try:
                connection.recv(1)
            except OSError:
                pass
            self.left_at.append(time.monotonic())
            return False
        self.raw.answer = answer

    def client(self, stream=True):
        asked = {**json.loads(BODY), "stream": stream, "max_tokens": 100}
        body = json.dumps(asked)
        host, port = self.box.api.rsplit(":", 1)
        client = socket.create_connection((host, int(port)), timeout=patience(10))
        client.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                        f"Authorization: Bearer {self.box.key}\r\nContent-Length: {len(body)}\r\n"
                        f"\r\n{body}").encode())
        return client

    def measure(self, reset, ahead=b"", begin=b"", stream=True):
        """Seconds from a client's departure to the engine's knowledge of it."""
        self.begun = threading.Event()
        self.stay_silent(begin)
        client = self.client(stream)
        self.assertTrue(self.begun.wait(patience(10)))
        if ahead:
            client.sendall(ahead)
        if begin:
            client.recv(65536)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        count = len(self.left_at)
        gone = time.monotonic()
        client.close()
        wait_until(lambda: len(self.left_at) > count, "the engine's request is cancelled", 5)
        return self.left_at[-1] - gone

    def test_rule_17_a_departure_is_noticed_within_50_ms_whatever_was_sent_ahead(self):
        self.start()
        ways = {"FIN before any byte": dict(reset=False),
                "RST before any byte": dict(reset=True),
                "FIN, not a stream": dict(reset=False, stream=False),
                "FIN in a stream": dict(reset=False, begin=STREAM_HEAD + chunk(event("a"))),
                "RST in a stream": dict(reset=True, begin=STREAM_HEAD + chunk(event("a"))),
                "FIN behind a request sent ahead": dict(reset=False, ahead=b"GET / HTTP/1.1\r\n"),
                "FIN behind 2 MB sent ahead": dict(reset=False, ahead=b"x" * 2_000_000),
                "RST behind 2 MB sent ahead": dict(reset=True, ahead=b"x" * 2_000_000)}
        for way, how in ways.items():
            with self.subTest(way):
                seconds = sorted(self.measure(**how) for _ in range(TIMES))
                print(f"{way}: median {statistics.median(seconds) * 1e3:.1f} ms, "
                      f"worst {seconds[-1] * 1e3:.1f} ms")
                self.assertLess(statistics.median(seconds), patience(NOTICED_S))
        self.box.wait_quiet()
        self.stop_box()
        outcomes = [row["outcome"] for row in self.box.attempts()]
        self.assertEqual(outcomes, ["client_gone"] * TIMES * len(ways))

    def test_rule_17_a_client_that_waits_in_the_queue_leaves_it_at_once(self):
        self.raw = RawEngine()
        self.addCleanup(self.raw.close)
        self.left_at = []
        self.begun = threading.Event()
        self.start_box([{**local(self.raw, limits={"concurrency": 1}), "engine": "openai"}])
        self.box.wait_node("raw", "up")
        self.stay_silent()
        first = self.client()
        self.assertTrue(self.begun.wait(patience(10)))
        second = self.client()
        wait_until(lambda: self.box.status()["queue"]["length"] == 1, "one waits")
        second.close()
        wait_until(lambda: self.box.status()["queue"]["length"] == 0, "nobody waits", 1)
        first.close()
        self.box.wait_quiet()
        self.assertEqual(len(self.raw.asked), 1, "the one that left was sent all the same")
        self.stop_box()

    def test_rule_18_a_close_after_done_is_success(self):
        self.start()

        def answer(_asked, connection):
            connection.sendall(STREAM_HEAD + chunk(event("a")) + chunk("data: [DONE]\n\n"))
            time.sleep(0.05)  # the end of the chunks comes late: the client will not wait for it
            connection.sendall(b"0\r\n\r\n")
            return True
        self.raw.answer = answer
        for _ in range(10):
            client = self.client()
            received = b""
            while b"[DONE]" not in received:
                received += client.recv(65536)
            client.close()
        self.box.wait_quiet()
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"] * 10)

    def half_close(self, keep):
        self.start(**({"listen": {"api_half_close": "keep"}} if keep else {}))
        entered = threading.Event()

        def answer(asked, connection):
            entered.set()
            connection.settimeout(0.5)
            try:
                if not connection.recv(1):
                    return False  # the box has left
            except socket.timeout:
                pass
            return RawEngine.answer_well(asked, connection)
        self.raw.answer = answer
        client = self.client(stream=False)
        self.assertTrue(entered.wait(patience(10)))
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received

    def test_rule_31_half_closed_clients_are_kept_where_the_settings_say_so(self):
        received = self.half_close(keep=True)
        answer, rest = take_answer(received)
        self.assertEqual((answer.status, rest), (200, b""))
        self.assertEqual(answer.fields["connection"], "close")
        host, port = self.box.api.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=patience(10)) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
            client.shutdown(socket.SHUT_WR)
            received = b""
            while piece := client.recv(65536):
                received += piece
        self.assertEqual([a.status for a in split_answers(received)], [200] * 5)
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"])

    def test_rule_31_without_that_setting_a_half_close_is_a_departure(self):
        self.assertEqual(self.half_close(keep=False), b"")
        self.box.wait_quiet()
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["client_gone"])

    def test_clients_that_leave_in_the_middle_of_a_body_leave_no_memory_behind(self):
        self.start()
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        at_rest = descriptors(self.box.pid)
        host, port = self.box.api.rsplit(":", 1)
        head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n"
                f"Authorization: Bearer {self.box.key}\r\n\r\n").encode()

        def storm():
            for _ in range(10):
                clients = []
                for _ in range(10):
                    client = socket.create_connection((host, int(port)), timeout=patience(10))
                    client.sendall(head + b"x" * 1_000_000)
                    clients.append(client)
                for client in clients:
                    client.close()
            wait_until(lambda: descriptors(self.box.pid) <= at_rest, "all are closed")
        readings = []
        for _ in range(6):  # what freed memory the allocator keeps differs from storm to storm
            storm()
            readings.append(memory_kb(self.box.pid))
        if not programs.SETUP.sanitized:  # freed memory stays in quarantine there
            self.assertLess(min(readings[3:]) - min(readings[:3]), 3000, readings)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.assertEqual(len(self.raw.asked), 2)
        self.stop_box()

    def test_a_storm_of_resets_in_every_stage_leaves_the_service_as_it_was(self):
        self.start()
        at_rest = descriptors(self.box.pid)
        host, port = self.box.api.rsplit(":", 1)
        stages = (b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
                  b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx",
                  b"\x16\x03\x01", b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        for number in range(3000):
            client = socket.create_connection((host, int(port)), timeout=patience(10))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(stages[number % len(stages)])
            client.close()
        wait_until(lambda: descriptors(self.box.pid) <= at_rest + 1, "no connection is left over")
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
