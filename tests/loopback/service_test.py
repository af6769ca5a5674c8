"""As a service: what a service manager is told at NOTIFY_SOCKET, and sockets that it opened before."""

import os
import select
import signal
import socket
import time

import programs
from box import Box
from programs import ask, patience
from world import World, chat, local, open_stream, read_to_end

SLOW = ("--base-ms", 20, "--per-seq-ms", 0, "--prefill-tps", 0)

# Opens a socket for each name, as descriptors 3, 4, ..., writes down where, and becomes the daemon.
ACTIVATION = """#!/usr/bin/env python3
import fcntl, os, socket, sys
names = {names!r}
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
open({told!r}, "w").write("\\n".join("%s:%d" % s.getsockname() for s in sockets))
kept = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 20) for s in sockets]
for number, descriptor in enumerate(kept):
    os.dup2(descriptor, 3 + number, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid() + {off}), LISTEN_FDS=str(len(names)),
                  LISTEN_FDNAMES=":".join(names))
os.closerange(3 + len(names), 64)
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""


class Notified(World):
    def start(self):
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.ear.close)
        self.ear.bind(str(self.folder / "notify"))
        self.ear.settimeout(patience(10))
        self.box = Box(self, [local(self.engine("gpu", SLOW))], {})
        self.box.environment = {**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")}
        self.box.key = self.box.add_key("first")
        self.box.start()
        self.assertEqual(self.told(), self.ready())

    def told(self):
        return dict(line.split("=", 1) for line in self.ear.recv(4096).decode().split("\n"))

    def ready(self):
        return {"READY": "1", "MAINPID": str(self.box.pid)}

    def nothing_told(self):
        self.assertEqual(select.select([self.ear], [], [], 0)[0], [])

    def test_ready_reloading_and_stopping_are_told_in_order(self):
        self.start()
        good = self.box.config.read_text()
        for text, outcome in ((good, "loaded again"), ("no: settings", "not loaded")):
            self.box.config.write_text(text)
            before = time.monotonic()
            self.assertIn(outcome, self.box.reload())
            said = self.told()
            self.assertEqual(set(said), {"RELOADING", "MONOTONIC_USEC"})
            self.assertLess(before * 1e6 - 1, int(said["MONOTONIC_USEC"]))
            self.assertLess(int(said["MONOTONIC_USEC"]), time.monotonic() * 1e6)
            self.assertEqual(self.told(), self.ready())
        self.box.config.write_text(good)
        self.nothing_told()
        self.stop_box()
        self.assertEqual(self.told(), {"STOPPING": "1"})
        self.nothing_told()

    def test_at_an_upgrade_the_new_process_is_told_before_the_old_one_can_end(self):
        self.start()
        client, begun = open_stream(self.box.api, self.box.key, tokens=80)
        old = self.box.upgrade()
        self.assertEqual(self.told(), self.ready())
        old.send_signal(signal.SIGHUP)  # it is no longer the one that is looked at
        self.assertIn(b"data: [DONE]", begun + read_to_end(client))
        client.close()
        self.assertEqual(old.wait(patience(10)), 0)
        self.nothing_told()
        self.stop_box()
        self.assertEqual(self.told(), {"STOPPING": "1"})


class Activated(World):
    def start(self, names, off=0):
        """The addresses of the sockets that the daemon was started with."""
        program = self.folder / "activate"
        told = self.folder / "addresses"
        program.write_text(ACTIVATION.format(names=names, told=str(told), off=off,
                                             program=str(programs.SETUP.build / "sluiced")))
        program.chmod(0o755)
        self.start_box([local(self.engine("gpu", SLOW))], program=program)
        return told.read_text().split("\n")

    def test_sockets_that_listen_already_are_served_and_others_closed(self):
        page, api, other = self.start(["page", "api", "other"])
        self.assertEqual((self.box.page, self.box.api), (page, api))
        self.assertEqual(chat(api, self.box.key)[0], 200)
        with self.assertRaises(ConnectionRefusedError):
            ask(other, "GET", "/healthz")
        old = self.box.upgrade()
        self.assertEqual(old.wait(patience(10)), 0)
        self.assertEqual(chat(api, self.box.key)[0], 200)
        self.assertEqual(len(self.box.status()["nodes"]), 1)
        self.stop_box()

    def test_what_was_meant_for_another_process_is_not_taken(self):
        (api,) = self.start(["api"], off=1)
        self.assertNotEqual(self.box.api, api)
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
