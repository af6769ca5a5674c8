"""Measuring an engine through the running daemon: what is found is what the engine was started with,
clients come first, and what was found is kept."""

import json
import re

from programs import wait_until
from world import World, chat, cloud, local, open_stream, read_to_end

# Slow enough that a busy machine does not blur it, small enough for a test.
BASE_MS, PER_SEQ_MS, PREFILL_TPS, CHUNK = 20, 2.0, 2000, 512
ENGINE = ("--base-ms", BASE_MS, "--per-seq-ms", PER_SEQ_MS, "--prefill-tps", PREFILL_TPS,
          "--chunk-tokens", CHUNK)
SMALL = ("--quick", "--concurrency-max", "8", "--prompt-tokens", "64", "--output-tokens", "40")


class Calibrate(World):
    def state(self):
        return json.loads(self.box.admin_ask("GET", "/api/v1/calibration")[1])

    def test_what_is_found_is_what_the_engine_was_started_with(self):
        gpu = self.engine("gpu", ENGINE)
        self.start_box([local(gpu)])
        done = self.box.command("calibrate", "gpu", "--now", *SMALL)
        self.assertEqual(done.returncode, 0, done.stderr)
        card = self.state()["card"]
        self.assertAlmostEqual(card["base_us"], BASE_MS * 1000, delta=BASE_MS * 100)
        self.assertAlmostEqual(card["per_seq_us"], PER_SEQ_MS * 1000, delta=PER_SEQ_MS * 100)
        self.assertAlmostEqual(card["prefill_us_per_token"], 1e6 / PREFILL_TPS, delta=1e5 / PREFILL_TPS)
        self.assertAlmostEqual(card["chunk_tokens"], CHUNK, delta=CHUNK / 10)
        self.assertFalse(card["chunk_is_at_least"])
        self.assertEqual([level["concurrency"] for level in card["levels"]], [1, 2, 4, 8])
        # In words: 512 tokens take 256 ms, and 100 ms a token are promised.
        self.assertIn("CANNOT BE KEPT", done.stdout)
        advised = int(re.search(r"--max-num-batched-tokens (\d+)", done.stdout).group(1))
        within = (100 - BASE_MS - PER_SEQ_MS * 8) / 1000 * PREFILL_TPS
        self.assertAlmostEqual(advised, within, delta=within / 10)
        self.assertLessEqual(max(len(line) for line in done.stdout.splitlines()), 80)
        kept = json.loads((self.box.state / "cards.json").read_text())
        self.assertEqual(kept["cards"], [card])
        self.stop_box()
        # The next process begins with it: its first decision rests on it.
        self.box.start()
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
        decided = self.box.journals()[-1].read_text().splitlines()[-1]
        believed = float(re.search(r" base_us=(\S+)", decided).group(1))
        self.assertAlmostEqual(believed, card["base_us"], delta=1)
        self.assertIn(f" chunk={card['chunk_tokens']} ", decided)

    def test_outside_the_window_it_is_refused_and_so_are_nodes_that_are_not_ours(self):
        gpu, far = self.engine("gpu", ENGINE), self.engine("far")
        self.start_box([local(gpu), cloud(far)], sense={"calibration_window": "00:00-00:01"})
        refused = self.box.command("calibrate", "gpu", *SMALL, check=False)
        self.assertIn("outside the window 00:00-00:01 UTC", refused.stderr)
        self.assertIn("costs money", self.box.command("calibrate", "far", "--now", check=False).stderr.replace(
            "would cost money", "costs money"))
        self.assertIn('no node "gone"', self.box.command("calibrate", "gone", "--now", check=False).stderr)
        self.assertEqual(gpu.counters()["outcomes"].get("ok", 0), 0)
        self.stop_box()

    def test_a_clients_request_ends_it_at_once(self):
        gpu, far = self.engine("gpu", ENGINE), self.engine("far")
        self.start_box([local(gpu), cloud(far)])
        begun = self.box.admin_ask("POST", "/api/v1/calibration", {"node": "gpu", "now": True})
        self.assertEqual(begun[0], 200, begun)
        wait_until(lambda: "reading" in self.state()["doing"], "it reads", 20)
        self.assertEqual(self.box.admin_ask("POST", "/api/v1/calibration",
                                            {"node": "gpu", "now": True})[0], 503)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        report = self.state()
        wait_until(lambda: self.state()["state"] == "stopped", "it gives way", 5)
        self.assertIn("a client's request came", self.state()["why"], report)
        self.assertFalse((self.box.state / "cards.json").exists())
        self.stop_box()

    def test_while_clients_are_served_it_does_not_begin_and_a_person_may_stop_it(self):
        gpu = self.engine("gpu", ENGINE)
        self.start_box([local(gpu)])
        client, begun = open_stream(self.box.api, self.box.key, tokens=100)
        refused = self.box.command("calibrate", "gpu", "--now", *SMALL, check=False)
        self.assertIn("requests of clients", refused.stderr)
        read_to_end(client)
        client.close()
        wait_until(lambda: self.box.admin_ask("POST", "/api/v1/calibration",
                                              {"node": "gpu", "now": True})[0] == 200,
                   "the engine is seen idle", 10)
        self.assertEqual(self.box.admin_ask("DELETE", "/api/v1/calibration")[0], 200)
        self.assertEqual(self.state()["state"], "stopped")
        self.assertEqual(self.box.admin_ask("DELETE", "/api/v1/calibration")[0], 503)
        self.stop_box()
