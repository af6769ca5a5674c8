"""Data that may not leave the site does not, whatever happens to the local engine."""

import json
import threading
import time

from programs import patience, wait_until
from world import World, chat, cloud, local

HOLD = {"queue": {"wait_ms_max": 20000}, "valve": {"first_byte_ms_max": 800, "attempts_max": 3},
        "limits": {"stream_idle_ms_max": 1000}}


class HomeOnly(World):
    def start_home(self, **settings):
        self.gpu = self.engine("gpu")
        self.clouds = [self.engine("cloud-a"), self.engine("cloud-b")]
        self.start_box([local(self.gpu), *map(cloud, self.clouds)], **{**HOLD, **settings})
        self.home = self.box.add_key("patients", "--data-class", "home-only", "--deadline-ms", 2000)

    def check_nothing_left(self):
        for engine in self.clouds:
            self.assertEqual(engine.counters()["received"], 0)
        self.stop_box()
        self.assertEqual({r["place"] for r in self.box.attempts()} - {"local"}, set())
        for journal in self.box.journals():
            self.assertNotIn("how high is the water", journal.read_text())

    def test_while_the_engine_is_off_the_client_is_told_within_its_deadline(self):
        self.start_home(breaker={"open_ms": 60000})  # nobody is sent to see whether it is back
        self.gpu.kill()
        for _ in range(3):
            began = time.monotonic()
            status, fields, body = chat(self.box.api, self.home)
            self.assertLess(time.monotonic() - began, patience(2.5))
            self.assertIn(status, (502, 503, 504), body)
            error = json.loads(body)["error"]
            self.assertTrue(error["message"] and error["type"] and error["code"], body)
            self.box.wait_node("gpu", "down")
        self.assertIn("may not leave", error["message"])
        self.check_nothing_left()

    def test_a_faulty_engine_never_makes_a_request_leave(self):
        self.start_home()
        self.gpu.faults(refuse=0.2, reset=0.1, hang=0.05, status503=0.2, status500=0.2,
                        malformed=0.1, retry_after_s=0)
        report = self.load(key=self.home, concurrency=20, requests=80, mix=True, max_tokens=8,
                           timeout=30).report()
        self.assertEqual(report["requests"], 80)
        self.assertEqual(set(report["nodes"]), {"gpu"})
        self.assertNotIn("timeout", report["outcomes"])
        self.box.wait_quiet()
        self.check_nothing_left()

    def test_the_header_of_a_request_keeps_it_home_with_any_key(self):
        self.start_home()
        self.gpu.kill()
        status, _, _ = chat(self.box.api, self.box.key,
                            headers={"x-sluice-data-class": "home-only",
                                     "x-sluice-deadline-ms": "700"})
        self.assertIn(status, (502, 503, 504))
        self.check_nothing_left()

    def test_a_header_cannot_loosen_the_class_of_a_key(self):
        self.start_home()
        self.gpu.kill()
        status, _, _ = chat(self.box.api, self.home, headers={"x-sluice-data-class": "open"})
        self.assertIn(status, (502, 503, 504))
        self.check_nothing_left()

    def test_an_engine_that_comes_back_serves_those_who_waited(self):
        self.start_home(breaker={"open_ms": 2000})
        patient = self.box.add_key("ward", "--data-class", "home-only", "--deadline-ms", 20000)
        self.gpu.kill()
        self.box.wait_node("gpu", "down")
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(chat(self.box.api, patient)))
                   for _ in range(10)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: self.box.status()["queue"]["length"] == 10, "ten are held")
        self.gpu.start_again()
        for thread in waiting:
            thread.join(patience(20))
        self.assertEqual([a[0] for a in answers], [200] * 10)
        self.assertEqual(self.gpu.counters()["completed"], 10)
        self.check_nothing_left()

    def test_other_keys_go_to_the_cloud_meanwhile(self):
        self.start_home()
        self.gpu.kill()
        self.box.wait_node("gpu", "down")
        status, fields, _ = chat(self.box.api, self.box.key)
        self.assertEqual(status, 200)
        self.assertIn(fields["x-sluice-node"], ("cloud-a", "cloud-b"))
        self.assertEqual(sum(e.counters()["received"] for e in self.clouds), 1)
        self.stop_box()
