"""An engine that the box shares with clients who go past it, and how near the box's estimate of its
queue is to what is true. Everything is measured on the machine's monotonic clock: the engine writes
what it runs and keeps waiting at each change, and the box's status is asked every 100 ms."""

import bisect
import http.client
import json
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/loopback"))

import programs  # noqa: E402
from box import Box  # noqa: E402
from programs import Program  # noqa: E402

SLOTS = 24
OUTPUT_TOKENS = 40
ENGINE = ("--base-ms", 12, "--per-seq-ms", 0.4, "--prefill-tps", 20000, "--max-num-seqs", SLOTS)
SERVICE_S = OUTPUT_TOKENS * (12 + 0.4 * SLOTS) / 1000  # of a request in a full batch
CAPACITY = SLOTS / SERVICE_S                           # requests a second
SAMPLE_S = 0.1


@dataclass
class Case:
    """A load, as shares of what the engine can do, over time; `past`: the share that goes past the box."""

    name: str
    levels: tuple = (0.7,)  # each for level_s, again and again
    level_s: float = 6.0
    seconds: float = 24.0
    past: float = 0.3
    scrape_ms: int = 250
    dialect: str = "v1"
    engine: str = "vllm"
    faults: str = ""
    options: tuple = ()  # more of the engine


@dataclass
class Sample:
    at: float
    running: int  # the truth
    waiting: int
    node: dict  # as the box says
    methods: dict = field(default_factory=dict)  # name -> (present, waiting)

    @property
    def present(self):
        return self.running + self.waiting


class Place:
    """What a Box wants of a test's world."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.programs = []

    def end(self):
        for program in self.programs:
            program.kill()


def arrivals(case, seed, share):
    """Lines of a trace: Poisson arrivals, answers of lengths between a half and three halves."""
    chance = random.Random(f"{case.name} {seed} {share}")
    now, lines = 0.0, []
    while now < case.seconds:
        level = case.levels[int(now / case.level_s) % len(case.levels)]
        rate = CAPACITY * level * share
        now += chance.expovariate(rate)
        length = chance.randint(OUTPUT_TOKENS // 2, OUTPUT_TOKENS * 3 // 2)
        lines.append(f"{now:.4f},{chance.randint(20, 300)},{length}")
    return "\n".join(lines) + "\n"


def load(place, name, address, key, trace):
    """The load driver on a trace, and the file of its records."""
    trace_file = place.folder / f"{name}.csv"
    trace_file.write_text(trace)
    records = place.folder / f"{name}.jsonl"
    arguments = [programs.SETUP.build / "testbed-load", "--url", f"http://{address}", "--model",
                 "demo", "--trace", trace_file, "--records", records, "--mix", "--keep-alive"]
    if key:
        key_file = place.folder / "key"
        key_file.write_text(key + "\n")
        arguments += ["--key-file", key_file]
    program = Program(place.folder, name, arguments)
    place.programs.append(program)
    return program.start(), records


def read_truth(path):
    times, counts = [], []
    for line in Path(path).read_text().splitlines():
        at, running, waiting = line.split()
        times.append(int(at) / 1e6)
        counts.append((int(running), int(waiting)))
    return times, counts


def value_at(times, values, when, before):
    place = bisect.bisect_right(times, when)
    return values[place - 1] if place else before


class Status:
    """The box's status over one connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=10)

    def node(self):
        """(the middle of the question, what it says of its only node, requests it holds back)"""
        began = time.monotonic()
        self.connection.request("GET", "/api/v1/status")
        text = self.connection.getresponse().read()
        middle = (began + time.monotonic()) / 2
        status = json.loads(text)
        return middle, status["nodes"][0], status["queue"]["length"]


def own_in_flight(records):
    """Steps of how many of the box's clients' requests were open."""
    changes = []
    for line in Path(records).read_text().splitlines():
        record = json.loads(line)
        changes.append((record["started_s"], 1))
        changes.append((record["started_s"] + record["time_s"], -1))
    changes.sort()
    times, counts, now = [], [], 0
    for at, change in changes:
        now += change
        times.append(at)
        counts.append(now)
    return times, counts


