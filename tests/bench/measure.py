"""Interleaved rounds: the same load through each peer in turn, and what it cost that peer."""

import json
import os
import shutil
import sqlite3
import subprocess
import time

from box import Failure, Others
from instructions import Instructions
from peers import MODEL, Box, HAProxy, Nginx, Portkey, cpu_clock

CONCURRENT = 10
STREAMS = 200
SLOW_PEERS = ("portkey",)
LEDGER = ("INSERT INTO attempts(request, \"key\", model, endpoint, node, place, number, at_us, "
          "prompt_estimate, in_reported, out_reported, out_counted, cost_nano, currency, outcome, "
          "status, first_byte_us, total_us) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
          "FROM n WHERE i < ?) SELECT 'r' || i, 'k-1', 'stand-in', 'chat.completions', 'gpu-1', "
          "'local', 1, 1700000000000000 + i * 1000, 64, 64, 16, 16, 0, 'CNY', 'served', 200, 1000, 2000 "
          "FROM n")


class Sizes:
    """How much of each load."""

    def __init__(self, quick):
        self.whole_requests = 200 if quick else 20000
        self.slow_requests = 50 if quick else 2000
        self.streams = 20 if quick else STREAMS
        self.tokens = 10 if quick else 250
        self.interval_us = 10000
        self.ttft_s = 0.5 if quick else 4
        self.open_streams = 100 if quick else 5000
        self.ledger_rows = 1000 if quick else 1_000_000
        self.starts = 1 if quick else 3
        self.decisions = 1000 if quick else 200_000


