"""Playing a load before it comes: without a daemon by flags, with one on what it has measured and on
its own journals; errors say which line and what to do."""

import json

from world import World, chat, cloud, local

BASE_MS, PER_SEQ_MS, PREFILL_TPS, CHUNK = 20, 1.0, 2000, 128
ENGINE = ("--base-ms", BASE_MS, "--per-seq-ms", PER_SEQ_MS, "--prefill-tps", PREFILL_TPS,
          "--chunk-tokens", CHUNK)
FLAGS = ("--base-ms", "20", "--per-seq-ms", "0.2", "--per-kv-us", "0.04", "--prefill-us", "400",
         "--chunk", "192")
HEAD = "t_s,client,input_tokens,output_tokens\n"


class Rehearse(World):
    def trace(self, lines, name="trace.csv"):
        path = self.folder / name
        path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
        return str(path)

    def burst(self):
        return self.trace(f"{i // 4 * 0.8:.1f},{i % 3},{600 + i % 5 * 100},80" for i in range(400))

    def rehearse(self, *arguments, code=0):
        done = self.box.command("rehearse", *arguments, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_by_flags_neither_settings_nor_a_daemon_are_needed(self):
        self.start_box([local(self.engine("gpu"))])
        self.stop_box()
        self.box.config.unlink()
        report = json.loads(self.rehearse("--trace", self.burst(), *FLAGS, "--rho", "1.2",
                                          "--json").stdout)
        self.assertEqual(report["requests"], 400)
        self.assertAlmostEqual(report["rho"], 1.2, places=2)
        by_name = {one["policy"]: one for one in report["policies"]}
        self.assertEqual(len(by_name), 13)
        self.assertEqual(by_name["cloud-only"]["kept"], 1)
        self.assertAlmostEqual(by_name["cloud-only"]["cost_of_all_cloud"], 1)
        self.assertLess(by_name["local-only"]["kept"], by_name["balanced"]["kept"])
        self.assertLess(by_name["balanced"]["cost_of_all_cloud"], 0.7)
        text = self.rehearse("--trace", self.burst(), *FLAGS, "--policy", "balanced", "--policy",
                             "static-threshold=16").stdout
        self.assertIn("static-threshold=16", text)
        self.assertNotIn("round-robin", text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()[-4:]), 96)

    def test_a_bad_line_is_told_with_its_number_and_what_belongs_there(self):
        self.start_box([local(self.engine("gpu"))])
        bad = self.rehearse("--trace", self.trace(["1,2,3,4", "1,2,x,4"]), *FLAGS, code=1)
        self.assertIn('line 3: "1,2,x,4" is not seconds, a client\'s number, prompt tokens', bad.stderr)
        self.assertIn("nothing is known of the engine",
                      self.rehearse("--trace", self.burst(), code=1).stderr)
        self.assertIn("choose among cost", self.rehearse("--trace", self.burst(), *FLAGS, "--policy",
                                                         "best", code=1).stderr)
        self.assertIn("no request in the trace",
                      self.rehearse("--trace", self.trace([]), *FLAGS, code=1).stderr)
        self.assertIn("needs --base-ms, --prefill-us and --chunk",
                      self.rehearse("--trace", self.burst(), "--base-ms", "3", code=1).stderr)
        self.stop_box()

    def test_the_sites_engine_is_what_was_measured_and_its_journals_are_a_trace(self):
        gpu, far = self.engine("gpu", ENGINE), self.engine("far")
        self.start_box([local(gpu), cloud(far)])
        self.box.command("calibrate", "gpu", "--now", "--quick", "--concurrency-max", "4",
                         "--prompt-tokens", "64", "--output-tokens", "40")
        for _ in range(5):
            self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        report = json.loads(self.rehearse("--trace", self.burst(), "--policy", "balanced",
                                          "--json").stdout)
        self.assertRegex(report["notes"][0], r"^gpu: a step takes (19|20|21|22)\.\d\d ms")
        self.stop_box()
        # Without the daemon: from the card, and the ledger knows the answers of the journal.
        journal = str(next((self.box.state / "decisions").glob("*.journal")))
        report = json.loads(self.rehearse("--trace", journal, "--policy", "local-only",
                                          "--json").stdout)
        self.assertIn("(from its calibration)", report["notes"][0])
        self.assertIn("of 5 answers the ledger knows the length of 5", report["notes"][1])
        self.assertEqual(report["requests"], 5)
        self.assertEqual(report["policies"][0]["cloud_share"], 0)
