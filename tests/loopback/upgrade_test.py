"""An upgrade in place: a new process takes over, no stream breaks, nobody is refused, and every
attempt is counted once, whoever is killed meanwhile."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections import Counter

import programs
from box import Successor
from programs import Program, ask, ask_on, patience, wait_until
from world import World, chat, cloud, local, open_stream, read_to_end

SLOW = ("--base-ms", 20, "--per-seq-ms", 0.05, "--prefill-tps", 0)
MIDDLING = ("--base-ms", 5, "--per-seq-ms", 0.02, "--prefill-tps", 0)


class Knocker:
    """Connects again and again, each time with a short request: nobody may be refused."""

    def __init__(self, box):
        self.box = box
        self.outcomes = Counter()
        self.going = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.going:
            try:
                self.outcomes[ask(self.box.api, "GET", "/healthz")[0]] += 1
            except OSError as error:
                self.outcomes[type(error).__name__] += 1
            time.sleep(0.002)

    def end(self):
        self.going = False
        self.thread.join()
        return self.outcomes


class Upgrade(World):
    def books_agree(self, engines, extra=0):
        """The ledger has each attempt that an engine saw, once. Both processes' rows are there."""
        self.box.wait_stored()

        def whole():
            rows = self.box.attempts()
            received = sum(e.counters()["received"] for e in engines)
            return rows if len(rows) == received + extra else None
        return wait_until(whole, "the ledger has what the engines saw", 10)

    def test_streams_before_during_and_after_all_end_whole_and_nobody_is_refused(self):
        gpu, far = self.engine("gpu", MIDDLING), self.engine("far", MIDDLING)
        self.start_box([local(gpu), cloud(far)])
        load = self.load("steady", concurrency=40, requests=1600, max_tokens=40, mix=True,
                         keep_alive=True, usage="mix")
        fresh = self.load("fresh", concurrency=10, requests=400, max_tokens=40, stream=True)
        knocker = Knocker(self.box)
        wait_until(lambda: gpu.counters()["completed"] > 100, "load is served")
        client, begun = open_stream(self.box.api, self.box.key, tokens=400)
        old = self.box.upgrade()
        second = self.box.upgrade()  # while the first still drains
        self.assertIsNone(old.poll())
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        client.close()
        for report in (load.report(), fresh.report()):
            self.assertEqual(set(report["outcomes"]), {"ok"}, report["outcomes"])
        outcomes = knocker.end()
        self.assertEqual(set(outcomes), {200}, outcomes)
        self.assertEqual(old.wait(patience(20)), 0)
        self.assertEqual(second.wait(patience(20)), 0)
        rows = self.books_agree([gpu, far])
        self.assertEqual(len(rows), 2001)
        self.assertEqual({r["outcome"] for r in rows}, {"served"})
        self.stop_box()
        self.assertEqual(len(self.box.attempts()), 2001)
        self.assertEqual(list((self.box.state / "attempts").iterdir()), [])

    def test_an_idle_connection_is_still_answered_and_then_closed_well(self):
        self.start_box([local(self.engine("gpu"))])
        host, port = self.box.api.split(":")
        used, late = (http.client.HTTPConnection(host, int(port), timeout=patience(10))
                      for _ in range(2))
        for connection in (used, late):
            self.assertEqual(ask_on(connection, "GET", "/healthz")[0], 200)
        old = self.box.upgrade()
        status, fields, _ = ask_on(used, "GET", "/v1/models", None,
                                   {"Authorization": f"Bearer {self.box.key}"})
        self.assertEqual((status, fields["connection"]), (200, "close"))
        self.assertEqual(late.sock.recv(10), b"")  # an end, no reset
        used.close()
        late.close()
        self.assertEqual(old.wait(patience(10)), 0)
        self.stop_box()

    def test_keys_and_overlay_made_after_it_hold_and_revoked_keys_do_not(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)])
        client, begun = open_stream(self.box.api, self.box.key, tokens=150)
        before = self.box.add_key("before")
        old = self.box.upgrade()
        after = self.box.add_key("after")
        self.box.command("key", "revoke", "before")
        self.box.admin_ask("PUT", "/api/v1/settings/valve.attempts_max", {"value": 5})
        self.assertEqual(chat(self.box.api, after)[0], 200)
        self.assertEqual(chat(self.box.api, before)[0], 401)
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        client.close()
        self.assertEqual(old.wait(patience(10)), 0)
        self.assertIn("attempts_max: 5 ", self.box.command("print-settings", "--origin").stdout)
        self.box.upgrade()
        self.assertEqual(chat(self.box.api, after)[0], 200)
        self.assertIn("attempts_max: 5", self.box.admin_ask("GET", "/api/v1/settings")[1])
        self.assertEqual(len(self.books_agree([gpu])), 3)
        self.stop_box()

    def refused_upgrade(self, why):
        done = self.box.command("upgrade", check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(why, done.stderr)
        self.assertTrue(self.box.running())
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)

    def test_a_bad_settings_file_leaves_the_old_one_serving(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)])
        client, begun = open_stream(self.box.api, self.box.key, tokens=60)
        good = self.box.config.read_text()
        self.box.config.write_text(good.replace('"local"', '"moon"'))
        self.refused_upgrade("moon")
        said = self.box.command("upgrade", check=False).stderr
        self.assertIn("no upgrade: ", said)
        self.assertIn("serves on unchanged", said)
        status, body = self.box.admin_ask("POST", "/api/v1/upgrade")
        self.assertEqual(status // 100, 5, body)
        self.assertIn("moon", body)
        taken = socket.create_server(("127.0.0.1", 0))
        self.box.config.write_text(good.replace(
            '"page": "127.0.0.1:0"', f'"page": "127.0.0.1:{taken.getsockname()[1]}"'))
        self.refused_upgrade("in use")
        taken.close()
        self.box.config.write_text(good)
        self.assertEqual(self.box.admin_ask("GET", "/api/v1/status")[0], 200)
        self.box.upgrade()
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        self.books_agree([gpu])
        self.stop_box()

    def test_a_new_program_that_crashes_or_is_none_leaves_the_old_one_serving(self):
        program = self.folder / "sluiced"
        shutil.copy(programs.SETUP.build / "sluiced", program)
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)], program=program)
        client, begun = open_stream(self.box.api, self.box.key, tokens=60)
        for text, why in (("#!/bin/sh\nkill -SEGV $$\n", "signal 11"),
                          ("#!/bin/sh\nexit 3\n", "exit code 3"),
                          ("#!/bin/sh\necho nonsense >&3\nsleep 60\n", "nonsense")):
            (self.folder / "new").write_text(text)
            (self.folder / "new").chmod(0o755)
            (self.folder / "new").rename(program)
            self.refused_upgrade(why)
        program.unlink()
        self.refused_upgrade("cannot start")
        shutil.copy(programs.SETUP.build / "sluiced", program)
        old = self.box.upgrade()
        self.assertEqual(os.readlink(f"/proc/{self.box.pid}/exe"), str(program))
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        self.assertEqual(old.wait(patience(10)), 0)
        self.books_agree([gpu])
        self.stop_box()

    def test_an_address_that_changed_is_opened_anew_and_the_others_are_kept(self):
        self.start_box([local(self.engine("gpu"))])
        spare = socket.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{spare.getsockname()[1]}"
        spare.close()
        self.box.settings["listen"]["page"] = address
        self.box.write_settings()
        old_page = self.box.page
        old = self.box.upgrade()
        self.box.page = address
        self.assertEqual(self.box.status()["health"] if "health" in self.box.status() else "", "")
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.assertEqual(old.wait(patience(10)), 0)
        with self.assertRaises(OSError):
            ask(old_page, "GET", "/api/v1/status")
        self.stop_box()
        self.assertFalse(os.path.exists(self.box.admin))

    def test_sigusr2_upgrades_and_the_old_one_ends_within_its_bound(self):
        gpu = self.engine("gpu", SLOW)
        self.start_box([local(gpu)], limits={"upgrade_drain_ms_max": 2000})
        client, begun = open_stream(self.box.api, self.box.key, tokens=5000)
        old = self.box.process
        self.box.signal(signal.SIGUSR2)
        pid = wait_until(lambda: self.found_in_log("process ", " serves"), "the new one serves")
        self.box.succeed(int(pid))
        self.assertEqual(old.wait(patience(10)), 0)
        self.assertNotIn(b"[DONE]", begun + read_to_end(client))
        client.close()
        wait_until(lambda: gpu.counters()["open"] == 0, "what was cut off is cancelled")
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.assertEqual(len(self.books_agree([gpu])), 2)
        self.stop_box()

    def found_in_log(self, before, after):
        for line in self.box.log().splitlines():
            if before in line and line.endswith(after):
                return line.split(before)[-1].removesuffix(after)
        return None

    def check_sigterm_while_the_new_one_hangs(self, script):
        program = self.folder / "sluiced"
        shutil.copy(programs.SETUP.build / "sluiced", program)
        self.start_box([local(self.engine("gpu", SLOW))], program=program)
        client, begun = open_stream(self.box.api, self.box.key, tokens=60)
        (self.folder / "new").write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / "new").chmod(0o755)
        (self.folder / "new").rename(program)
        asking = Program(self.folder, "asking", [programs.SETUP.build / "sluiced", "--config",
                                                 self.box.config, "upgrade"])
        self.programs.append(asking.start())
        hanging = Successor(int(wait_until(self.begun_process, "the new process is begun")))
        wait_until(lambda: self.command_of(hanging.pid) == "sleep", "it hangs")
        self.stop_box()
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        client.close()
        hanging.wait(patience(5))
        self.assertEqual(asking.wait(10), 1)
        self.assertIn("asked to stop", asking.log())
        with self.assertRaises(ConnectionRefusedError):  # nobody listens, nobody holds the folder
            ask(self.box.api, "GET", "/healthz")
        program.unlink()
        shutil.copy(programs.SETUP.build / "sluiced", program)
        self.box.start_again()
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()

    def test_sigterm_while_the_new_one_hangs_ends_both(self):
        self.check_sigterm_while_the_new_one_hangs("exec sleep 600")

    def test_sigterm_while_the_new_one_hangs_and_is_deaf_ends_both(self):
        self.check_sigterm_while_the_new_one_hangs("trap '' TERM; exec sleep 600")

    @staticmethod
    def command_of(pid):
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()

    def begun_process(self):
        for line in self.box.log().splitlines():
            if "started as process " in line:
                return line.rsplit(" ", 1)[1]
        return None

    def test_sigterm_while_draining_ends_each_in_its_time(self):
        self.start_box([local(self.engine("gpu", SLOW))])
        client, begun = open_stream(self.box.api, self.box.key, tokens=100)
        old = self.box.upgrade()
        old.send_signal(signal.SIGTERM)
        self.stop_box()
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        self.assertEqual(old.wait(patience(10)), 0)
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"])


