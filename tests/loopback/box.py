"""The daemon and what a person or a script asks of it: command line, API, admin socket, page,
metrics, ledger, journals."""

import http.client
import ctypes
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import time

import programs
from programs import Program, ask, ask_on, patience, wait_until

READY = re.compile(r"^sluiced ready api=(\S+) tls=(\S+) page=(\S+) admin=(\S+)$")
UPGRADED = re.compile(r"^process (\d+) serves; ")
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

SETTINGS = {
    "listen": {"api": "127.0.0.1:0", "tls": "off", "page": "127.0.0.1:0"},
    "sense": {"scrape_ms": 100, "scrape_timeout_ms": 80, "lease_ms": 300, "probe_ms": 300,
              "learn_ms": 50, "window_ms": 2000},
    "breaker": {"failures": 5, "open_ms": 300, "slow_start_ms": 500},
}


def merged(base, more):
    result = dict(base)
    for key, value in more.items():
        inside = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if inside else value
    return result


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=patience(20))
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Successor:
    """A process that sluiced started. It becomes a child of ours when its parent ends."""

    def __init__(self, pid):
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)

    def poll(self):
        """Whether it has ended; then its exit code, if it was a child of ours by then."""
        return None if not select.select([self.descriptor], [], [], 0)[0] else self.code(0)

    def wait(self, timeout):
        if not select.select([self.descriptor], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("sluiced", timeout)
        return self.code(1)

    def code(self, seconds):
        end = time.monotonic() + seconds
        while True:  # it may have ended before its parent, which is ending
            try:
                return os.waitstatus_to_exitcode(os.waitpid(self.pid, os.WNOHANG)[1])
            except ChildProcessError:
                if time.monotonic() > end:
                    return 0
                time.sleep(0.01)

    def send_signal(self, number):
        signal.pidfd_send_signal(self.descriptor, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Box(Program):
    """sluiced in the folder of a world. Settings are written as YAML's JSON."""

    def __init__(self, world, nodes, settings, name="box", program=None):
        self.folder = world.folder
        self.state = world.folder / "state"
        self.config = world.folder / "sluice.yaml"
        self.api = self.tls = self.page = self.admin = None
        self.key = None
        self.older = []  # processes that were upgraded
        self.settings = merged(SETTINGS, {"state_dir": str(self.state), "nodes": nodes})
        self.settings = merged(self.settings, settings)
        self.write_settings()
        super().__init__(world.folder, name,
                         [program or programs.SETUP.build / "sluiced", "--config", self.config,
                          "serve"])
        world.programs.append(self)

    def write_settings(self):
        self.config.write_text(json.dumps(self.settings, indent=1))

    def start(self):
        super().start()
        found = READY.match(self.first_line(20))
        assert found, self.out.read_text()
        self.api, self.tls, self.page, self.admin = found.groups()
        return self

    def upgrade(self):
        """An upgrade in place; afterwards `process` is the new one. Returns the old."""
        said = self.command("upgrade").stdout
        found = UPGRADED.match(said)
        assert found, said
        return self.succeed(int(found.group(1)))

    def succeed(self, pid):
        old = self.process
        self.older.append(old)
        self.process = Successor(pid)
        return old

    def kill(self):
        for process in [self.process, *self.older]:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGKILL)
                process.wait(10)

    def keep_addresses(self):
        """Whoever reads the settings from now on listens where this one does."""
        self.settings["listen"] = {"api": self.api, "tls": self.tls, "page": self.page}
        self.write_settings()

    def start_again(self):
        """On the same API port, as a restarted service."""
        self.keep_addresses()
        return self.start()

    def command(self, *arguments, check=True):
        done = subprocess.run([programs.SETUP.build / "sluiced", "--config", self.config,
                               *map(str, arguments)], capture_output=True, text=True,
                              timeout=patience(30))
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def add_key(self, name, *options):
        return self.command("key", "add", name, *options).stdout.strip()

    def status(self):
        return json.loads(ask(self.page, "GET", "/api/v1/status")[2])

    def node(self, name):
        return next(n for n in self.status()["nodes"] if n["name"] == name)

    def wait_node(self, name, *states, seconds=15):
        wait_until(lambda: self.node(name)["state"] in states, f"{name} is {states}", seconds)

    def admin_ask(self, method, path, body=None):
        """(status, body) over the admin socket."""
        connection = UnixConnection(self.admin)
        try:
            status, _, text = ask_on(connection, method, path, body)
            return status, text
        finally:
            connection.close()

    def metrics_text(self):
        return ask(self.api, "GET", "/metrics")[2]

    def metrics(self):
        """name -> list of (labels, value)"""
        families = {}
        for line in self.metrics_text().splitlines():
            if line.startswith("#") or not line:
                continue
            name, labels, value = SAMPLE.match(line).groups()
            families.setdefault(name, []).append((dict(LABEL.findall(labels or "")), float(value)))
        return families

    def total(self, name, **labels):
        return sum(value for own, value in self.metrics().get(name, [])
                   if all(own.get(k) == v for k, v in labels.items()))

    def wait_stored(self):
        wait_until(lambda: self.total("sluice_ledger_unstored_rows") == 0, "the ledger is written")

    def wait_quiet(self):
        """Nothing is in flight and nobody waits."""
        def quiet():
            status = self.status()
            return (status["queue"]["length"] == 0
                    and all(n["in_flight"] == 0 for n in status["nodes"]))
        wait_until(quiet, "no request is open")

    def attempts(self, where="1=1"):
        """Rows of the ledger."""
        ledger = sqlite3.connect(f"file:{self.state}/ledger.db?mode=ro", uri=True)
        try:
            ledger.row_factory = sqlite3.Row
            return [dict(r) for r in ledger.execute(
                f"SELECT * FROM attempts WHERE {where} ORDER BY at_us, number")]
        finally:
            ledger.close()

    def reload(self):
        """SIGHUP, and the log line that says how it went."""
        before = self.err.stat().st_size
        self.signal(signal.SIGHUP)

        def outcome():
            with open(self.err, "rb") as log:
                log.seek(before)
                text = log.read().decode()
            lines = [x for x in text.splitlines() if "loaded" in x and "settings" in x]
            return lines[-1] if lines else None
        return wait_until(outcome, "the settings are read again")

    def journals(self):
        return sorted((self.state / "decisions").glob("*.journal"))

    def decisions_made(self):
        newest = json.loads(ask(self.page, "GET", "/api/v1/decisions?n=1")[2])["decisions"]
        return newest[0]["id"] if newest else 0
