"""A second rule decides along on live traffic: it is counted and told, and it changes nothing."""

import json

from programs import wait_until
from world import World, chat, cloud, local


class Shadow(World):
    def shown(self):
        return json.loads(self.box.admin_ask("GET", "/api/v1/shadow")[1])

    def test_what_a_second_rule_would_have_done_is_told_and_not_done(self):
        gpu, far = self.engine("gpu"), self.engine("far")
        self.start_box([local(gpu), cloud(far)], valve={"shadow": "cloud-only"})
        for _ in range(5):
            self.assertEqual(chat(self.box.api, self.box.key)[1]["x-sluice-node"], "gpu")
        wait_until(lambda: self.shown()["decisions"] == 5, "all are compared", 5)
        shown = self.shown()
        self.assertEqual((shown["name"], shown["to_cloud"], shown["differ"]), ("cloud-only", 5, 5))
        self.assertEqual((shown["first"]["cloud"], shown["second"]["cloud"]), (0, 5))
        self.assertGreater(shown["second"]["cost"], shown["first"]["cost"])
        self.assertEqual(far.counters()["outcomes"].get("ok", 0), 0)
        words = self.box.command("shadow").stdout
        self.assertIn("shadow cloud-only: 5 of 5 decisions (100.0 %) would be others", words)
        self.assertLessEqual(max(len(line) for line in words.splitlines()), 80, words)
        self.assertIn("shadow cloud-only: 5 of 5", self.box.command("status").stdout)
        self.stop_box()

    def test_it_is_off_at_first_and_is_changed_live(self):
        gpu, far = self.engine("gpu"), self.engine("far")
        self.start_box([local(gpu), cloud(far)])
        self.assertEqual(self.shown(), {"on": False})
        self.assertNotIn("shadow", self.box.command("status").stdout)
        self.assertIn("valve.shadow", self.box.command("shadow").stdout)
        path = "/api/v1/settings/valve.shadow"
        self.assertEqual(self.box.admin_ask("PUT", path, {"value": "nobody"})[0], 400)
        self.assertEqual(self.box.admin_ask("PUT", path, {"value": "green"})[0], 200)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        wait_until(lambda: self.shown()["decisions"] == 1, "it is compared", 5)
        self.assertEqual(self.shown()["differ"], 0)
        self.assertEqual(self.box.admin_ask("DELETE", path)[0], 200)
        self.assertEqual(self.shown(), {"on": False})
        self.stop_box()