class Killed(World):
    """kill -9 of either process, at any moment."""

    def start(self, tokens):
        self.gpu = self.engine("gpu", SLOW)
        self.start_box([local(self.gpu)])
        self.done = [chat(self.box.api, self.box.key)[0] for _ in range(3)]
        self.client, self.begun = open_stream(self.box.api, self.box.key, tokens=tokens)

    def outcomes(self):
        return Counter(r["outcome"] for r in self.box.attempts())

    def test_the_old_one_is_killed_while_it_drains(self):
        self.start(tokens=3000)
        old = self.box.upgrade()
        short, begun = open_stream(self.box.api, self.box.key, tokens=100)
        old.kill()
        old.wait(10)
        wait_until(lambda: self.outcomes()["interrupted"] == 1, "its attempt is found")
        self.assertIn(b"data: [DONE]", begun + read_to_end(short))
        short.close()
        self.client.close()
        self.box.wait_stored()
        self.assertEqual(self.outcomes(), {"served": 4, "interrupted": 1})
        self.stop_box()

    def test_the_new_one_is_killed_while_the_old_one_drains(self):
        self.start(tokens=250)
        old = self.box.upgrade()
        cut, _ = open_stream(self.box.api, self.box.key, tokens=3000)
        self.box.process.kill()
        self.box.keep_addresses()
        self.succeeded_again()
        self.assertIsNone(old.poll())
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.assertIn(b"data: [DONE]", self.begun + read_to_end(self.client))
        cut.close()
        self.client.close()
        self.assertEqual(old.wait(patience(10)), 0)
        self.box.wait_stored()
        wait_until(lambda: sum(self.outcomes().values()) == 6, "all is in the ledger")
        self.assertEqual(self.outcomes(), {"served": 5, "interrupted": 1})
        self.stop_box()

    def handover_with_kill(self, victim, seconds):
        self.start(tokens=100)
        box, old = self.box, self.box.process
        box.signal(signal.SIGUSR2)
        new = box.succeed(int(wait_until(self.pid_in_log, "the new process is begun")))
        self.assertIs(new, old)
        time.sleep(seconds)  # the moment that is tested, not a wait
        if victim == "old":
            old.kill()
            old.wait()
            wait_until(self.answers, "the new one serves on")
            wait_until(lambda: self.outcomes()["interrupted"] == 1, "its attempt is found")
        else:
            box.process.kill()
            box.keep_addresses()
            wait_until(lambda: "serves on" in box.log() or "handed over" in box.log(),
                       "the old one hears of it")
            if "handed over" not in box.log():
                self.assertIn(b"data: [DONE]", self.begun + read_to_end(self.client))
            if "handed over" in box.log():
                self.succeeded_again()
                self.assertIn(b"data: [DONE]", self.begun + read_to_end(self.client))
                self.assertEqual(old.wait(patience(10)), 0)
            else:
                box.older.remove(old)
                box.process = old
            wait_until(self.answers, "the box serves")
            wait_until(lambda: self.outcomes() == {"served": 5}, "all is counted")
        self.client.close()
        self.stop_box()
        self.assertEqual(sum(self.outcomes().values()), 5)
        self.assertEqual(list((box.state / "attempts").glob("*.journal")), [])

    def succeeded_again(self):
        """The draining process has started another for the one that was killed."""
        def again():
            found = re.findall(r"was started again, as process (\d+)", self.box.log())
            return int(found[-1]) if found else None
        self.box.older.append(self.box.process)
        self.box.process = Successor(wait_until(again, "it is started again"))

        def open_again():
            try:
                return ask(self.box.api, "GET", "/healthz")[0] == 200
            except OSError:
                return False
        wait_until(open_again, "the box is there again, while the old one still drains")

    def answers(self):
        try:
            return chat(self.box.api, self.box.key)[0] == 200
        except OSError:
            return False

    def pid_in_log(self):
        for line in self.box.log().splitlines():
            if "started as process " in line:
                return line.rsplit(" ", 1)[1]
        return None


def kill_test(victim, milliseconds):
    def test(self):
        self.handover_with_kill(victim, milliseconds / 1000)
    return test


for _victim in ("old", "new"):
    for _milliseconds in (0, 4, 8, 12, 20):
        setattr(Killed, f"test_the_{_victim}_one_is_killed_{_milliseconds}_ms_into_the_handover",
                kill_test(_victim, _milliseconds))


class ManyStreams(World):
    """A small one of streams_nightly.py, which runs at night."""

    def test_500_streams_end_whole_over_reloads_and_an_upgrade(self):
        import streams
        streams.check(self, streams=500, reloads=2, upgrades=1, seconds=6)
