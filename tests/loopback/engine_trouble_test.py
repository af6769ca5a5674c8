"""Clients that leave, engines that close, die, hang and come back."""

import signal
import threading
import time

from programs import patience, wait_until
from world import World, chat, cloud, local, open_stream

SLOW = ("--base-ms", 20, "--per-seq-ms", 0.05, "--prefill-tps", 0)
QUICK_TO_NOTICE = {"valve": {"first_byte_ms_max": 1000}, "limits": {"stream_idle_ms_max": 1000,
                                                                    "connect_ms_max": 500}}


class EngineTrouble(World):
    def test_a_client_that_leaves_cancels_its_request_at_the_engine_at_once(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)])
        for number in range(1, 6):
            client, _ = open_stream(self.box.api, self.box.key, tokens=1000)
            self.assertEqual(gpu.counters()["open"], 1)
            client.close()
            wait_until(lambda: gpu.counters()["aborted_by_client"] == number,
                       "the engine's request is cancelled", 0.1)
        self.box.wait_quiet()
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["client_gone"] * 5)

    def test_connections_that_an_engine_has_closed_cost_no_request(self):
        gpu = self.engine("gpu")
        self.start_box([local(gpu)])
        for _ in range(60):
            self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
            gpu.faults(drop=True)  # resets what rests; its own connection comes after
        self.assertEqual(gpu.counters()["completed"], 60)
        self.stop_box()
        self.assertEqual(len(self.box.attempts("outcome = 'served'")), 60)

    def test_a_killed_engine_is_left_alone_and_carries_load_again_when_it_is_back(self):
        gpu, far = self.engine("gpu", SLOW), self.engine("far", SLOW)
        self.start_box([local(gpu), cloud(far)], **QUICK_TO_NOTICE)
        load = self.load(concurrency=16, duration=8, max_tokens=10, mix=True)
        wait_until(lambda: gpu.counters()["completed"] > 30, "the local engine carries the load")
        gpu.kill()
        self.box.wait_node("gpu", "down")
        over_there = far.counters()["completed"]
        wait_until(lambda: far.counters()["completed"] > over_there + 30, "the cloud takes over")
        seen = set()
        gpu.start_again()

        def back():
            seen.add(self.box.node("gpu")["state"])
            return self.box.node("gpu")["state"] == "up" and gpu.counters()["completed"] > 30
        wait_until(back, "the local engine carries load again")
        self.assertTrue(seen & {"slow_start", "probing"}, seen)
        report = load.report()
        lost = report["requests"] - report["outcomes"]["ok"]
        self.assertLessEqual(lost, 16, report["outcomes"])  # what had begun when it was killed
        self.assertLessEqual(set(report["outcomes"]), {"ok", "error_event", "cut", "http_502"})
        self.box.wait_quiet()
        self.stop_box()

    def test_the_cloud_takes_over_from_an_engine_that_hangs_until_it_wakes(self):
        gpu, far = self.engine("gpu", SLOW), self.engine("far", SLOW)
        self.start_box([local(gpu), cloud(far)], **QUICK_TO_NOTICE)
        self.assertEqual(chat(self.box.api, self.box.key)[1]["x-sluice-node"], "gpu")
        gpu.signal(signal.SIGSTOP)
        began = time.monotonic()
        status, fields, _ = chat(self.box.api, self.box.key)
        self.assertEqual((status, fields["x-sluice-node"]), (200, "far"))
        self.assertLess(time.monotonic() - began, patience(3))
        report = self.load("meanwhile", concurrency=10, requests=100, max_tokens=5).report()
        self.assertEqual(report["outcomes"], {"ok": 100})
        self.box.wait_node("gpu", "down")
        gpu.signal(signal.SIGCONT)
        self.box.wait_node("gpu", "up")
        before = gpu.counters()["completed"]
        report = self.load("after", concurrency=4, requests=40, max_tokens=5).report()
        self.assertEqual(report["outcomes"], {"ok": 40})
        self.assertGreater(gpu.counters()["completed"], before + 20)
        self.stop_box()

    def test_streams_of_an_engine_that_hangs_end_with_an_error_and_not_as_whole(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)], **QUICK_TO_NOTICE)
        client, begun = open_stream(self.box.api, self.box.key, tokens=500)
        gpu.signal(signal.SIGSTOP)
        received = begun
        while piece := client.recv(65536):
            received += piece
        self.assertIn(b'"error"', received)
        self.assertNotIn(b"[DONE]", received)
        self.assertFalse(received.endswith(b"0\r\n\r\n"), "it looks whole")
        gpu.signal(signal.SIGCONT)
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["timed_out"])

    def test_idle_connections_to_an_engine_that_restarts_do_not_fail_the_next_requests(self):
        gpu = self.engine("gpu")
        self.start_box([local(gpu)])
        answers = []

        def many():
            answers.append(chat(self.box.api, self.box.key)[0])
        for _ in range(3):
            together = [threading.Thread(target=many) for _ in range(8)]
            for thread in together:
                thread.start()
            for thread in together:
                thread.join()
            gpu.kill()
            gpu.start_again()
            wait_until(lambda: self.box.node("gpu")["state"] in ("up", "slow_start"), "it is back")
        self.assertEqual(answers, [200] * 24)
        self.stop_box()