class Bench:
    PROXY_CPU, OTHER_CPU = 0, 1

    def __init__(self, build, work, quick):
        self.build = build
        self.work = work
        self.sizes = Sizes(quick)
        self.run = work / "run"
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        self.two_cpus = {self.PROXY_CPU, self.OTHER_CPU} <= os.sched_getaffinity(0)
        self.peers = []
        self.engine_process = None
        self.engine = self.start_engine()

    def pinned(self, command, cpu):
        pin = ["taskset", "-c", str(cpu)] if self.two_cpus else []
        return [*pin, *map(str, command)]

    def start_engine(self):
        command = [self.build / "testbed-fast-engine", "--model", MODEL]
        self.engine_process = subprocess.Popen(self.pinned(command, self.OTHER_CPU), text=True,
                                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        line = self.engine_process.stdout.readline()
        if not line.startswith("listening on "):
            raise Failure("testbed-fast-engine did not start")
        return line.split()[-1]

    def start(self, peer):
        self.peers.append(peer)
        return peer.start()

    def stop(self):
        for peer in self.peers:
            peer.stop()
        self.peers = []
        if self.engine_process:
            self.engine_process.terminate()
            self.engine_process.wait()
            self.engine_process.stdout.close()
            self.engine_process = None

    def ticks(self):
        """Processor time of all that is ours, in clock ticks, as box.Others asks."""
        pids = [pid for peer in self.peers if peer.process for pid in peer.pids()]
        running = sum(cpu_clock(pid) for pid in [*pids, self.engine_process.pid])
        ended = os.times()
        own = ended.user + ended.system + ended.children_user + ended.children_system
        return (running + own) * os.sysconf("SC_CLK_TCK")

    # Loads.

    def load_command(self, peer, *arguments):
        command = [self.build / "testbed-fast-load", "--target", peer.address if peer else self.engine,
                   "--model", MODEL, *arguments]
        if peer and peer.key_file:
            command += ["--key-file", peer.key_file]
        for header in peer.headers if peer else ():
            command += ["--header", header]
        return self.pinned(command, self.OTHER_CPU)

    def load(self, peer, *arguments):
        """The driver's report; peer None: straight to the engine."""
        done = subprocess.run(self.load_command(peer, *arguments), capture_output=True, text=True)
        lines = done.stdout.strip().splitlines()
        if not lines:
            raise Failure(f"testbed-fast-load: {done.stderr.strip()}")
        report = json.loads(lines[-1])
        if report["failed"]:
            name = peer.name if peer else "the engine"
            raise Failure(f"{name}: {report['failed']} of {report['ok'] + report['failed']} requests "
                          f"failed: {report['first_failure']}")
        return report

    def costed(self, peer, per, *arguments):
        """The report, with what one `per` (ok, tokens) cost the peer."""
        with Instructions(peer.pids()) as counter:
            before = peer.cpu_s()
            report = self.load(peer, *arguments)
            spent = peer.cpu_s() - before
        report["cpu_us"] = 1e6 * spent / report[per]
        report["instructions"] = counter.count and counter.count / report[per]
        return report

    def whole(self, peer):
        slow = peer.name in SLOW_PEERS
        count = self.sizes.slow_requests if slow else self.sizes.whole_requests
        return self.costed(peer, "ok", "--concurrency", CONCURRENT, "--requests", count)

    def stream(self, peer):
        size = self.sizes
        return self.costed(peer, "tokens", "--stream", "--concurrency", size.streams, "--requests",
                           size.streams, "--tokens", size.tokens, "--interval-us", size.interval_us,
                           "--ramp", 0.5)

    def first_token(self, box, haproxy):
        """TTFT at half of the box's own saturation, and at the same rate without it."""
        kind = ("--stream", "--tokens", 8, "--interval-us", 2000)
        full = self.load(box, *kind, "--concurrency", STREAMS, "--duration", self.sizes.ttft_s / 2,
                         "--warmup", self.sizes.ttft_s / 8)
        rate = full["per_second"] / 2
        open_loop = (*kind, "--rate", rate, "--duration", self.sizes.ttft_s, "--warmup",
                     self.sizes.ttft_s / 8)
        found = {"rate": rate}
        for name, peer in (("direct", None), ("sluiced", box), ("haproxy", haproxy)):
            if name == "haproxy" and not peer:
                continue
            found[name] = self.load(peer, *open_loop)["first_event_us"]
        return found

    # What is measured.

    def measure(self, rounds, only):
        others = Others(self)
        figures = {"rounds": rounds, "missing": [], "others_percent": None, "pinned": self.two_cpus}
        if "decision" in only:
            figures["decision"] = [self.decision() for _ in range(rounds)]
        if "cpu" in only or "ttft" in only:
            self.rounds(figures, rounds, only)
        if "memory" in only:
            figures["memory"] = self.memory()
        if "start" in only:
            figures["start"] = self.starts()
        figures["others_percent"] = others.percent()
        figures["instructions"] = Instructions.works()
        return figures

    def available(self, kinds, figures):
        for kind in kinds:
            why = kind.missing()
            if why:
                figures["missing"].append(f"{why}: scripts/setup --group bench")
            else:
                yield kind

    def rounds(self, figures, rounds, only):
        peers = [self.start(kind(self)) for kind in
                 self.available((Box, HAProxy, Nginx, Portkey), figures)]
        by_name = {peer.name: peer for peer in peers}
        self.warm(peers)
        figures["whole"] = {peer.name: [] for peer in peers}
        figures["stream"] = {peer.name: [] for peer in peers if peer.name not in SLOW_PEERS}
        figures["first_token"] = []
        for number in range(rounds):
            turn = peers[number % len(peers):] + peers[:number % len(peers)]
            for peer in turn if "cpu" in only else ():
                figures["whole"][peer.name].append(self.whole(peer))
            for peer in turn if "cpu" in only else ():
                if peer.name in figures["stream"]:
                    figures["stream"][peer.name].append(self.stream(peer))
            if "ttft" in only:
                figures["first_token"].append(self.first_token(by_name["sluiced"],
                                                               by_name.get("haproxy")))
            print(f"bench: round {number + 1} of {rounds}", flush=True)
        for peer in peers:
            peer.stop()
        self.peers = []

    def warm(self, peers):
        for peer in peers:
            count = self.sizes.slow_requests if peer.name in SLOW_PEERS else self.sizes.whole_requests
            self.load(peer, "--concurrency", CONCURRENT, "--requests", count // 4)

    def memory(self):
        """Bytes idle, and for each of many open streams."""
        found = {}
        for kind in self.available((Box, HAProxy, Nginx), {"missing": []}):
            peer = self.start(kind(self))
            time.sleep(1)  # sluiced has then probed its nodes twice
            idle = peer.rss_bytes()
            streams = self.sizes.open_streams
            load = subprocess.Popen(
                self.load_command(peer, "--stream", "--concurrency", streams, "--requests", streams,
                                  "--tokens", 1000, "--interval-us", 500000, "--ramp", 2,
                                  "--give-up"),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            try:
                said = load.stdout.readline().strip()
                if said != "all begun":
                    raise Failure(f"{peer.name} did not open {streams} streams: {said}")
                time.sleep(1)  # each stream has had further tokens
                per_stream = (peer.rss_bytes() - idle) / streams
            finally:
                load.terminate()
                load.wait()
                load.stdout.close()
            found[peer.name] = {"idle": idle, "per_stream": per_stream, "streams": streams}
            peer.stop()
            self.peers.remove(peer)
        return found

    def decision(self):
        done = subprocess.run(self.pinned([self.build / "bench-decision", self.sizes.decisions],
                                          self.PROXY_CPU), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def timed_start(self, box):
        begun = time.monotonic()
        box.start()
        return 1000 * (time.monotonic() - begun)

    def starts(self):
        """Milliseconds from the start of the process to its ready line."""
        box = Box(self, "state-of-starts")
        self.peers.append(box)
        fresh = []
        for _ in range(self.sizes.starts):
            fresh.append(self.timed_start(box))
            box.stop()
        ledger = sqlite3.connect(box.state / "ledger.db")
        with ledger:
            ledger.execute(LEDGER, (self.sizes.ledger_rows,))
        ledger.close()
        unclean = []
        box.start()
        for _ in range(self.sizes.starts):
            self.kill_under_load(box)
            unclean.append(self.timed_start(box))
        box.stop()
        self.peers.remove(box)
        return {"fresh_ms": fresh, "unclean_ms": unclean, "ledger_rows": self.sizes.ledger_rows}

    def kill_under_load(self, box):
        load = subprocess.Popen(
            self.load_command(box, "--stream", "--concurrency", 50, "--requests", 50, "--tokens",
                              1000, "--interval-us", 100000),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        load.stdout.readline()
        box.kill()
        load.terminate()
        load.communicate()
