"""Accelerators: what exporters and this machine tell, in plain units with source and age; what is
lost, absent, frozen or hanging is said, and never holds the box up. NVML is the stand-in of the
testbed behind the daemon's own loader; the exporters serve sample pages."""

import os
import time
from pathlib import Path

import programs
from exporter import Exporter
from programs import wait_until
from world import World, chat, local

DRIVERS = Path(__file__).resolve().parent.parent.parent / "drivers" / "accelerators"
GIB = 1 << 30
MIB = 1 << 20
GPU = "GPU-5e0b7c1d-0000-4a11-9d11-00000000000"
FIGURES = ("busy", "memory_used_bytes", "memory_total_bytes", "power_w", "temperature_c", "health")


class Accelerators(World):
    def setUp(self):
        super().setUp()
        self.word = self.folder / "nvml-word"
        self.say("two")
        os.environ["NVML_STAND_IN_FILE"] = str(self.word)
        self.addCleanup(os.environ.pop, "NVML_STAND_IN_FILE", None)

    def say(self, word):
        """How the stand-in of NVML behaves from now on. Replaced whole: it may be read just now."""
        beside = self.word.with_suffix(".new")
        beside.write_text(word + "\n")
        beside.rename(self.word)

    def exporter(self, sample):
        exporter = Exporter(sample)
        self.addCleanup(exporter.stop)
        return exporter

    def start(self, host="auto", library="nvml_stand_in.so", exporters=(), nodes=(), **settings):
        if os.sep not in library:
            library = str(programs.SETUP.build / library)
        accelerators = {"host": host, "scrape_ms": 250, "nvml_library": library,
                        "exporters": [{"name": n, "url": e.url, "scrape_ms": 250}
                                      for n, e in exporters]}
        return self.start_box(list(nodes), accelerators=accelerators, **settings)

    def source(self, name):
        return next((s for s in self.box.status()["accelerators"] if s["source"] == name), None)

    def wait_source(self, name, state):
        def reached():
            source = self.source(name)
            return source if source and source["state"] == state else None
        return wait_until(reached, f"{name} is {state}", 20)

    def series(self, name, **labels):
        found = [value for own, value in self.box.metrics().get(name, [])
                 if all(own.get(k) == v for k, v in labels.items())]
        self.assertLessEqual(len(found), 1)
        return found[0] if found else None

    def set_host(self, word):
        status, body = self.box.admin_ask("PUT", "/api/v1/settings/accelerators.host",
                                          {"value": word})
        self.assertEqual(status, 200, body)

    def values(self, device):
        return {name: device[name]["value"] for name in FIGURES}

    def test_what_exporters_and_this_machine_tell_is_shown_in_plain_units(self):
        dcgm, ascend = self.exporter("nvidia-dcgm-exporter.prom"), self.exporter("ascend-npu-exporter.prom")
        self.start(exporters=[("rack-1", dcgm), ("rack-2", ascend)])
        host = self.wait_source("host nvml", "answers")
        self.assertEqual([d["id"] for d in host["devices"]], [GPU + "1", GPU + "2"])
        self.assertEqual(self.values(host["devices"][0]), {
            "busy": 0.97, "memory_used_bytes": 72 * GIB, "memory_total_bytes": 80 * GIB,
            "power_w": 598.412, "temperature_c": 61, "health": 1})
        busy = host["devices"][0]["busy"]
        self.assertEqual((busy["source"], busy["confidence"]), ("nvmlDeviceGetUtilizationRates", "told"))
        self.assertLess(busy["age_ms"], 5000)

        rack = self.wait_source("rack-1", "answers")
        self.assertEqual(rack["driver"], "nvidia-dcgm")
        self.assertEqual(len(rack["devices"]), 2)
        first = self.values(rack["devices"][0])
        self.assertAlmostEqual(first["busy"], 0.982311, 6)
        self.assertEqual(first["memory_used_bytes"], 73748 * MIB)
        self.assertEqual(first["memory_total_bytes"], (73748 + 7321 + 490) * MIB)
        self.assertEqual((first["power_w"], first["temperature_c"]), (598.412, 61))
        self.assertIsNone(first["health"])
        self.assertEqual(rack["devices"][0]["health"]["confidence"], "absent")
        self.assertTrue(rack["devices"][0]["health"]["source"])

        npus = self.wait_source("rack-2", "answers")
        self.assertEqual(npus["driver"], "ascend")
        self.assertEqual(self.values(npus["devices"][1]), {
            "busy": 0.91, "memory_used_bytes": 55210 * MIB, "memory_total_bytes": 65536 * MIB,
            "power_w": 331.7, "temperature_c": 63, "health": 1})

        self.assertEqual(self.series("sluice_accelerator_busy_ratio", source="host nvml",
                                     accelerator=GPU + "1"), 0.97)
        self.assertEqual(self.series("sluice_accelerator_memory_used_bytes", source="rack-2",
                                     accelerator=npus["devices"][1]["id"]), 55210 * MIB)
        self.assertEqual(self.series("sluice_accelerator_info", source="rack-1", vendor="nvidia",
                                     model="NVIDIA H100 80GB HBM3", accelerator=GPU + "2"), 1)
        self.assertIsNone(self.series("sluice_accelerator_health", source="rack-1",
                                      accelerator=GPU + "1"))
        self.assertEqual(self.series("sluice_accelerator_health", source="host nvml",
                                     accelerator=GPU + "1"), 1)
        self.assertLess(self.series("sluice_accelerator_age_seconds", source="rack-1",
                                    accelerator=GPU + "1"), 60)
        self.assertEqual(self.series("sluice_accelerator_source_up", source="rack-1",
                                     driver="nvidia-dcgm"), 1)
        self.assertEqual((dcgm.open_most, ascend.open_most), (1, 1))
        self.stop_box()

    def hasty_driver(self):
        """A site's own file in the place of the program's: the same names, a faster origin."""
        text = (DRIVERS / "nvidia-dcgm.yaml").read_text()
        for now, wanted in (("every_s_min: 5", "every_s_min: 1"), ("refresh_s: 30", "refresh_s: 1"),
                            ("stale_after_s: 60", "stale_after_s: 2")):
            self.assertIn(now, text)
            text = text.replace(now, wanted)
        folder = self.folder / "drivers"
        (folder / "accelerators").mkdir(parents=True)
        (folder / "accelerators" / "nvidia-dcgm.yaml").write_text(text)
        return str(folder)

    def test_an_exporter_that_dies_is_silent_and_goes_stale_and_comes_back(self):
        exporter = self.exporter("nvidia-dcgm-exporter.prom")
        self.start(host="off", exporters=[("rack", exporter)], drivers_dir=self.hasty_driver())
        self.wait_source("rack", "answers")
        exporter.stop()
        rack = self.wait_source("rack", "silent")
        self.assertTrue(rack["why"])
        self.assertEqual(self.series("sluice_accelerator_source_up", source="rack"), 0)
        device = rack["devices"][0]
        self.assertEqual(device["temperature_c"]["value"], 61)
        self.assertGreater(device["temperature_c"]["age_ms"], 500)
        stale = wait_until(lambda: next((d for d in self.source("rack")["devices"]
                                         if d["temperature_c"]["confidence"] == "stale"), None),
                           "its figures are stale")
        self.assertEqual(stale["temperature_c"]["value"], 61)
        self.assertGreaterEqual(stale["temperature_c"]["age_ms"], 2000)
        self.assertIsNone(self.series("sluice_accelerator_temperature_celsius", source="rack",
                                      accelerator=GPU + "1"))
        self.assertGreater(self.series("sluice_accelerator_age_seconds", accelerator=GPU + "1"), 2)
        self.assertIn("accelerators of rack: silent", self.box.log())
        exporter.start()
        rack = wait_until(lambda: self.source("rack")["state"] == "answers" and self.source("rack"),
                          "it is back", 60)
        self.assertEqual(rack["devices"][0]["temperature_c"]["confidence"], "told")
        self.assertEqual(self.series("sluice_accelerator_source_up", source="rack"), 1)

    def test_a_lost_device_is_said_in_words_and_its_neighbour_is_told_as_before(self):
        self.start()
        self.wait_source("host nvml", "answers")
        self.say("lost")
        lost = wait_until(lambda: next((d for d in self.source("host nvml")["devices"]
                                        if d["health"]["value"] == 0), None), "it is lost")
        self.assertEqual(lost["id"], GPU + "2")
        self.assertIn("fallen off the bus", lost["trouble"])
        self.assertIsNone(lost["busy"]["value"])
        self.assertIn("fallen off the bus", lost["busy"]["source"])
        self.assertEqual(self.source("host nvml")["devices"][0]["busy"]["value"], 0.97)
        self.assertEqual(self.series("sluice_accelerator_health", accelerator=GPU + "2"), 0)
        self.assertIsNone(self.series("sluice_accelerator_busy_ratio", accelerator=GPU + "2"))
        self.assertIn(f"accelerator {GPU}2 (NVIDIA H100 80GB HBM3) of host nvml is not well",
                      self.box.log())
        self.say("two")
        wait_until(lambda: all(d["health"]["value"] == 1
                               for d in self.source("host nvml")["devices"]), "it is back", 40)

    def test_a_driver_that_goes_away_leaves_stale_figures_without_series(self):
        self.start()
        self.wait_source("host nvml", "answers")
        self.say("gone")
        gone = self.wait_source("host nvml", "driver_not_running")
        self.assertIn("the driver is not loaded (code 9)", gone["why"])
        wait_until(lambda: self.source("host nvml")["devices"][0]["busy"]["confidence"] == "stale",
                   "its figures are stale")
        self.assertEqual(self.source("host nvml")["devices"][0]["busy"]["value"], 0.97)
        self.assertIsNone(self.series("sluice_accelerator_busy_ratio", accelerator=GPU + "1"))
        self.assertGreater(self.series("sluice_accelerator_age_seconds", accelerator=GPU + "1"), 0.7)
        self.say("two")
        self.wait_source("host nvml", "answers")

    def test_a_driver_that_hangs_holds_up_neither_requests_nor_the_end(self):
        engine = self.engine("gpu")
        self.start(nodes=[local(engine)])
        self.wait_source("host nvml", "answers")
        self.box.wait_node("gpu", "up")
        self.say("hang")
        hung = self.wait_source("host nvml", "silent")
        self.assertIn("hangs", hung["why"])
        for _ in range(20):
            began = time.monotonic()
            self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
            self.assertLess(time.monotonic() - began, programs.patience(5))
        self.box.wait_quiet()
        self.box.wait_stored()
        self.assertEqual(len(self.box.attempts()), 20)
        self.stop_box()
        self.say("two")

    def test_without_nvidia_auto_shows_nothing_and_on_says_why(self):
        self.start(library="/nonexistent/libnvidia-ml.so.1", log={"level": "debug"})
        said = wait_until(lambda: next((x for x in self.box.log().splitlines()
                                        if "accelerators of host nvml: no_library" in x), None),
                          "the first look was made")
        self.assertIn(" debug ", said)
        self.assertIsNone(self.source("host nvml"))
        self.set_host("on")
        told = self.wait_source("host nvml", "no_library")
        self.assertIn("/nonexistent/libnvidia-ml.so.1", told["why"])
        self.set_host("auto")
        wait_until(lambda: self.source("host nvml") is None, "auto says nothing of what is not there")

    def test_a_library_that_is_too_old_names_what_it_lacks(self):
        self.start(library="nvml_stand_in_old.so")
        old = self.wait_source("host nvml", "library_too_old")
        self.assertIn("nvmlDeviceGetHandleByIndex_v2", old["why"])
        self.assertEqual(old["devices"], [])

    def test_settings_change_sources_without_disturbing_the_others(self):
        first, second = self.exporter("nvidia-dcgm-exporter.prom"), self.exporter("cambricon-mlu-exporter.prom")
        self.start(host="off", exporters=[("rack-1", first)])
        self.wait_source("rack-1", "answers")
        asked = first.asked
        self.box.settings["accelerators"]["exporters"].append({"name": "rack-2", "url": second.url})
        self.box.write_settings()
        self.assertIn("loaded again", self.box.reload())
        self.assertEqual(self.wait_source("rack-2", "answers")["driver"], "cambricon")
        self.assertEqual(self.source("rack-1")["state"], "answers")
        self.assertEqual(first.asked, asked, "the first one was asked out of turn")
        self.box.settings["accelerators"]["exporters"][1]["driver"] = "no-such"
        self.box.write_settings()
        self.assertIn("no-such", self.box.reload())
        self.assertEqual(self.box.command("check-config", check=False).returncode, 1)
        self.assertEqual(self.source("rack-2")["driver"], "cambricon")
