"""Requests among every kind of fault at once: at the engines, at the clients, engines that are killed,
settings that are read again, upgrades in place. After it the books of clients, ledger and engines
are held against each other, attempt by attempt and token by token.
Used by exact_test.py and, for 10,000 requests and an hour, by soak_nightly.py."""

import json
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from programs import patience, wait_until
from world import cloud, descriptors, local, memory_kb

FAULTS = dict(refuse=0.01, hang=0.004, reset=0.02, stall=0.004, cut=0.02, status503=0.01,
              status429=0.01, status500=0.01, malformed=0.02, badjson=0.01, error_event=0.01,
              retry_after_s=0)
SETTINGS = {"valve": {"first_byte_ms_max": 1500}, "limits": {"stream_idle_ms_max": 1000},
            "decisions": {"keep": 10, "journal_bytes_max": 4 << 20},
            "breaker": {"failures": 20, "open_ms": 200, "slow_start_ms": 300}}
QUICK = ("--base-ms", 1, "--per-seq-ms", 0.02, "--prefill-tps", 0)
# What a client may be told when nodes fail under it. Never that the box is not there.
FAIR = {"ok", "aborted", "error_event", "malformed", "cut", "reset", "http_429", "http_500",
        "http_502", "http_503", "http_504"}


@dataclass
class Story:
    """What happens meanwhile, and how long it goes on."""
    load: dict
    kills: int = 0       # of an engine, which comes back
    reloads: int = 0
    upgrades: int = 0
    drops: int = 0       # an engine resets all its connections
    over_s: float = 20   # the time in which all that happens
    sample_s: float = 0  # how often memory is looked at; 0: never
    seed: int = 7
    samples: list = field(default_factory=list)  # (seconds, KB) of the process that serves


