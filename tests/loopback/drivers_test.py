"""The site's own drivers: an engine that nobody here has heard of is added by one file, and its queue
decides; a broken file is named with its line and what was read before stays in force."""

import subprocess

import programs
from programs import patience, wait_until
from raw_engine import MODELS, RawEngine, whole
from world import World, chat, cloud, local

BRANDX = """driver: brandx
kind: engine
for: Brandx, which our second site runs.
scrape:
  pages: [/stats]
fingerprint:
  all_of: [brandx_running, brandx_queued]
fields:
  running:
    - metric: brandx_running
  waiting:
    - metric: brandx_queued
"""
BRANDY = """driver: brandy
kind: engine
for: Brandy, which tells its load in a document only.
models: /v1/models
documents:
  - {name: load, path: /load.json, pace: scrape}
fields:
  running:
    - {document: load, member: "ranks[].busy"}
  waiting:
    - {document: load, member: "ranks[].line"}
  limit:
    - {document: load, member: "ranks[].most"}
"""


class BrandEngine(RawEngine):
    """Answers its pages with what the test wishes; everything else as any engine."""

    def __init__(self, name, pages):
        self.pages = pages
        super().__init__(name)

    def page(self, path):
        if path in self.pages:
            return whole(self.pages[path], "text/plain")
        if path == "/v1/models":
            return whole(MODELS)
        return whole("{}", status="404 Not Found")


def stats(running, queued):
    return f"brandx_running {running}\nbrandx_queued {queued}\n"


