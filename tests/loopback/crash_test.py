"""The daemon is killed, or its disk is full: what was promised before still holds after."""

import json
import os
import signal
import subprocess
import unittest
from collections import Counter

from programs import ask, wait_until
from world import World, chat, cloud, local, open_stream, read_to_end

SLOW = ("--base-ms", 20, "--per-seq-ms", 0.05, "--prefill-tps", 0)
MIDDLING = ("--base-ms", 4, "--per-seq-ms", 0.02, "--prefill-tps", 0)


class Crash(World):
    def journals(self):
        return {f.name for f in (self.box.state / "attempts").glob("*.journal")}

    def kill_and_start_again(self):
        self.box.kill()
        left = self.journals()
        self.box.start_again()
        wait_until(lambda: not left & self.journals(), "what the killed one left is in the ledger")
        self.box.wait_stored()

    def test_what_was_open_when_it_was_killed_is_in_the_ledger_once(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)])
        self.assertEqual([chat(self.box.api, self.box.key)[0] for _ in range(5)], [200] * 5)
        streams = [open_stream(self.box.api, self.box.key, tokens=2000)[0] for _ in range(8)]
        for _ in range(3):  # and stays so, however often it is killed
            self.kill_and_start_again()
            outcomes = Counter(r["outcome"] for r in self.box.attempts())
            self.assertEqual(outcomes, {"served": 5, "interrupted": 8})
        for stream in streams:
            stream.close()
        wait_until(lambda: gpu.counters()["open"] == 0, "the engine's requests are cancelled")
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200, "the key is forgotten")
        self.stop_box()
        self.assertEqual(len(self.box.attempts()), 14)
        left = sorted(f.name for f in (self.box.state / "attempts").iterdir())
        self.assertLessEqual(len(left), 1, f"journals that nobody needs are kept: {left}")

    def test_killed_under_load_again_and_again_no_attempt_is_lost_or_doubled(self):
        gpu, far = self.engine("gpu", MIDDLING), self.engine("far", MIDDLING)
        self.start_box([local(gpu, limits={"concurrency": 10}), cloud(far)])
        served = 0
        for number in range(4):
            before = gpu.counters()["completed"]
            load = self.load(f"round-{number}", concurrency=30, requests=400, max_tokens=20,
                             mix=True)
            wait_until(lambda: gpu.counters()["completed"] > before + 40, "load is served")
            self.kill_and_start_again()
            served += load.report()["outcomes"].get("ok", 0)
        self.box.wait_quiet()
        self.box.wait_stored()
        rows = self.box.attempts()
        outcomes = Counter(r["outcome"] for r in rows)
        received = gpu.counters()["received"] + far.counters()["received"]
        # Noted before it is sent: a kill in between leaves a row that no engine has seen.
        self.assertGreaterEqual(len(rows), received)
        self.assertLessEqual(len(rows) - received, 4 * 30)
        self.assertGreaterEqual(outcomes["served"], served)
        self.assertTrue(0 < outcomes["interrupted"] <= 4 * 30, outcomes)
        numbers = Counter((r["request"], r["number"]) for r in rows)
        self.assertEqual(max(numbers.values()), 1)
        self.stop_box()
        replay = self.box.command("replay", "--quiet", *self.box.journals())
        self.assertIn(" 0 lines unreadable", replay.stdout)

    def test_keys_and_overlay_survive_a_kill_right_after_they_were_made(self):
        self.start_box([local(self.engine("gpu"))])
        for number in range(5):
            key = self.box.add_key(f"key-{number}")
            self.box.admin_ask("PUT", "/api/v1/settings/valve.attempts_max",
                               {"value": number + 1, "author": "ann"})
            self.kill_and_start_again()
            self.assertEqual(chat(self.box.api, key)[0], 200)
            self.assertIn(f"attempts_max: {number + 1} ",
                          self.box.command("print-settings", "--origin").stdout)
        self.stop_box()

    def test_a_second_daemon_on_the_same_folder_is_refused(self):
        self.start_box([local(self.engine("gpu"))])
        second = self.box.command("serve", check=False)
        self.assertEqual((second.returncode, second.stdout), (1, ""))
        self.assertIn("another sluiced", second.stderr)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()

    def test_asked_to_end_it_lets_an_open_stream_end_first(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)])
        client, begun = open_stream(self.box.api, self.box.key, tokens=60)
        self.box.signal(signal.SIGTERM)

        def closed():
            try:
                ask(self.box.api, "GET", "/healthz")
            except OSError:
                return True
            return False
        wait_until(closed, "it takes no new connections", 2)
        self.assertTrue(self.box.running())
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        self.assertEqual(self.box.wait(5), 0)
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"])

    def test_asked_twice_to_end_it_ends_at_once_and_counts_what_was_open(self):
        self.start_box([local(self.engine("gpu", SLOW))])
        client, _ = open_stream(self.box.api, self.box.key, tokens=5000)
        self.box.signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in self.box.log(), "it is stopping")
        self.box.signal(signal.SIGTERM)
        self.assertEqual(self.box.wait(5), 0)
        client.close()
        self.assertEqual(len(self.box.attempts()), 1)


class FullDisk(World):
    def setUp(self):
        super().setUp()
        self.disk = self.folder / "state"
        self.disk.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", self.disk],
            capture_output=True).returncode == 0
        if not mounted:
            raise unittest.SkipTest("a small file system cannot be mounted: this needs root")
        # Lazily: it goes when the last program that has a file there has ended.
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)

    def fill(self):
        with open(self.disk / "ballast", "wb", buffering=0) as ballast:
            try:
                for size in (65536, 512, 1):
                    while True:
                        try:
                            ballast.write(b"x" * size)
                        except OSError:
                            break
            finally:
                os.fsync(ballast.fileno())

    def health(self):
        return json.loads(ask(self.box.page, "GET", "/api/v1/status")[2]).get("health", "")

    def test_requests_are_served_while_the_disk_is_full_and_counted_when_there_is_space(self):
        gpu = self.engine("gpu")
        self.start_box([local(gpu)])
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.box.wait_stored()
        self.assertEqual(self.health(), "")
        self.fill()
        report = self.load(concurrency=10, requests=1000, mix=True, max_tokens=5).report()
        self.assertEqual(report["outcomes"], {"ok": 1000})
        wait_until(lambda: self.health() != "", "the status tells of it")
        self.assertGreater(self.box.total("sluice_ledger_unstored_rows"), 0)
        self.assertRegex(self.health(), r"(?i)space|disk|full|write|store")
        (self.disk / "ballast").unlink()
        self.box.wait_stored()  # without another request
        wait_until(lambda: self.health() == "", "it is well again")
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
        self.assertEqual(len(self.box.attempts("outcome = 'served'")), 1002)
        self.assertEqual(gpu.counters()["completed"], 1002)
