#!/usr/bin/env python3
"""The demo with its clouds behind a point of presence: a path is cut under load, and no request fails.

Namespaces of its own: the box with two uplinks of 20 ms each way, the PoP, and the clouds behind it.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
for folder in ("netns", "testbed/pop", "loopback", "bench"):
    sys.path.insert(0, str(TESTS / folder))

import certificates  # noqa: E402
import demo as bench  # noqa: E402
import spaces  # noqa: E402
import table  # noqa: E402
from box import Failure  # noqa: E402
from pops import PopProgram  # noqa: E402
from wire import Wire  # noqa: E402

SKIPPED = 77
CLOUD = "10.88.0.50"
NETWORK = "10.88.0.0/24"
POP = "198.51.100.1"
LOAD = (bench.OPEN, 60, 4)
CUT_S = 3  # into the load
UP_S = 15


class TunnelDemo(bench.Demo):
    def __init__(self, chosen):
        super().__init__(chosen)
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-demo-"))
        self.spaces, self.wires = [], []
        self.pop = self.cut_at = None

    # Where things are.

    def build_network(self):
        for name in ("box", "pop", "cloud"):
            self.spaces.append(spaces.Space(name))
        box, pop, cloud = self.spaces
        self.home, self.cloud = box, cloud
        for n in (1, 2):
            self.wires.append(Wire(self.build, (box, f"wan{n}"), (pop, f"isp{n}"),
                                   [f"192.0.2.{n}2/29"], [f"192.0.2.{n}1/29"],
                                   ["both delay_ms=20"], [NETWORK], n))
            box.ip("route", "add", "default", "via", f"192.0.2.{n}1", "metric", str(100 * n))
        pop.ip("addr", "add", f"{POP}/32", "dev", "lo")
        pop.run("ip", "link", "add", "cp0", "type", "veth", "peer", "name", "eth0", "netns",
                cloud.keeper.pid)
        for space, name, address in ((pop, "cp0", "10.88.0.1/24"), (cloud, "eth0", f"{CLOUD}/24")):
            space.ip("addr", "add", address, "dev", name)
            space.ip("link", "set", name, "up")
        certificates.make_authority(self.folder, "authority")
        certificates.make_certificate(self.folder, "pop", "authority", address=POP)
        self.pop = PopProgram(pop, self.folder, {
            "name": "pop1", "region": "lab", "hosts": [POP], "state": str(self.folder / "pop-state"),
            "control": str(self.folder / "pop.sock"),
            "endpoint": {"listen": "0.0.0.0:8443", "certificate": str(self.folder / "pop.crt"),
                         "key": str(self.folder / "pop.key")},
            "network": {"name": "compute", "prefixes": [NETWORK],
                        "pool": ["10.88.0.2", "10.88.0.20"]},
            "probe": {"address": "10.88.0.1", "port": 51900}, "compute_interface": "cp0",
            "proxy_arp": True}).start()

    def at_box(self, command):
        return self.home.inside(*command)

    def at_cloud(self, command):
        return self.cloud.inside(*command)

    def cloud_address(self):
        return f"{CLOUD}:0"

    def settings_more(self):
        return ("tunnel:\n  uplinks:\n    - {name: wan1, interface: wan1}\n"
                "    - {name: wan2, interface: wan2, preference: 1}\n")

    def before_nodes_are_up(self):
        token = self.folder / "token"
        token.touch(0o600)
        token.write_text(self.pop.token())
        self.tunnel("join", "--url", f"https://{POP}:8443", "--token-file", token, "--ca-file",
                    self.folder / "authority.crt")
        end = time.monotonic() + UP_S
        while not all(one["carries"] for one in self.tunnels()["classes"]) or \
                not self.tunnels()["classes"]:
            if time.monotonic() > end:
                raise Failure("no path came up:\n" + self.tunnel("status"))
            time.sleep(0.1)
        self.clear = [wire.watched() for wire in self.wires]
        print("demo: the clouds are behind a tunnel:\n" + self.tunnel("status"))

    def tunnel(self, *arguments):
        done = subprocess.run([*self.sluiced, "tunnel", *map(str, arguments)], capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise Failure(f"sluiced tunnel {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def tunnels(self):
        return self.box.ask("GET", "/api/v1/tunnel")

    # The load and the cut.

    def during_load(self, elapsed):
        if self.cut_at is None and elapsed > CUT_S:
            self.before_cut = self.tunnels()
            path = self.before_cut["classes"][0]["path"]
            self.cut_at = elapsed
            self.wires[0 if path.startswith("wan1/") else 1].tell("both cut=1")
            print(f"demo: {elapsed:.1f} s: {path}, which carries the requests, is cut")

    def show(self):
        self.prepare()
        self.build_network()
        self.start()
        row = self.load(1, 1, *LOAD)
        return self.judge_cut(row)

    def judge_cut(self, row):
        after = self.tunnels()
        moved = [one for one in after["switches"][-6:] if one["traffic"] == "interactive"
                 and one["from"] == self.before_cut["classes"][0]["path"]]
        leaked = sum(wire.watched() for wire in self.wires) - sum(self.clear)
        failed = row["requests"] - row["outcomes"].get("ok", 0)
        print()
        print(f"requests                    {row['requests']}, {row['cloud_requests']} of them in the "
              f"cloud ({row['cloud_percent']:.0f} %)")
        print(f"failed                      {failed}")
        print(f"time a request, mean / p99  {row['time_s']['mean']:.1f} / {row['time_s']['p99']:.1f} s "
              "(as in reality: all ran 20 times as fast)")
        for one in moved:
            print(f"switch                      {one['from']} -> {one['to']}, {one['gap_ms']:.0f} ms "
                  f"after the last answer: {one['why']['en']}")
        print(f"packets outside the tunnel  {leaked}")
        print("\n" + self.tunnel("status"))
        missed = [words for bad, words in (
            (failed > 0, f"{failed} requests failed"), (not moved, "traffic did not move"),
            (row["cloud_requests"] == 0, "nothing went to the cloud: the cut was no trial"),
            (leaked > 0, f"{leaked} packets were seen outside the tunnel")) if bad]
        for words in missed:
            print(f"demo: NOT ACCEPTED: {words}")
        if not missed:
            print("demo: accepted")
        if self.chosen.json:
            self.chosen.json.write_text(bench.json.dumps(
                {"row": row, "failed": failed, "switches": moved, "leaked": leaked,
                 "missed": missed}, indent=1, ensure_ascii=False) + "\n")
        return 1 if missed else 0

    def end(self):
        if self.processes:
            self.processes.stop()
        if self.pop and self.pop.running():
            self.pop.stop()
        for part in [*self.wires, *self.spaces]:
            part.end()
        subprocess.run(["rm", "-rf", str(self.folder)], check=False)


def main():
    for signum in (bench.signal.SIGINT, bench.signal.SIGTERM, bench.signal.SIGHUP):
        bench.signal.signal(signum, bench.stop)
    sys.stdout.reconfigure(line_buffering=True)
    chosen = bench.options()
    if chosen.engine or chosen.stay:
        print("demo: --tunnel goes with neither --engine nor --stay", file=sys.stderr)
        return 2
    why = spaces.why_not()
    if why:
        print(f"demo: --tunnel cannot be shown here: {why}. Everything else of the demo runs without.")
        return SKIPPED
    demo = TunnelDemo(chosen)
    try:
        return demo.show()
    except (Failure, spaces.Failed) as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    finally:
        demo.end()


if __name__ == "__main__":
    sys.exit(main())
