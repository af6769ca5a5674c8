#!/usr/bin/env python3
"""The runs behind scripts/demo, which says what they show. README.md says how it is measured."""

import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import string
import subprocess
import sys
import time
from pathlib import Path

import table
from box import Box, Failure, Others, Processes, fetch

COMPRESS = 20
MODEL = "demo"
OPEN, CLOSED = "open", "closed"
# (valve, requests at a time, requests of each user). Open first: the box has then learned nothing yet.
LOADS = [(OPEN, 1, 3), (OPEN, 30, 3), (OPEN, 60, 4), (OPEN, 100, 4), (OPEN, 200, 3),
         (CLOSED, 1, 2), (CLOSED, 30, 2), (CLOSED, 60, 2), (CLOSED, 100, 1), (CLOSED, 200, 1)]
QUICK = [(OPEN, 1, 1), (OPEN, 30, 2), (OPEN, 60, 3), (CLOSED, 1, 1), (CLOSED, 30, 1), (CLOSED, 60, 1)]
LOAD_S_MAX = 45  # of one load, on the clock; the longest, 200 at a time closed, takes 31 s
COMMITTED_S = 5
OTHERS_PERCENT_MAX = 20  # of all processors
# In real time: name -> (value, least that the setting allows).
REPORT_CASE = {"ttft_ms": (10000, 10), "tpot_ms": (900, 1), "scrape_ms": (1000, 50),
               "scrape_timeout_ms": (800, 10), "lease_ms": (2000, 100), "probe_ms": (5000, 100),
               "learn_ms": (500, 10), "window_ms": (20000, 1000), "memory_ms": (600000, 1000),
               "open_ms": (5000, 100), "slow_start_ms": (10000, 0)}
REAL = {"ttft_ms": (2000, 10), "tpot_ms": (100, 1), "scrape_ms": (500, 50),
        "scrape_timeout_ms": (400, 10), "lease_ms": (1000, 100), "probe_ms": (5000, 100),
        "learn_ms": (250, 10), "window_ms": (10000, 1000), "memory_ms": (600000, 1000),
        "open_ms": (5000, 100), "slow_start_ms": (10000, 0)}
UNTRIED_PREFILL_TPS = 2000
METRIC_WORDS = {"vllm:": "vllm", "llamacpp:": "llamacpp"}


def options():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--engine")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--build-dir", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, required=True)
    return parser.parse_args()