class Drivers(World):
    def write(self, name, text, shelf="engines"):
        folder = self.folder / "drivers" / shelf
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return folder / name

    def brand(self, name, pages, place="local"):
        engine = BrandEngine(name, pages)
        self.addCleanup(engine.close)
        return engine, {"name": name, "place": place, "url": engine.url, "engine": name,
                        "models": [{"name": "demo"}]}

    def check_config(self):
        return subprocess.run(
            [programs.SETUP.build / "sluiced", "--config", self.box.config, "check-config"],
            capture_output=True, text=True, timeout=patience(20))

    def served_by(self):
        return chat(self.box.api, self.box.key)[1]["x-sluice-node"]

    def drivers_dir(self):
        return str(self.folder / "drivers")

    def test_an_invented_engine_is_added_by_one_file_and_its_queue_decides(self):
        self.write("brandx.yaml", BRANDX)
        engine, entry = self.brand("brandx", {"/stats": stats(0, 0)})
        self.start_box([entry, cloud(self.engine("far"))], drivers_dir=self.drivers_dir())
        self.assertEqual(self.check_config().returncode, 0)
        wait_until(lambda: self.box.node("brandx")["waiting"] == 0, "its queue is known")
        self.assertEqual(self.served_by(), "brandx")
        engine.pages["/stats"] = stats(400, 70)
        wait_until(lambda: self.box.node("brandx")["waiting"] == 70, "its queue is seen")
        self.assertEqual(self.box.node("brandx")["running"], 400)
        told = self.box.node("brandx")["load"]["waiting"]
        self.assertEqual((told["source"], told["confidence"]), ("brandx_queued", "told"))
        self.assertLess(told["age_ms"], 5000)
        wait_until(lambda: self.served_by() == "far", "a full engine is spared")
        engine.pages["/stats"] = stats(0, 0)
        wait_until(lambda: self.served_by() == "brandx", "an empty engine is used again")
        self.stop_box()

    def test_an_engine_that_tells_its_load_in_a_document_needs_no_page(self):
        self.write("brandy.yaml", BRANDY)
        load = '{"ranks": [{"busy": 3, "line": 1, "most": 8}, {"busy": 4, "line": 2, "most": 8}]}'
        _, entry = self.brand("brandy", {"/load.json": load})
        self.start_box([entry], drivers_dir=self.drivers_dir())
        wait_until(lambda: self.box.node("brandy")["waiting"] == 3, "both ranks add up")
        self.assertEqual(self.box.node("brandy")["running"], 7)
        limit = self.box.node("brandy")["load"]["limit"]
        self.assertEqual((limit["value"], limit["source"]), (16, "/load.json ranks[].most"))
        self.stop_box()

    def test_a_file_takes_the_place_of_the_driver_of_its_name_at_a_reload(self):
        pages = {"/health": "", "/metrics": "vllm:num_requests_waiting 5\nours 9\n"}
        _, entry = self.brand("vllm", pages)
        self.start_box([entry], drivers_dir=self.drivers_dir())
        wait_until(lambda: self.box.node("vllm")["waiting"] == 5, "the built-in driver reads it")
        self.write("vllm.yaml", BRANDX.replace("brandx_queued", "ours").replace("brandx", "vllm")
                   .replace("/stats", "/metrics"))
        self.assertNotIn("not loaded", self.box.reload())
        wait_until(lambda: self.box.node("vllm")["waiting"] == 9, "the site's driver reads it")
        self.stop_box()

    def test_a_broken_file_is_named_with_its_line_and_what_was_read_before_stays(self):
        self.write("brandx.yaml", BRANDX)
        engine, entry = self.brand("brandx", {"/stats": stats(1, 2)})
        self.start_box([entry], drivers_dir=self.drivers_dir())
        wait_until(lambda: self.box.node("brandx")["waiting"] == 2, "its queue is known")
        file = self.write("brandx.yaml", BRANDX.replace("running:\n    - metric",
                                                        "running:\n    - metrics"))
        said = self.box.reload()
        self.assertIn("not loaded", said)
        self.assertIn(f"{file}:10", said)
        self.assertIn("unknown key 'metrics'; known are metric,", said)
        checked = self.check_config()
        self.assertEqual(checked.returncode, 1)
        self.assertIn(f"{file}:10", checked.stderr)
        engine.pages["/stats"] = stats(1, 6)
        wait_until(lambda: self.box.node("brandx")["waiting"] == 6, "the old driver goes on")
        self.write("brandx.yaml", BRANDX)
        self.write("card.yaml", BRANDX.replace("brandx", "card"), "accelerators")
        self.assertIn("move the file to engines", self.box.reload())
        (self.folder / "drivers" / "accelerators" / "card.yaml").unlink()
        self.assertNotIn("not loaded", self.box.reload())
        self.stop_box()

    def test_a_wrong_file_at_the_start_is_left_out_and_the_box_serves(self):
        file = self.write("vllm.yaml", "driver: vllm\nkind: engine\n")
        _, entry = self.brand("vllm", {"/health": "", "/metrics": "vllm:num_requests_waiting 5\n"})
        self.start_box([entry], drivers_dir=self.drivers_dir())
        wait_until(lambda: self.box.node("vllm")["waiting"] == 5, "the built-in driver serves")
        self.assertIn(f"{file}:1: no 'for'", self.box.log())
        self.stop_box()
        self.assertEqual(self.check_config().returncode, 1)

    def test_a_metric_that_was_renamed_is_missed_in_words(self):
        gpu = self.engine("gpu")
        self.start_box([local(gpu)])
        wait_until(lambda: self.box.node("gpu")["kv_usage"] is not None, "its cache is told")
        self.assertNotIn("lost", self.box.node("gpu"))
        self.assertEqual(self.told("kv_usage"), 1)
        gpu.faults(rename="vllm:kv_cache_usage_perc/vllm:kv_fill")
        wait_until(lambda: "lost" in self.box.node("gpu"), "it is missed")
        lost, = self.box.node("gpu")["lost"]
        self.assertEqual((lost["field"], lost["name"]), ("kv_usage", "vllm:kv_cache_usage_perc"))
        self.assertLess(lost["gone_ms"], 20000)
        self.assertEqual(self.told("kv_usage"), 0)
        self.assertEqual(self.told("running"), 1)
        self.assertIn("vllm answers, but vllm:kv_cache_usage_perc (kv_usage) is gone since ",
                      self.box.command("status").stdout)
        self.assertEqual(self.box.log().count("vllm:kv_cache_usage_perc is gone"), 1)
        gpu.faults(rename="")
        wait_until(lambda: "lost" not in self.box.node("gpu"), "it is told again")
        self.assertIn("kv_usage is told again", self.box.log())
        self.stop_box()

    def told(self, field):
        return next(value for labels, value in self.box.metrics()["sluice_node_field_told"]
                    if labels == {"node": "gpu", "field": field})

    def test_metrics_that_stand_elsewhere_are_read_there_without_the_key(self):
        key = self.folder / "node.key"
        key.write_text("sk-node\n")
        key.chmod(0o600)
        engine, entry = self.brand("brandx", {})
        apart, _ = self.brand("apart", {"/elsewhere": stats(2, 8)})
        seen = []
        answer = apart.read

        def read(reader):
            asked = answer(reader)
            if asked:
                seen.append(asked)
            return asked
        apart.read = read
        self.write("brandx.yaml", BRANDX)
        self.start_box([{**entry, "metrics_url": apart.url + "/elsewhere",
                         "credential": {"file": str(key)}}], drivers_dir=self.drivers_dir())
        wait_until(lambda: self.box.node("brandx")["waiting"] == 8, "the page elsewhere is read")
        self.assertTrue(seen)
        self.assertEqual({asked.line.split(" ")[1] for asked in seen}, {"/elsewhere"})
        self.assertEqual({asked.field("authorization") for asked in seen}, {None})
        self.stop_box()
