"""A world on loopback: stand-in engines, load drivers and the daemon as child processes, in a
folder of its own. Everything that a test starts is ended by its process id when the test ends, and
what a program wrote is shown when the test fails."""

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import unittest
from pathlib import Path

import programs
from box import Box
from programs import SANITIZER_WORDS, Program, ask, patience


class Engine(Program):
    """testbed-engine; comes back on the same port after kill() and start_again()."""

    QUICK = ("--base-ms", 1, "--per-seq-ms", 0.02, "--prefill-tps", 0)

    def __init__(self, folder, name, options=QUICK, model="demo"):
        super().__init__(folder, name, [])
        self.options = list(options)
        self.model = model
        self.address = "127.0.0.1:0"
        self.start_again()

    def start_again(self):
        self.arguments = [str(a) for a in
                          [programs.SETUP.build / "testbed-engine", "--listen", self.address, "--model",
                           self.model, "--name", self.name, *self.options]]
        self.start()
        self.address = self.first_line().rsplit(" ", 1)[1]

    @property
    def url(self):
        return f"http://{self.address}"

    def counters(self):
        return json.loads(ask(self.address, "GET", "/testbed/counters")[2])

    def faults(self, **wish):
        status, _, body = ask(self.address, "POST", "/testbed/faults", wish)
        assert status == 200, body


class Load(Program):
    """testbed-load, which checks every byte."""

    def __init__(self, world, name, key, **options):
        key_file = world.folder / f"{name}.key"
        key_file.write_text(key + "\n")
        self.report_file = world.folder / f"{name}.json"
        self.records_file = world.folder / f"{name}.jsonl"
        options = {"model": "demo", **options}
        arguments = [programs.SETUP.build / "testbed-load", "--url", f"http://{world.box.api}",
                     "--key-file", key_file, "--json", self.report_file,
                     "--records", self.records_file]
        for option, value in options.items():
            flag = "--" + option.replace("_", "-")
            arguments += [flag] if value is True else [flag, value]
        super().__init__(world.folder, name, arguments)
        world.programs.append(self)
        self.start()

    def report(self, seconds=120.0):
        """Waits for the end. No answer with wrong bytes is ever right."""
        code = self.wait(seconds)
        assert code == 0, f"{self.name} ended with {code}: {self.out.read_text()}"
        report = json.loads(self.report_file.read_text())
        assert "wrong_bytes" not in report["outcomes"], report["explained"]
        return report

    def records(self):
        return [json.loads(line) for line in self.records_file.read_text().splitlines()]


class World(unittest.TestCase):
    """One test in a world of its own."""

    maxDiff = None

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-loopback-"))
        self.programs = []
        self.box = None
        self.addCleanup(self.end_world)

    def end_world(self):
        for program in self.programs:
            program.kill()
        noise = [f"{p.name}: {p.log()[-4000:]}" for p in self.programs
                 if any(word in p.log() for word in SANITIZER_WORDS)]
        if self.failed():
            for program in self.programs:
                if program.log():
                    sys.stderr.write(f"\n--- {program.name}\n{program.log()[-3000:]}\n")
        if programs.SETUP.keep:
            sys.stderr.write(f"kept: {self.folder}\n")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        if noise:
            raise AssertionError("\n".join(noise))

    def failed(self):
        result = self._outcome.result
        return any(test is self for test, _ in result.failures + result.errors)

    def engine(self, name, options=Engine.QUICK, **more):
        engine = Engine(self.folder, name, options, **more)
        self.programs.append(engine)
        return engine

    def start_box(self, nodes, program=None, **settings):
        """A daemon with these nodes; its first key is box.key."""
        self.box = Box(self, nodes, settings, program=program)
        self.box.key = self.box.add_key("first")
        self.box.start()
        return self.box

    def load(self, name="load", key=None, **options):
        return Load(self, name, key or self.box.key, **options)

    def stop_box(self):
        """SIGTERM; the daemon ends well and in time, with nothing left over."""
        self.box.signal(signal.SIGTERM)
        self.assertEqual(self.box.wait(40), 0, self.box.log()[-3000:])


def node(engine, place, **more):
    entry = {"name": engine.name, "place": place, "url": engine.url, "models": [{"name": "demo"}],
             "engine": "vllm" if place == "local" else "openai"}
    entry.update(more)
    return entry


def local(engine, **more):
    return node(engine, "local", **more)


def cloud(engine, **more):
    return node(engine, "cloud", price={"input_per_million": 1, "output_per_million": 4}, **more)


def open_stream(address, key, tokens=50, headers=None):
    """A socket on which a stream has begun, and its bytes so far."""
    body = json.dumps({"model": "demo", "stream": True, "max_tokens": tokens,
                       "messages": [{"role": "user", "content": "tell me of the water"}]})
    fields = {"Host": address, "Authorization": f"Bearer {key}", "Content-Length": str(len(body)),
              "Content-Type": "application/json", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    host, port = address.rsplit(":", 1)
    client = socket.create_connection((host, int(port)), timeout=patience(20))
    client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n{body}".encode())
    begun = b""
    while b"data: " not in begun:
        piece = client.recv(65536)
        assert piece, f"no stream: {begun!r}"
        begun += piece
    return client, begun


def read_to_end(client):
    """What comes until the last chunk or the end of the connection."""
    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        piece = client.recv(65536)
        if not piece:
            break
        received += piece
    return received


def chat(address, key, tokens=4, headers=None, **more):
    body = {"model": "demo", "max_tokens": tokens,
            "messages": [{"role": "user", "content": "how high is the water?"}], **more}
    fields = {"Content-Type": "application/json", **(headers or {})}
    if key:
        fields["Authorization"] = f"Bearer {key}"
    return ask(address, "POST", "/v1/chat/completions", body, fields)


def memory_kb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
