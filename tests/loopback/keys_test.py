"""API keys: made and ended by the command line while the daemon runs; their limits; their secrets."""

import json

from programs import ask
from world import Engine, World, chat, cloud, local


class Keys(World):
    def test_a_key_works_from_its_making_to_its_end(self):
        self.start_box([local(self.engine("gpu"))])
        secret = self.box.add_key("app", "--priority", "high")
        self.assertEqual(chat(self.box.api, secret)[0], 200)
        listed = self.box.command("key", "list").stdout
        self.assertRegex(listed, r"(?m)^\S+ +app +living +high ")
        self.assertNotIn(secret, listed)
        entry = next(k for k in json.loads(self.box.command("key", "list", "--json").stdout)
                     if k["name"] == "app")
        self.assertNotIn(secret, json.dumps(entry))
        self.box.command("key", "revoke", "app")
        self.assertEqual(chat(self.box.api, secret)[0], 401)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.assertRegex(self.box.command("key", "list").stdout, r"(?m)^\S+ +app +revoked ")
        again = self.box.command("key", "revoke", "app", check=False)
        self.assertEqual((again.returncode, again.stdout), (1, ""))
        self.stop_box()

    def test_two_living_keys_cannot_have_one_name(self):
        self.start_box([local(self.engine("gpu"))])
        second = self.box.command("key", "add", "first", check=False)
        self.assertEqual((second.returncode, second.stdout), (1, ""))
        self.assertIn("exists", second.stderr)

    def test_without_the_right_key_nobody_is_served(self):
        gpu = self.engine("gpu")
        self.start_box([local(gpu)])
        for key in (None, "sk-wrong", self.box.key[:-1], self.box.key + "x"):
            status, _, body = chat(self.box.api, key)
            self.assertEqual(status, 401)
            self.assertEqual(json.loads(body)["error"]["code"], "invalid_api_key")
        self.assertEqual(ask(self.box.api, "GET", "/v1/models")[0], 401)
        status, _, _ = chat(self.box.api, None, headers={"x-api-key": self.box.key})
        self.assertEqual(status, 200)
        self.assertEqual(gpu.counters()["received"], 1)
        self.stop_box()

    def test_beyond_its_limit_a_key_is_told_when_to_come_again(self):
        self.start_box([local(self.engine("gpu"))])
        key = self.box.add_key("slow", "--requests-per-minute", "3")
        self.assertEqual([chat(self.box.api, key)[0] for _ in range(3)], [200] * 3)
        status, fields, body = chat(self.box.api, key)
        self.assertEqual(status, 429, body)
        self.assertTrue(1 <= int(fields["Retry-After"]) <= 20, fields["Retry-After"])
        self.assertEqual(json.loads(body)["error"]["type"], "rate_limit_error")
        tokens = self.box.add_key("frugal", "--tokens-per-minute", "100")
        self.assertEqual(chat(self.box.api, tokens, tokens=4)[0], 200)
        self.assertEqual(chat(self.box.api, tokens, tokens=500)[0], 429)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()

    def test_a_key_of_some_models_sees_and_uses_only_those(self):
        gpu = self.engine("gpu")
        other = self.engine("other", model="other")
        self.start_box([local(gpu), local(other, models=[{"name": "other"}])])
        key = self.box.add_key("narrow", "--model", "other")
        models = json.loads(ask(self.box.api, "GET", "/v1/models",
                                headers={"Authorization": f"Bearer {key}"})[2])["data"]
        self.assertEqual([m["id"] for m in models], ["other"])
        self.assertEqual(chat(self.box.api, key, model="other")[0], 200)
        status, _, body = chat(self.box.api, key)
        self.assertIn(status, (403, 404), body)
        self.assertEqual(gpu.counters()["received"], 0)
        self.assertEqual(chat(self.box.api, self.box.key, model="nobody-has-it")[0], 404)
        self.stop_box()

    def test_no_secret_is_written_or_shown_anywhere(self):
        node_secret, token = "cloud-secret-7f3a91", "admin-token-55b0c2"
        (self.folder / "cloud.key").write_text(node_secret + "\n")
        (self.folder / "token").write_text(token + "\n")
        for file in ("cloud.key", "token"):
            (self.folder / file).chmod(0o600)
        far = self.engine("far", (*Engine.QUICK, "--api-key", node_secret))
        self.start_box([cloud(far, credential={"file": str(self.folder / "cloud.key")})],
                       admin={"token_file": str(self.folder / "token")}, log={"level": "debug"})
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        wrong = "sk-typed-wrongly-123456"
        self.assertEqual(chat(self.box.api, wrong)[0], 401)
        far.faults(refuse=1)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 502)
        far.faults(clear=True)
        bearer = {"Authorization": f"Bearer {token}"}
        told = [ask(self.box.page, "GET", path, headers=bearer)[2] for path in
                ("/api/v1/status", "/api/v1/decisions", "/api/v1/keys", "/api/v1/usage",
                 "/api/v1/settings?origin=1", "/")]
        told += [self.box.metrics_text(), self.box.command("status").stdout,
                 self.box.command("print-settings", "--origin").stdout,
                 self.box.command("key", "list", "--json").stdout,
                 self.box.command("key", "revoke", self.box.key, check=False).stderr]
        self.stop_box()
        files = [f for f in self.box.state.rglob("*") if f.is_file()] + [self.box.out, self.box.err]
        told += [f.read_bytes().decode("utf-8", "replace") for f in files]
        self.assertGreater(len(files), 5)
        for secret in (self.box.key, node_secret, token, wrong):
            for text in told:
                self.assertNotIn(secret, text)
