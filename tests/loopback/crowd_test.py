"""Slow clients and many of them: each holds little, none holds the service."""

import json
import resource
import shutil
import socket
import statistics
import subprocess
import threading
import time
import unittest

import programs
from programs import ask, patience, wait_until
from raw_engine import RawEngine, chunk, event
from vectors import BODY
from world import World, chat, cloud, descriptors, local, memory_kb

CROWD = 10_000
IDLE_BYTES_MAX = 4096
STREAMS = 400
STREAM_BYTES_MAX = 16 * 1024
STREAM_HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n")


def raise_descriptors(wanted):
    """This process's limit, which the daemon inherits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        else:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        raise unittest.SkipTest(f"{wanted} descriptors are not allowed, only {hard}") from None


class Crowd(World):
    def start(self, place=local, **settings):
        self.raw = RawEngine()
        self.addCleanup(self.raw.close)
        self.start_box([{**place(self.raw), "engine": "openai"}], **settings)
        self.box.wait_node("raw", "up")

    def connect(self, text=b"", buffer=None):
        host, port = self.box.api.rsplit(":", 1)
        client = socket.socket()
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.settimeout(patience(20))
        client.connect((host, int(port)))
        client.sendall(text)
        self.addCleanup(client.close)
        return client

    def request(self, stream=True):
        body = json.dumps({**json.loads(BODY), "stream": stream})
        return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                f"Authorization: Bearer {self.box.key}\r\nContent-Length: {len(body)}\r\n\r\n"
                f"{body}").encode()

    def test_ten_thousand_idle_connections_cost_little_and_slow_nobody(self):
        raise_descriptors(CROWD + 1000)
        self.start(limits={"connections_max": CROWD + 500, "idle_ms_max": 600000,
                           "connections_per_address_max": CROWD + 500})
        for _ in range(20):
            self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        at_rest, before = descriptors(self.box.pid), memory_kb(self.box.pid)
        crowd = []
        # Each has been served once: what a request needs must be given back.
        served = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        for _ in range(CROWD // 100):
            some = [self.connect(served) for _ in range(100)]
            for client in some:
                self.assertIn(b"200 OK", client.recv(1000))
            crowd += some
        self.assertGreaterEqual(descriptors(self.box.pid), CROWD)
        each = (memory_kb(self.box.pid) - before) * 1024 / CROWD
        seconds = []
        for _ in range(50):
            began = time.monotonic()
            self.assertEqual(ask(self.box.api, "GET", "/v1/models", headers={
                "Authorization": f"Bearer {self.box.key}"})[0], 200)
            seconds.append(time.monotonic() - began)
        print(f"{CROWD} idle connections: {each:.0f} bytes each, an answer beside them takes "
              f"{statistics.median(seconds) * 1e3:.2f} ms")
        self.assertLess(statistics.median(seconds), patience(0.05))
        if not programs.SETUP.sanitized:
            self.assertLess(each, IDLE_BYTES_MAX)
        for client in crowd:
            client.close()
        wait_until(lambda: descriptors(self.box.pid) <= at_rest + 1, "all are closed", 20)
        self.stop_box()

    def test_an_open_stream_holds_little_memory(self):
        raise_descriptors(8192)
        self.start(cloud)
        go_on = threading.Event()

        def answer(_asked, connection):
            connection.sendall(STREAM_HEAD + chunk(event("a")))
            go_on.wait(60)
            connection.sendall(chunk("data: [DONE]\n\n") + b"0\r\n\r\n")
            return True
        self.raw.answer = answer
        first = [self.connect(self.request()) for _ in range(50)]  # what is made once is made
        for client in first:
            self.assertIn(b"200 OK", client.recv(65536))
        before = memory_kb(self.box.pid)
        streams = [self.connect(self.request()) for _ in range(STREAMS)]
        for client in streams:
            self.assertIn(b"200 OK", client.recv(65536))
        each = (memory_kb(self.box.pid) - before) * 1024 / STREAMS
        print(f"{STREAMS} open streams: {each:.0f} bytes each")
        if not programs.SETUP.sanitized:
            self.assertLess(each, STREAM_BYTES_MAX)
        go_on.set()
        self.box.wait_quiet()
        self.stop_box()
        self.assertEqual({r["outcome"] for r in self.box.attempts()}, {"served"})

    def pour(self, events):
        """An engine that sends as fast as it may, and how far it got."""
        self.poured = 0
        self.engine_left = threading.Event()
        text = chunk(event("y" * 4000))

        def answer(_asked, connection):
            try:
                connection.sendall(STREAM_HEAD)
                for _ in range(events):
                    connection.sendall(text)
                    self.poured += len(text)
                connection.sendall(chunk("data: [DONE]\n\n") + b"0\r\n\r\n")
            finally:
                self.engine_left.set()
            return True
        self.raw.answer = answer

    def test_a_client_that_takes_nothing_pauses_its_engine_and_is_dropped_and_metered(self):
        self.start(limits={"write_stall_ms_max": 1500})
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        before = memory_kb(self.box.pid)
        self.pour(20000)  # 80 MB
        client = self.connect(self.request(), buffer=4096)
        began = time.monotonic()
        self.assertTrue(self.engine_left.wait(patience(20)), "the engine is held for ever")
        self.assertGreater(time.monotonic() - began, 1.4)
        self.assertLess(self.poured, 40_000_000, "nobody paused the engine")
        if not programs.SETUP.sanitized:
            self.assertLess(memory_kb(self.box.pid) - before, 4096)
        self.box.wait_quiet()
        client.close()
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
        row = self.box.attempts("outcome = 'client_gone'")
        self.assertEqual(len(row), 1)
        self.assertGreater(row[0]["out_counted"], 0)

    def test_a_slow_reader_that_reads_gets_every_byte(self):
        self.start(limits={"write_stall_ms_max": 1500, "stream_idle_ms_max": 1000})
        self.pour(2000)  # 8 MB
        client = self.connect(self.request(), buffer=16384)
        received = bytearray()
        pauses = 0
        while not received.endswith(b"0\r\n\r\n"):
            piece = client.recv(16384)
            self.assertTrue(piece, f"cut after {len(received)} bytes")
            received += piece
            if len(received) > 1_000_000 * (pauses + 1) and pauses < 5:
                pauses += 1
                time.sleep(1.2)  # it is slow: longer than the engine may be silent
        self.assertEqual(received.count(b"data: "), 2001)
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"])

    def test_many_slow_readers_hold_a_bounded_memory(self):
        self.start(cloud, limits={"write_stall_ms_max": 3000})
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        before = memory_kb(self.box.pid)
        self.pour(20000)
        clients = [self.connect(self.request(), buffer=4096) for _ in range(40)]
        wait_until(lambda: self.box.status()["nodes"][0]["in_flight"] == 40, "all are served", 20)
        time.sleep(1)  # the engines pour as much as they may
        if not programs.SETUP.sanitized:
            grown = memory_kb(self.box.pid) - before
            print(f"40 readers that read nothing: {grown / 40:.0f} KB each")
            self.assertLess(grown, 40 * 1024)
        wait_until(lambda: self.box.status()["nodes"][0]["in_flight"] == 0, "all are dropped", 20)
        for client in clients:
            client.close()
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()

    @unittest.skipUnless(shutil.which("slowhttptest"), "slowhttptest is not installed")
    def test_slowhttptest_in_three_ways_leaves_the_service_available(self):
        self.start(limits={"head_ms_max": 1500, "body_slow_ms_max": 1500, "idle_ms_max": 2000,
                           "write_stall_ms_max": 1500})
        url = f"http://{self.box.api}/v1/models"
        for way in (("-H", "-i", "1"), ("-B", "-i", "1", "-s", "8192"),
                    ("-X", "-n", "1", "-w", "10", "-y", "20", "-z", "32", "-k", "3")):
            slow = subprocess.Popen(
                ["slowhttptest", *way, "-c", "150", "-r", "100", "-l", "6", "-p", "2", "-u", url],
                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env={"TERM": "dumb"})
            try:
                statuses, worst = [], 0.0
                while slow.poll() is None and len(statuses) < 200:
                    began = time.monotonic()
                    statuses.append(chat(self.box.api, self.box.key)[0])
                    worst = max(worst, time.monotonic() - began)
                    time.sleep(0.05)
                told = slow.communicate(timeout=patience(30))[0]
            finally:
                slow.kill()
            self.assertGreater(len(statuses), 20, told[-1000:])
            self.assertEqual(set(statuses), {200}, way)
            self.assertLess(worst, patience(1), way)
            self.assertNotIn("service available:   NO", told)
        self.stop_box()