class Demo:
    def __init__(self, chosen):
        self.chosen = chosen
        self.build = chosen.build_dir.resolve()
        self.work = chosen.work_dir.resolve()
        self.run = self.work / "run"
        self.scale = 1 if chosen.engine else COMPRESS
        self.model = MODEL
        self.engine = "vllm"
        self.processes = None
        self.box = None
        self.api = self.page = ""
        self.tty = sys.stdout.isatty()

    # Beginning.

    def prepare(self):
        self.work.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.work / "lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another demo runs in {self.work}") from None
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir()
        self.processes = Processes(self.run)

    # Where programs run, and what else the box is told: here all on this machine.

    def at_box(self, command):
        return [str(part) for part in command]

    def at_cloud(self, command):
        return self.at_box(command)

    def cloud_address(self):
        return "127.0.0.1:0"

    def settings_more(self):
        return ""

    def before_nodes_are_up(self):
        pass

    def start_engine(self, name, profile, cloud=False):
        place, address = ((self.at_cloud, self.cloud_address()) if cloud
                          else (self.at_box, "127.0.0.1:0"))
        command = place([self.build / "testbed-engine", "--listen", address, "--model", self.model,
                         "--profile", profile, "--compress", self.scale])
        found = self.processes.start(name, command, r"listening on (\S+)")
        return "http://" + found[1]

    def real_engine(self):
        url = self.chosen.engine.rstrip("/").removesuffix("/v1")
        if not url.startswith("http://"):
            raise Failure("--engine must be http://host:port")
        models = json.loads(fetch(url, "/v1/models") or "{}").get("data", [])
        if not models:
            raise Failure(f"{url}/v1/models names no model")
        self.model = models[0]["id"]
        metrics = fetch(url, "/metrics") or ""
        known = (name for word, name in METRIC_WORDS.items() if re.search("^" + word, metrics, re.M))
        self.engine = next(known, "openai")
        print(f"demo: {url} serves {self.model}; its load is read as that of: {self.engine}")
        return url

    def start(self):
        local = self.real_engine() if self.chosen.engine else self.start_engine("local", "report-case")
        clouds = "default" if self.chosen.engine else "cloud"
        values = {"state_dir": json.dumps(str(self.run / "state")), "compress": self.scale,
                  "model": json.dumps(self.model), "engine": self.engine, "local_url": local,
                  "dear_url": self.start_engine("cloud-dear", clouds, cloud=True),
                  "cheap_url": self.start_engine("cloud-cheap", clouds, cloud=True),
                  "untried_prefill_tps": UNTRIED_PREFILL_TPS * self.scale}
        for name, (value, least) in (REAL if self.chosen.engine else REPORT_CASE).items():
            values[name] = max(least, value // self.scale)
        template = string.Template((Path(__file__).parent / "demo.yaml.in").read_text())
        config = self.run / "sluice.yaml"
        config.write_text(template.substitute(values) + self.settings_more())
        self.sluiced = self.at_box([self.build / "sluiced", "--config", config])
        key = subprocess.run([*self.sluiced, "key", "add", "demo"], capture_output=True, text=True)
        if key.returncode != 0:
            raise Failure("no API key: " + key.stderr.strip())
        self.key_file = self.run / "key"
        self.key_file.touch(0o600)
        self.key_file.write_text(key.stdout)
        ready = self.processes.start("sluiced", [*self.sluiced, "serve"],
                                     r"api=(\S+) tls=off page=(\S+) admin=(\S+)")
        self.api, self.page = "http://" + ready[1], "http://" + ready[2]
        self.box = Box(ready[3])
        self.before_nodes_are_up()
        self.box.wait_until_up(3)
        print(f"demo: the page is {self.page}")
        print(f"demo: applications ask {self.api}/v1 with the key in {self.key_file}")

    # Loads.

    def load(self, number, of, valve, concurrent, each):
        setting = "auto" if valve == OPEN else "off"
        self.box.set("valve.overflow", setting)
        self.box.set("valve.hold", setting)
        requests = concurrent * each
        title = f"[{number:>2}/{of}] valve {valve}, {concurrent} at a time, {requests} requests"
        before = self.box.usage()
        json_file = self.run / f"load-{valve}-{concurrent}.json"
        command = [self.build / "testbed-load", "--url", self.api, "--key-file", self.key_file,
                   "--model", self.model, "--concurrency", concurrent, "--requests", requests,
                   "--max-tokens", 50, "--stream", "--json", json_file, "--fail-on", "none"]
        if self.chosen.engine:
            command.append("--any-answer")
        self.watch(self.at_box(command), title)
        report = json.loads(json_file.read_text())
        usage = self.usage_since(before, report["requests"])
        row = table.row_of(valve, concurrent, report, usage, self.scale)
        self.say(f"{title}: {row['time_s']['mean']:.1f} s each, {row['cloud_percent']:.0f} % in the "
                 f"cloud ({report['duration_s']:.1f} s on the clock)")
        return row

    def watch(self, command, title):
        """Runs a load; after LOAD_S_MAX it is told to stop, and what is open counts as aborted."""
        begun = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                elapsed = time.monotonic() - begun
                self.during_load(elapsed)
                if elapsed > LOAD_S_MAX:
                    process.terminate()
                self.say(f"{title}: {elapsed:.0f} s", ends=False)
                time.sleep(0.25)
        finally:
            process.terminate()
            process.wait()
        if process.returncode != 0:
            raise Failure(f"testbed-load ended with {process.returncode}")
        if self.processes.dead():
            raise Failure(f"{self.processes.dead()[0].args[0]} ended; its words are in {self.run}")

    def during_load(self, elapsed):
        pass

    def say(self, line, ends=True):
        if self.tty:
            print(f"\r\033[K{line}", end="\n" if ends else "", flush=True)
        elif ends:
            print(line, flush=True)

    def usage_since(self, before, requests):
        """What the ledger got since; waits until it holds all of the load's requests."""
        deadline = time.monotonic() + COMMITTED_S
        while True:
            usage = {node: (count - before.get(node, (0, 0))[0], cost - before.get(node, (0, 0))[1])
                     for node, (count, cost) in self.box.usage().items()}
            counted = sum(count for count, _ in usage.values())
            if counted >= requests or self.chosen.engine and time.monotonic() > deadline:
                return usage
            if time.monotonic() > deadline:
                raise Failure(f"the ledger holds {counted} of the load's {requests} requests")
            time.sleep(0.05)

    # End.

    def judge(self, rows, others_percent):
        """The exit code."""
        compared = not self.chosen.engine
        table.complete(rows, compared)
        print()
        print(table.text(rows))
        print()
        if compared:
            print(f"Times are as in reality: all ran {COMPRESS} times as fast. Published: "
                  f"{table.published()['source']}.")
        print("Measured at the client over all requests of a load, the first ones too; x low: against "
              "1 at a time,\nvalve open; least: (N - 35) / N; cost: of all requests of the load, from "
              "the ledger.")
        missed = list(table.missed(rows) if compared else table.unanswered(rows))
        if self.chosen.json:
            self.chosen.json.write_text(json.dumps(
                {"compress": self.scale, "published": table.published() if compared else None,
                 "others_percent": others_percent, "rows": rows, "missed": missed}, indent=1, ensure_ascii=False) + "\n")
        if others_percent > OTHERS_PERCENT_MAX:
            print(f"demo: WARNING: other programs took {others_percent:.0f} % of the processors "
                  "meanwhile, so the stand-ins\nwere late by themselves; measure again when it is quiet")
        for words in missed:
            print(f"demo: NOT ACCEPTED: {words}")
        if not missed:
            print("demo: accepted" if compared else "demo: every request was answered")
        return 1 if missed else 0

    def stay(self):
        print(f"\ndemo: all of it still runs. The page: {self.page}   API: {self.api}/v1\n"
              f"  a load: {self.build}/testbed-load --url {self.api} --key-file {self.key_file} "
              f"--model {self.model} --concurrency 60 --duration 60\n"
              f"  stop: Ctrl-C here, or kill {os.getpid()}", flush=True)
        while not self.processes.dead():
            time.sleep(0.5)
        raise Failure(f"{self.processes.dead()[0].args[0]} ended; its words are in {self.run}")

    def show(self):
        self.prepare()
        self.start()
        loads = QUICK if self.chosen.quick else LOADS
        others = Others(self.processes)
        rows = [self.load(number, len(loads), *load) for number, load in enumerate(loads, 1)]
        self.box.set("valve.overflow", "auto")
        self.box.set("valve.hold", "auto")
        code = self.judge(rows, others.percent())
        if self.chosen.stay:
            self.stay()
        return code


def stop(signum, _):
    sys.exit(128 + signum)


def main():
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)
    sys.stdout.reconfigure(line_buffering=True)
    demo = Demo(options())
    try:
        return demo.show()
    except Failure as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    finally:
        if demo.processes:
            demo.processes.stop()


if __name__ == "__main__":
    sys.exit(main())
