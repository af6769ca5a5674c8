"""The daemon and the stand-ins as processes of their own, and what they say over HTTP."""

import http.client
import json
import os
import re
import resource
import socket
import subprocess
import time

START_S = 10
STOP_S = 10


class Failure(Exception):
    """What ends the demo, in words for people."""


class Processes:
    """Starts programs and ends exactly these, last one first."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, command, ready):
        """The match of `ready` in the program's first line."""
        with open(self.folder / f"{name}.err", "wb") as errors:
            process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=errors, text=True)
        self.running.append(process)
        line = process.stdout.readline()
        found = re.search(ready, line)
        if not found:
            words = (self.folder / f"{name}.err").read_text()[-2000:]
            raise Failure(f"{name} did not start: {line.strip()}\n{words.strip()}")
        return found

    def dead(self):
        return [process for process in self.running if process.poll() is not None]

    def ticks(self):
        """Processor time of these programs and of those that already ended, in clock ticks."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        sum_ = (ended.ru_utime + ended.ru_stime) * os.sysconf("SC_CLK_TCK")
        for process in self.running:
            with open(f"/proc/{process.pid}/stat") as stat:
                sum_ += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
        return sum_

    def stop(self):
        while self.running:
            process = self.running.pop()
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


class Others:
    """How busy other programs keep the processors, from its making on."""

    def __init__(self, processes):
        self.processes = processes
        self.before = self.read()

    def read(self):
        with open("/proc/stat") as stat:
            # user nice system idle iowait irq softirq steal
            ticks = list(map(int, stat.readline().split()[1:9]))
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4], self.processes.ticks()

    def percent(self):
        all_, busy, own = (now - then for now, then in zip(self.read(), self.before))
        return max(0, 100 * (busy - own) / max(1, all_))


class LocalSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=START_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Box:
    """A running daemon, through its local socket."""

    def __init__(self, admin_socket):
        self.admin_socket = admin_socket

    def ask(self, method, path, body=None):
        connection = LocalSocket(self.admin_socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise Failure(f"the box answered {answer.status} to {method} {path}: {text}")
        return json.loads(text)

    def set(self, key, value):
        self.ask("PUT", f"/api/v1/settings/{key}", {"value": value, "author": "demo"})

    def status(self):
        return self.ask("GET", "/api/v1/status")

    def usage(self):
        """Node -> (requests, cost in the box's currency), from the ledger."""
        rows = self.ask("GET", "/api/v1/usage?by=node&format=json")["usage"]
        return {row["node"]: (row["attempts"], row["cost_nano"] / 1e9) for row in rows}

    def wait_until_up(self, nodes):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            up = [node for node in self.status()["nodes"] if node["state"] == "up"]
            if len(up) == nodes:
                return
            time.sleep(0.05)
        raise Failure("not all nodes came up: " + json.dumps(self.status()["nodes"]))


def fetch(url, path):
    """The body at http://host:port/path; None if there is none."""
    place = url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=START_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return body.decode(errors="replace") if answer.status == 200 else None
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{url} does not answer: {error}") from error
    finally:
        connection.close()
