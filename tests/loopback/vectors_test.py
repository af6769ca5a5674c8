"""Every vector of tests/data/http against the daemon: one answer per accepted request, one refusal
per malformed one, the connection ended, and nothing of it at a node."""

import threading

from programs import patience, wait_until
from vectors import GROUPS, check, read_group
from world import World, chat, descriptors, local

QUICK = {"head_ms_max": 700, "body_slow_ms_max": 700, "idle_ms_max": 1000, "body_bytes_max": 100000}


class Vectors(World):
    def setUp(self):
        super().setUp()
        self.gpu = self.engine("gpu")
        self.start_box([local(self.gpu)], limits=QUICK)

    def check_group(self, group):
        at_rest = descriptors(self.box.pid)
        for number, (name, vector) in enumerate(read_group(group)):
            with self.subTest(id=name, note=vector["note"]):
                check(self, self.box.api, vector, self.box.key)
        self.assertGreater(number, 10)
        self.check_nothing_left(at_rest)

    def check_nothing_left(self, at_rest):
        self.assertEqual(self.gpu.counters()["received"], 0, "a node heard of it")
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        wait_until(lambda: descriptors(self.box.pid) <= at_rest + 2, "no connection is left over")
        self.stop_box()
        self.assertEqual(len(self.box.attempts()), 1)

    def test_rule_26_framing_vectors(self):
        self.check_group("framing")

    def test_rule_26_chunk_vectors(self):
        self.check_group("chunks")

    def test_line_vectors(self):
        self.check_group("lines")

    def test_start_line_vectors(self):
        self.check_group("start_line")

    def test_host_vectors(self):
        self.check_group("host")

    def test_connection_vectors(self):
        self.check_group("connection")

    def test_slow_vectors_side_by_side(self):
        at_rest = descriptors(self.box.pid)
        failures = []

        def run(name, vector):
            try:
                check(self, self.box.api, vector, self.box.key)
            except Exception as failure:  # noqa: BLE001: told in the test's own thread
                failures.append((name, vector["note"], failure))
        threads = [threading.Thread(target=run, args=one) for one in read_group("slow")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience(30))
        self.assertEqual(failures, [])
        self.check_nothing_left(at_rest)

    def test_every_id_is_there_once(self):
        ids = [name for group in (*GROUPS, "upstream") for name, _ in read_group(group)]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(len(ids), 350)
        self.stop_box()
