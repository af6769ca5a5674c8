"""Looking at the box and changing it: which door opens to what, settings set live, files reloaded."""

import json
import re

from programs import ask, wait_until
from world import World, chat, cloud, local, open_stream, read_to_end

SLOW = ("--base-ms", 20, "--per-seq-ms", 0.05, "--prefill-tps", 0)
COMMANDS = [("GET", "/api/v1/keys"), ("POST", "/api/v1/keys"), ("DELETE", "/api/v1/keys/first"),
            ("GET", "/api/v1/settings"), ("PUT", "/api/v1/settings/valve.overflow"),
            ("DELETE", "/api/v1/settings/valve.overflow"), ("POST", "/api/v1/reload"),
            ("GET", "/api/v1/usage"), ("GET", "/api/v1/calibration"),
            ("POST", "/api/v1/calibration"), ("DELETE", "/api/v1/calibration")]
WORD = re.compile(rb'"content": ?"[^"]')
VIEWS = ["/api/v1/status", "/api/v1/decisions", "/api/v1/events", "/api/v1/shadow"]


class Doors(World):
    def start_with_token(self, **settings):
        (self.folder / "token").write_text("admin-token-1\n")
        self.start_box([local(self.engine("gpu"))],
                       admin={"token_file": str(self.folder / "token")}, **settings)

    def page(self, method, path, body=None, token="admin-token-1", **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return ask(self.box.page, method, path, body, headers)

    def test_commands_and_views_are_not_at_the_address_of_the_api(self):
        self.start_with_token()
        for method, path in COMMANDS + [("GET", path) for path in VIEWS] + [("GET", "/")]:
            for key in (self.box.key, "admin-token-1"):
                status, _, _ = ask(self.box.api, method, path, "{}",
                                   {"Authorization": f"Bearer {key}"})
                self.assertEqual(status, 404, (method, path))
        self.stop_box()

    def test_the_page_shows_freely_and_takes_commands_with_the_token_only(self):
        self.start_with_token()
        self.assertEqual(self.page("GET", "/api/v1/status", token=None)[0], 200)
        for method, path in COMMANDS:
            body = '{"value": "off"}' if method == "PUT" else "{}"
            for token in (None, "wrong", self.box.key):
                self.assertEqual(self.page(method, path, body, token=token)[0], 401, (method, path))
        self.assertEqual(self.page("GET", "/api/v1/settings")[0], 200)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()

    def test_without_a_token_file_the_page_takes_no_commands(self):
        self.start_box([local(self.engine("gpu"))])
        for method, path in COMMANDS:
            self.assertEqual(self.page(method, path, "{}", token="")[0], 403, (method, path))
        self.assertEqual(self.box.admin_ask("GET", "/api/v1/keys")[0], 200)
        self.assertEqual((self.box.state / "admin.sock").stat().st_mode & 0o007, 0)
        self.stop_box()

    def test_the_page_answers_no_foreign_host_and_no_foreign_site(self):
        self.start_with_token()
        for host in ("evil.example", "127.0.0.1.evil.example", "192.168.1.5:8081"):
            self.assertIn(self.page("GET", "/api/v1/status", Host=host)[0], (403, 421), host)
            self.assertIn(self.page("GET", "/", Host=host)[0], (403, 421), host)
        for fields in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
            self.assertEqual(self.page("POST", "/api/v1/reload", **fields)[0], 403, fields)
        self.stop_box()


class LiveSettings(World):
    def origin(self):
        """What is said of the settings, by the command line and by the daemon: the same."""
        printed = self.box.command("print-settings", "--origin").stdout
        self.assertEqual(self.box.admin_ask("GET", "/api/v1/settings?origin=1"), (200, printed))
        return printed

    def test_a_setting_is_changed_live_by_somebody_at_some_time_and_back(self):
        gpu, far = self.engine("gpu"), self.engine("far")
        self.start_box([local(gpu), cloud(far)])
        path = "/api/v1/settings/nodes.gpu.enabled"
        self.assertEqual(chat(self.box.api, self.box.key)[1]["x-sluice-node"], "gpu")
        self.assertEqual(self.box.admin_ask("PUT", path, {"value": False, "author": "ann"})[0], 200)
        self.assertEqual(chat(self.box.api, self.box.key)[1]["x-sluice-node"], "far")
        self.assertEqual(self.box.node("gpu")["state"], "disabled")
        self.assertRegex(self.origin(), r"enabled: false +# overlay by ann at 20\d\d-\d\d-\d\dT")
        self.box.kill()
        self.box.start_again()
        self.assertEqual(self.box.node("gpu")["state"], "disabled")
        self.assertEqual(self.box.admin_ask("DELETE", path + "?author=ben")[0], 200)
        self.assertNotIn("overlay by", self.origin())
        wait_until(lambda: chat(self.box.api, self.box.key)[1]["x-sluice-node"] == "gpu",
                   "the node is used again")
        self.stop_box()

    def test_a_locked_or_wrong_setting_is_refused_and_nothing_changes(self):
        self.start_box([local(self.engine("gpu"))], locked=["access", "valve.overflow"])
        before = self.origin()
        for key, value in (("access.require_key", False), ("valve.overflow", "off"),
                           ("valve.hysteresis_percent", 700), ("valve.no_such", 1),
                           ("sense.scrape_ms", "soon"), ("nodes.gpu.url", "ftp://x")):
            status, body = self.box.admin_ask("PUT", f"/api/v1/settings/{key}", {"value": value})
            self.assertIn(status, (400, 403, 409, 422), (key, body))
            self.assertIn(key.split(".")[-1].split("_")[0], body)
        self.assertEqual(self.origin(), before)
        self.assertEqual(chat(self.box.api, None)[0], 401)
        self.stop_box()

    def test_a_broken_file_keeps_the_old_settings_and_a_good_one_is_taken(self):
        self.start_box([local(self.engine("gpu"))])
        good = self.box.config.read_text()
        before = self.box.admin_ask("GET", "/api/v1/settings")
        for broken in ("nodes: [", good.replace('"local"', '"moon"'), "listen: {api: 12}"):
            self.box.config.write_text(broken)
            self.assertIn("not loaded", self.box.reload())
            self.assertEqual(self.box.admin_ask("GET", "/api/v1/settings"), before)
            self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.box.config.write_text(good)
        self.box.settings["service_levels"] = [{"name": "default", "ttft_ms": 1234}]
        self.box.write_settings()
        self.assertNotIn("not loaded", self.box.reload())
        self.assertIn("1234", self.box.admin_ask("GET", "/api/v1/settings")[1])
        self.stop_box()

    def test_an_open_stream_survives_a_reload_that_takes_its_node_away(self):
        gpu, far = self.engine("gpu", SLOW), self.engine("far", SLOW)
        self.start_box([local(gpu), cloud(far)])
        client, begun = open_stream(self.box.api, self.box.key, tokens=50)
        self.box.settings["nodes"] = self.box.settings["nodes"][1:]
        self.box.write_settings()
        self.assertNotIn("not loaded", self.box.reload())
        self.assertEqual(chat(self.box.api, self.box.key)[1]["x-sluice-node"], "far")
        whole = begun + read_to_end(client)
        self.assertEqual(len(WORD.findall(whole)), 50)
        self.assertIn(b"data: [DONE]", whole)
        self.assertEqual(gpu.counters()["outcomes"], {"ok": 1})
        status = json.loads(self.box.command("status", "--json").stdout)
        self.assertEqual([n["name"] for n in status["nodes"]], ["far"])
        self.stop_box()