def add_methods(sample, own):
    """The box's estimate, and the three that one would think of first."""
    node = sample.node
    queue = node["queue"]
    scraped = ((node["running"] or 0) + (node["waiting"] or 0), node["waiting"] or 0)
    ours = node["in_flight"]
    sample.methods["the box"] = (queue["running"] + queue["waiting"], queue["waiting"])
    sample.methods["last scrape"] = scraped
    sample.methods["own count"] = (ours, max(0, ours - SLOTS))
    if node["age_ms"] is None:
        sample.methods["scrape + own changes"] = sample.methods["own count"]
        return
    then = value_at(*own, sample.at - node["age_ms"] / 1000, 0)
    moved = max(0, scraped[0] + value_at(*own, sample.at, 0) - then)
    sample.methods["scrape + own changes"] = (moved, max(0, moved - SLOTS))


def play(case, seed, folder, on_sample=None):
    """One run: its samples, from when both loads have begun until they end."""
    place = Place(folder)
    truth_file = place.folder / "truth"
    try:
        arguments = ["--listen", "127.0.0.1:0", "--model", "demo", "--metrics", case.dialect,
                     "--truth", truth_file, *ENGINE, *case.options]
        if case.faults:
            arguments += ["--faults", case.faults]
        engine = Program(place.folder, "engine",
                         [programs.SETUP.build / "testbed-engine", *arguments])
        place.programs.append(engine)
        address = engine.start().first_line().rsplit(" ", 1)[1]
        # All that comes through the box goes to the engine, however full it is.
        node = {"name": "gpu", "place": "local", "url": f"http://{address}", "engine": case.engine,
                "models": [{"name": "demo"}], "untried_concurrency": 1000}
        scrape = case.scrape_ms
        box = Box(place, [node], {"sense": {"scrape_ms": scrape, "scrape_timeout_ms": scrape - 20,
                                            "lease_ms": 4 * scrape},
                                  "service_levels": [{"name": "default", "ttft_ms": 600000,
                                                      "tpot_ms": 60000}]})
        box.key = box.add_key("first")
        box.start()
        samples, records = sampled(case, seed, place, box, address, on_sample)
        box.signal(15)
        if box.wait(40) != 0:
            raise RuntimeError(f"the box ended badly: {box.log()[-2000:]}")
    finally:
        place.end()
    times, counts = read_truth(truth_file)
    own = own_in_flight(records)
    for sample in samples:
        sample.running, sample.waiting = value_at(times, counts, sample.at, (0, 0))
        add_methods(sample, own)
    return samples


def sampled(case, seed, place, box, address, on_sample):
    status = Status(box.page)
    through, records = load(place, "through", box.api, box.key, arrivals(case, seed, 1 - case.past))
    loads = [through]
    if case.past > 0:
        loads.append(load(place, "past", address, None, arrivals(case, seed, case.past))[0])
    samples = []
    due = time.monotonic() + 2
    while all(program.running() for program in loads):
        time.sleep(max(0, due - time.monotonic()))
        due += SAMPLE_S
        at, node, held = status.node()
        if held:
            raise RuntimeError("the box holds requests back: they are not in the engine")
        if "queue" in node:
            samples.append(Sample(at, 0, 0, node))
        if on_sample:
            on_sample(len(samples), place)
    for program in loads:
        if program.wait(60) != 0:
            raise RuntimeError(f"{program.name} ended badly: {program.log()[-2000:]}")
    return samples, records


def allowed(truth):
    return max(2.0, 0.2 * truth)


def score(samples, method):
    """Shares of the samples within max(2 requests, 20 %) of the truth; and how far off the rest is."""
    if not samples:
        raise RuntimeError("nothing was sampled")
    result = {}
    for place, (name, truth) in enumerate((("present", lambda s: s.present),
                                           ("waiting", lambda s: s.waiting))):
        errors = [abs(s.methods[method][place] - truth(s)) for s in samples]
        within = sum(e <= allowed(truth(s)) for e, s in zip(errors, samples))
        errors.sort()
        result[name] = {"within": within / len(samples), "mean": sum(errors) / len(errors),
                        "p95": errors[int(0.95 * (len(errors) - 1))]}
    return result


METHODS = ("the box", "last scrape", "own count", "scrape + own changes")
