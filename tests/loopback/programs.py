"""Child processes with their output in files, waiting for what they do, and HTTP requests."""

import http.client
import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Setup:
    build: Path
    sanitized: bool = False
    keep: bool = False


SETUP = None  # run.py says
SANITIZER_WORDS = ("AddressSanitizer", "LeakSanitizer", "runtime error:")


def patience(seconds):
    """How long to wait for what takes so long in a build without sanitizers."""
    return seconds * (4 if SETUP.sanitized else 1)


def wait_until(condition, what, seconds=10.0):
    """Returns what `condition` returned, once it is true."""
    end = time.monotonic() + patience(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience(seconds):.1f} s: {what}")
        time.sleep(0.01)


def ask(address, method, path, body=None, headers=None, timeout=30):
    """(status, fields, body) of one request on a connection of its own."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=patience(timeout))
    try:
        return ask_on(connection, method, path, body, headers)
    finally:
        connection.close()


def ask_on(connection, method, path, body=None, headers=None):
    text = json.dumps(body) if isinstance(body, (dict, list)) else body
    connection.request(method, path, text, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode("utf-8", "replace")


class Program:
    """A child process; its output stands in files."""

    def __init__(self, folder, name, arguments, environment=None):
        self.name = name
        self.arguments = [str(a) for a in arguments]
        self.out = Path(folder) / f"{name}.out"
        self.err = Path(folder) / f"{name}.err"
        self.environment = environment
        self.process = None

    def log(self):
        return self.err.read_text(errors="replace") if self.err.exists() else ""

    def start(self):
        with open(self.out, "wb") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, env=self.environment)
        return self

    def first_line(self, seconds=10.0):
        def line():
            text = self.out.read_text()
            if "\n" in text:
                return text.split("\n")[0]
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n"
                                     f"{self.log()[-2000:]}")
            return None
        return wait_until(line, f"first line of {self.name}", seconds)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60.0):
        """The exit code."""
        return self.process.wait(timeout=patience(seconds))

    def kill(self):
        if self.running():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.process.wait()
