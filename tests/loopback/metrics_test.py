"""/metrics in the text format of Prometheus, by promtool where it is installed, and by its rules."""

import math
import re
import shutil
import subprocess
from collections import defaultdict

from box import LABEL, SAMPLE
from world import World, cloud, local

GEN_AI = ("gen_ai_client_token_usage", "gen_ai_server_request_duration_seconds",
          "gen_ai_server_time_to_first_token_seconds",
          "gen_ai_server_time_per_output_token_seconds")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Metrics(World):
    def test_the_page_follows_the_format_and_its_sums_are_right(self):
        gpu, far = self.engine("gpu"), self.engine("far")
        quoted = 'de"mo\\x'
        self.start_box([local(gpu, limits={"concurrency": 2},
                              models=[{"name": "demo", "aliases": [quoted]}]), cloud(far)])
        report = self.load(concurrency=8, requests=120, mix=True, max_tokens=6).report()
        self.assertEqual(report["outcomes"], {"ok": 120})
        aliased = self.load("aliased", requests=3, max_tokens=2, model=quoted).report()
        self.assertEqual(aliased["outcomes"], {"ok": 3})
        self.box.wait_quiet()
        text = self.box.metrics_text()
        self.check_with_promtool(text)
        families = self.read(text)
        for name in GEN_AI:
            self.assertEqual(families[name]["type"], "histogram", name)
            self.assertTrue(families[name]["samples"], name)
        self.check_histograms(families)
        self.assertEqual(self.box.total("sluice_attempts_total", outcome="served"), 123)
        self.assertEqual(self.box.total("sluice_attempts_total", model=quoted.replace("\\", "\\\\")
                                        .replace('"', '\\"'), outcome="served"), 3)
        self.assertEqual(self.box.total("sluice_tokens_total", type="output"), 726)
        self.assertEqual(self.box.total("gen_ai_client_token_usage_sum",
                                        gen_ai_token_type="output"), 726)
        self.assertEqual(self.box.total("sluice_node_up"), 2)
        self.assertEqual(self.box.total("sluice_node_in_flight"), 0)
        self.assertGreater(self.box.total("sluice_cost_total", node="far"), 0)
        self.assertEqual(self.box.total("sluice_cost_total", node="gpu"), 0)
        self.stop_box()

    def check_with_promtool(self, text):
        promtool = shutil.which("promtool")
        if promtool is None:
            return
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True,
                              text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def read(self, text):
        """Families in their order; each line, name and label has its form and stands once."""
        self.assertTrue(text.endswith("\n"))
        families, now, seen = {}, None, set()
        for line in text.splitlines():
            if line.startswith("# HELP "):
                now = line.split(" ", 3)[2]
                self.assertNotIn(now, families, "a family stands in one piece")
                families[now] = {"type": None, "samples": [], "help": line.split(" ", 3)[3]}
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertEqual(name, now)
                families[now]["type"] = kind
            else:
                found = SAMPLE.match(line)
                self.assertTrue(found, line)
                name, labels, value = found.groups()
                self.assertIn(name, [now + s for s in SUFFIXES[families[now]["type"]]])
                rest = LABEL.sub("", labels or "").strip(",")
                self.assertEqual(rest, "", line)
                pairs = LABEL.findall(labels or "")
                self.assertFalse({n for n, _ in pairs if n.startswith("__")})
                key = (name, tuple(sorted(pairs)))
                self.assertNotIn(key, seen, "a sample stands once")
                seen.add(key)
                self.assertFalse(math.isnan(float(value)))
                families[now]["samples"].append((name, dict(pairs), float(value)))
        for name, family in families.items():
            self.assertTrue(re.match(r"^[a-z][a-z0-9_]*$", name))
            if family["type"] == "counter":
                self.assertTrue(name.endswith("_total"), name)
        return families

    def check_histograms(self, families):
        for name, family in families.items():
            if family["type"] != "histogram":
                continue
            buckets, sums = defaultdict(list), {}
            for sample, labels, value in family["samples"]:
                key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
                if sample.endswith("_bucket"):
                    buckets[key].append((float(labels["le"]), value))
                else:
                    sums[key, sample[len(name):]] = value
            for key, own in buckets.items():
                self.assertEqual(own, sorted(own), (name, key))
                self.assertEqual([n for _, n in own], sorted(n for _, n in own))
                self.assertEqual(own[-1], (math.inf, sums[key, "_count"]))
                self.assertGreaterEqual(sums[key, "_sum"], 0)