class Soak:
    def __init__(self, world, story):
        self.world = world
        self.story = story
        self.chance = random.Random(story.seed)
        self.records = {}
        self.engines = {}
        self.older = []
        for name in ("gpu", "cloud-a", "cloud-b"):
            self.records[name] = world.folder / f"{name}-records.jsonl"
            options = (*QUICK, "--records", self.records[name], "--seed", story.seed)
            self.engines[name] = world.engine(name, options)
        gpu, a, b = self.engines.values()
        world.start_box([local(gpu, untried_concurrency=8, limits={"concurrency": 8}), cloud(a),
                         cloud(b)], **SETTINGS)
        world.box.wait_node("cloud-b", "up")
        for engine in self.engines.values():
            engine.faults(**FAULTS)

    @property
    def box(self):
        return self.world.box

    def kill(self):
        engine = self.chance.choice(list(self.engines.values()))
        engine.kill()
        engine.start_again()
        engine.faults(**FAULTS)

    def reload(self):
        self.box.settings["valve"]["attempts_max"] = self.chance.randint(2, 4)
        self.box.write_settings()
        self.world.assertNotIn("not loaded", self.box.reload())

    def upgrade(self):
        self.older.append(self.box.upgrade())

    def drop(self):
        self.chance.choice(list(self.engines.values())).faults(drop=True)

    def run(self):
        load = self.world.load("soak", mix=True, usage="mix", keep_alive=True, timeout=60,
                               seed=self.story.seed, **self.story.load)
        plan = [self.kill] * self.story.kills + [self.reload] * self.story.reloads
        plan += [self.drop] * self.story.drops
        self.chance.shuffle(plan)
        for number in range(self.story.upgrades):  # early, so that the last process lives longest
            plan.insert(number * 2 + 1, self.upgrade)
        began = time.monotonic()
        done = 0
        sampled = began
        while load.running() or done < len(plan):
            now = time.monotonic()
            if done < len(plan) and now - began >= done * self.story.over_s / len(plan):
                plan[done]()
                done += 1
            if self.story.sample_s and now - sampled >= self.story.sample_s:
                sampled = now
                self.story.samples.append((now - began, memory_kb(self.box.pid)))
            time.sleep(0.05)
        report = load.report(200)
        for process in self.older:
            self.world.assertEqual(process.wait(patience(60)), 0)
        self.box.wait_quiet()
        self.box.wait_stored()
        return report, load.records()

    def engine_books(self):
        """x-request-id -> what the engine that had it says; one line each."""
        books = {}
        for name, path in self.records.items():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self.world.assertNotIn(entry["request"], books, "an id was sent twice")
                books[entry["request"]] = {**entry, "node": name}
        return books

    def check(self, report, records):
        """Every request ended once in every book, and every token is the same everywhere."""
        world = self.world
        world.assertEqual(sum(report["outcomes"].values()), report["requests"])
        world.assertLessEqual(set(report["outcomes"]), FAIR, report["outcomes"])
        rows = self.box.attempts()
        by_request = defaultdict(list)
        for row in rows:
            by_request[row["request"]].append(row)
        engines = self.engine_books()
        self.check_attempts(by_request)
        self.check_rows(rows, engines)
        ids = {f"{row['request']}-{row['id']:x}" for row in rows}
        world.assertEqual([i for i in engines if i not in ids], [], "the ledger lacks what was sent")
        counts = self.check_clients(records, by_request)
        for name, engine in self.engines.items():
            wait_until(lambda e=engine: e.counters()["open"] == 0, f"nothing is open at {name}")
        return counts

    def check_attempts(self, by_request):
        for request, own in by_request.items():
            self.world.assertEqual([r["number"] for r in sorted(own, key=lambda r: r["number"])],
                                   list(range(1, len(own) + 1)), request)
            served = sum(r["outcome"] == "served" for r in own)
            self.world.assertLessEqual(served, 1, request)

    def check_rows(self, rows, engines):
        """Each attempt against the engine's own line."""
        for row in rows:
            told = engines.get(f"{row['request']}-{row['id']:x}")
            self.world.assertNotEqual(row["outcome"], "interrupted", row)
            if told is None:  # a fault before the first token, or the engine was killed in it
                self.world.assertNotEqual((row["outcome"], row["out_reported"] is not None),
                                          ("served", True), row)
                continue
            self.world.assertEqual(told["node"], row["node"])
            # never more than the engine made; all of it where it ended in good order
            self.world.assertLessEqual(row["out_counted"], told["tokens"], (row, told))
            if row["outcome"] == "served" and told["outcome"] == "ok":
                self.world.assertEqual((row["in_reported"], row["out_reported"]),
                                       (told["prompt"], told["tokens"]), (row, told))
                if told["stream"]:
                    self.world.assertEqual(row["out_counted"], told["tokens"], (row, told))
            if told["stream"] and told["outcome"] in ("cut", "error_event"):
                if row["outcome"] == "cut":
                    self.world.assertEqual(row["out_counted"], told["tokens"], (row, told))

    def check_clients(self, records, by_request):
        """Each client against the ledger. Returns how many of each kind were compared."""
        compared = Counter()
        for record in records:
            own = by_request.get(record.get("request"), [])
            last = max(own, key=lambda r: r["number"], default=None)
            if record["outcome"] == "ok":
                self.world.assertIsNotNone(last, record)
                self.world.assertEqual(last["outcome"], "served", record)
                self.world.assertEqual(last["out_reported"], record["tokens"], (record, last))
            elif record["outcome"] in ("aborted", "error_event") and record["tokens"] > 0:
                self.world.assertLessEqual(record["tokens"], last["out_counted"], (record, last))
            elif record["outcome"] == "reset":  # an answer of known length that a node broke off
                self.world.assertFalse(record["stream"], record)
                self.world.assertIn(last["outcome"], ("cut", "timed_out"), (record, last))
            compared[record["outcome"]] += 1
        return compared


def check_growth(world, story, settled_s, most_kb):
    """Memory of the process that serves, from when it had settled to the end."""
    settled = [kb for at, kb in story.samples if at >= settled_s]
    world.assertGreaterEqual(len(settled), 8, "too few samples to judge")
    quarter = len(settled) // 4
    early = sorted(settled[:quarter])[quarter // 2]
    late = sorted(settled[-quarter:])[quarter // 2]
    print(f"memory: {early} KB early, {late} KB late, {len(settled)} samples", flush=True)
    world.assertLess(late - early, most_kb)


def wait_same_descriptors(box, before):
    wait_until(lambda: descriptors(box.pid) <= before, f"at most {before} descriptors", 30)
