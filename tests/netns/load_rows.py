"""Rows about load and quality: many streams, loss, a full uplink, packets that are too large."""

import json
import socket
import time

from measure import SOURCE, now_us
from rows import BOTH, SAFE, SINGLE, Row
from site_world import FLOW_PORT, NODE, wait_until
from spaces import Failed
from statistics_table import Goal, quantile

STREAMS = 200
STREAM_TOKENS = 80           # with STEP_MS: a stream lasts about 5 s
STEP_MS = 60
LOSS_EACH_WAY = 0.0513       # 10 % of round trips
BULK_MARK, BULK_DSCP = 0x02000000, 8  # firmware/tunnel/names.h
UPLINK_KBIT, QUEUE_BYTES = 8000, 200000
LARGE_BYTES = 20000


def streams(t):
    """200 answers are being streamed through the daemon when the path is cut."""
    path = t.begin()
    site = t.site
    site.client_key()
    key_file = site.folder / "client.key"
    report = site.folder / "load.json"
    report.unlink(missing_ok=True)
    load = site.program(site.box, "load", site.build / "testbed-load", "--url",
                        "http://127.0.0.1:8080", "--key-file", key_file, "--json", report, "--model",
                        "demo", "--stream", "--concurrency", STREAMS, "--requests", STREAMS,
                        "--max-tokens", STREAM_TOKENS, "--timeout", 60)
    time.sleep(t.chance.uniform(2.5, 3.5))
    _, text = site.ask("GET", "/api/v1/status")
    running = sum(n["in_flight"] for n in json.loads(text)["nodes"])
    since = t.wire(path).tell("both cut=1")["at_us"]
    measured = t.costs(since)
    load.wait(90)
    outcomes = json.loads(report.read_text())["outcomes"]
    return {**measured, "streams when cut": running,
            "streams lost": STREAMS - outcomes.get("ok", 0)}


def random_loss(seconds):
    def trial(t):
        t.begin()
        since = now_us()
        for wire in t.site.wires.values():
            wire.tell(f"both loss={LOSS_EACH_WAY}")
        time.sleep(seconds)
        sent, lost = t.flow_loss(since, now_us())
        return {"false switches": t.watch.count(since), "seconds": seconds,
                "share lost (%)": 100 * lost / max(sent, 1),
                "packets in clear": t.site.watched() - t.clear_before}
    return trial


def full_uplink(t):
    """Bulk offers half as much again as the uplink carries; the flow is of the other class."""
    t.begin()
    site = t.site
    for wire in site.wires.values():
        wire.tell(f"both rate_kbit={UPLINK_KBIT} queue_bytes={QUEUE_BYTES}")
    time.sleep(2)
    idle_from, idle_to = now_us() - 1500000, now_us() - 200000
    blast = site.program(site.box, "blast", site.build / "testbed-flow", "--to",
                         f"{NODE}:{FLOW_PORT + 1}", "--source", f"{SOURCE}:0", "--mark", BULK_MARK,
                         "--dscp", BULK_DSCP, "--bytes", 1200, "--blast-mbit", UPLINK_KBIT * 1.5 / 1000, ready="ready")
    passed = site.wires["wan1"].stats()["a2b"]["bytes"]
    time.sleep(1)
    busy_from = now_us()
    time.sleep(4)
    busy_to = now_us()
    carried = site.wires["wan1"].stats()["a2b"]["bytes"] - passed
    blast.terminate()
    blast.wait(10)
    time.sleep(1)
    t.flow.read()
    idle, busy = (t.flow.round_trips(*span) for span in ((idle_from, idle_to), (busy_from, busy_to)))
    if not idle or not busy:
        raise Failed(f"no round trips: {len(idle)} before, {len(busy)} during the bulk")
    sent, lost = t.flow.lost(busy_from, busy_to)
    return {"packets lost": lost, "added RTT": quantile(busy, 0.5) - quantile(idle, 0.5),
            "added RTT, p95": quantile(busy, 0.95) - quantile(idle, 0.95), "packets sent": sent,
            "uplink used (%)": carried * 8 / 5e3 / UPLINK_KBIT * 100,
            "packets in clear": site.watched() - t.clear_before}


def full_shaped_uplink(t):
    """The same, once every path of the site has its queues."""
    def shaped():
        paths = [p["interface"] for p in t.site.paths()]
        queues = t.site.box.run("tc", "qdisc", "show").stdout
        return paths and all(f"qdisc htb 1: dev {name} " in queues for name in paths)
    wait_until(shaped, "queues on every path")
    return full_uplink(t)


def echoed_whole(site, seconds):
    """Whether a new TCP connection carries large packets both ways."""
    data = bytes(LARGE_BYTES)
    try:
        with site.box.socket(kind=socket.SOCK_STREAM) as sock:
            sock.settimeout(seconds)
            sock.bind((SOURCE, 0))
            sock.connect((NODE, FLOW_PORT))
            sock.sendall(data)
            left = len(data)
            while left > 0 and (piece := sock.recv(65536)):
                left -= len(piece)
            return left == 0
    except OSError:
        return False


def large_packets_vanish(t):
    """Packets above 1400 bytes vanish on every uplink, without a word."""
    t.begin()
    if not echoed_whole(t.site, 5):
        raise Failed("large packets do not pass before the trial")
    for wire in t.site.wires.values():
        since = wire.tell("both mtu=1400")["at_us"]
    passes = None
    while passes is None and now_us() - since < 60e6:
        if echoed_whole(t.site, 1.5):
            passes = (now_us() - since) / 1000
    sent, lost = t.flow_loss(since, now_us())
    return {"large packets pass again": passes, "not recovered": 0 if passes else 1,
            "small packets lost": lost, "MTU then": t.site.active()["mtu"],
            "packets in clear": t.site.watched() - t.clear_before}


SHAPED = [{"name": "wan1", "interface": "wan1", "rate_up_kbit_s": UPLINK_KBIT}]
CLEAR = Goal("packets in clear", "max", 0, unit="")
ROWS = [
    Row("streams", f"black hole {BOTH}, {STREAMS} answers being streamed",
        [Goal("streams lost", "max", 0, unit=""),
         Goal("streams when cut", "min", STREAMS, least=True, unit=""), *SAFE], streams,
        site={"engine": ("--base-ms", STEP_MS, "--per-seq-ms", "0", "--max-num-seqs", "512")},
        trials_max=10),
    Row("random-loss", "10 % of round trips lost at random on both uplinks, probes each 50 ms",
        [Goal("false switches", "max", 1, unit=""), CLEAR], random_loss(300),
        tunnel={"probe_ms": 50}, trials_max=1),
    Row("random-loss-short", "the same for half a minute",
        [Goal("false switches", "max", 1, unit=""), CLEAR], random_loss(30),
        tunnel={"probe_ms": 50}, trials_max=1),
    Row("bulk", "bulk offers 1.5 x the uplink's rate",
        # Median: a starved machine loses packets in the wire that is to show whether any are lost.
        [Goal("packets lost", "median", 0, unit=""), Goal("added RTT", "median", 5), CLEAR],
        full_shaped_uplink,
        site=SINGLE, tunnel={"uplinks": SHAPED}, trials_max=10),
    Row("bulk-unshaped", "the same, the uplink's rate not known: the negative control",
        [Goal("added RTT, p95", "median", 20, least=True)], full_uplink, site=SINGLE, trials_max=3),
    Row("mtu", "packets above 1400 bytes vanish on every uplink",
        [Goal("large packets pass again", "max", 60000), Goal("not recovered", "max", 0, unit=""),
         CLEAR], large_packets_vanish, trials_max=10),
]
