"""Thousands of requests among faults: each ends once, for the client and in every book."""

from collections import Counter, defaultdict

import programs
from programs import wait_until
from world import World, chat, cloud, descriptors, local, memory_kb

FAULTS = dict(refuse=0.02, hang=0.005, reset=0.02, stall=0.005, cut=0.02, status503=0.02,
              status429=0.02, status500=0.02, malformed=0.02, badjson=0.02, retry_after_s=0)
SHORT = {"valve": {"first_byte_ms_max": 1500}, "limits": {"stream_idle_ms_max": 1000}}
REQUESTS = 2000
LEAK_KB = 6 * 1024


class Faults(World):
    def start_three(self, **faults):
        self.engines = {name: self.engine(name) for name in ("gpu", "cloud-a", "cloud-b")}
        for engine in self.engines.values():
            engine.faults(**faults)
        gpu, a, b = self.engines.values()
        # Few on the local engine, so that all three are used.
        self.start_box([local(gpu, untried_concurrency=12, limits={"concurrency": 12}), cloud(a),
                        cloud(b)], decisions={"keep": 10}, **SHORT)

    def run_load(self, name, **more):
        report = self.load(name, concurrency=40, requests=REQUESTS, mix=True, usage="mix",
                           max_tokens=10, keep_alive=True, timeout=60, **more).report(200)
        self.assertEqual(report["requests"], REQUESTS)
        self.assertEqual(sum(report["outcomes"].values()), REQUESTS)
        self.box.wait_quiet()
        self.box.wait_stored()
        return report

    def check_numbers(self, rows):
        """Attempts of a request are numbered 1..n; answers are given once."""
        numbers, outcomes = defaultdict(list), defaultdict(list)
        for row in rows:
            numbers[row["request"]].append(row["number"])
            outcomes[row["request"]].append(row["outcome"])
        for request, own in numbers.items():
            self.assertEqual(sorted(own), list(range(1, len(own) + 1)), request)
            # attempts_max, and one on a connection that the node had closed, which is not counted
            self.assertLessEqual(len(own), 3 + 1)
            self.assertLessEqual(outcomes[request].count("served"), 1, request)
        return numbers

    def check_metrics(self, rows):
        totals = Counter()
        for labels, value in self.box.metrics()["sluice_attempts_total"]:
            totals[labels["node"], labels["outcome"]] += int(value)
        books = Counter((r["node"], r["outcome"]) for r in rows)
        self.assertEqual({k: v for k, v in totals.items() if v}, dict(books))

    def wait_drained(self, count):
        """Connections to nodes rest for a while; after it no descriptor is left over."""
        wait_until(lambda: descriptors(self.box.pid) <= count, f"at most {count} descriptors", 20)

    def test_the_books_of_client_box_and_engines_agree_to_the_request(self):
        self.start_three(**FAULTS)
        report = self.run_load("exact")
        rows = self.box.attempts()
        numbers = self.check_numbers(rows)
        self.check_metrics(rows)
        # Every request was admitted and had a node: none is missing, none is there twice.
        self.assertEqual(len(numbers), REQUESTS)
        by_node = Counter(r["node"] for r in rows)
        busy = Counter(r["node"] for r in rows if r["outcome"] == "busy")
        served = Counter(r["node"] for r in rows if r["outcome"] == "served")
        never_sent = Counter(r["node"] for r in rows if r["outcome"] == "failed"
                             and r["status"] == 0)
        for name, engine in self.engines.items():
            counters = engine.counters()
            faults = counters["faults"]
            self.assertGreater(counters["received"], 100, f"{name} was hardly used")
            # A request on a connection that the engine was closing never reached it.
            self.assertLessEqual(counters["received"], by_node[name])
            self.assertLessEqual(by_node[name] - counters["received"], never_sent[name])
            self.assertEqual(busy[name], faults["status503"] + faults["status429"])
            # A whole answer that is not JSON is passed on: bytes are not judged.
            self.assertLessEqual(counters["completed"], served[name])
            self.assertLessEqual(served[name] - counters["completed"], faults["badjson"])
            self.assertEqual(counters["open"], 0)
        self.assertGreater(report["outcomes"]["ok"], 0.8 * REQUESTS)
        self.stop_box()
        self.assertEqual(len(self.box.attempts()), len(rows))

    def test_aborts_among_faults_leave_nothing_behind_and_every_decision_replays(self):
        self.start_three(**FAULTS)
        self.box.wait_node("cloud-b", "up")
        wait_until(lambda: self.box.node("gpu")["age_ms"] is not None, "all nodes are probed")
        at_rest = descriptors(self.box.pid)
        first = self.run_load("first", abort_probability=0.1, abort_within=0.1)
        self.assertGreater(first["outcomes"]["aborted"], 50)
        self.wait_drained(at_rest)
        memory_of_first = memory_kb(self.box.pid)
        self.run_load("second", abort_probability=0.1, abort_within=0.1)
        self.wait_drained(at_rest)
        grown_kb = memory_kb(self.box.pid) - memory_of_first
        rows = self.box.attempts()
        numbers = self.check_numbers(rows)
        self.check_metrics(rows)
        self.assertLessEqual(len(numbers), 2 * REQUESTS)
        gone = Counter(r["node"] for r in rows if r["outcome"] == "client_gone")
        failed = Counter(r["node"] for r in rows if r["outcome"] == "failed" and r["status"] == 0)
        for name, engine in self.engines.items():
            received = engine.counters()["received"]
            sent = sum(1 for r in rows if r["node"] == name)
            self.assertLessEqual(received, sent)
            self.assertLessEqual(sent - received, gone[name] + failed[name])
        if not programs.SETUP.sanitized:  # freed memory stays in quarantine there
            self.assertLess(grown_kb, LEAK_KB)
        made = self.box.decisions_made()
        self.assertGreaterEqual(made, len(numbers))
        self.stop_box()
        replay = self.box.command("replay", "--quiet", *self.box.journals())
        self.assertEqual(replay.stdout, f"{made} of {made} decisions replay to the same plan; "
                                        "0 lines unreadable\n")

    def test_a_broken_answer_is_an_error_and_the_next_request_is_served(self):
        self.start_three()
        for engine in self.engines.values():
            engine.faults(status500=1)
        status, _, body = chat(self.box.api, self.box.key)
        self.assertEqual(status, 500, body)
        for engine in self.engines.values():
            engine.faults(clear=True)
        wait_until(lambda: chat(self.box.api, self.box.key)[0] == 200, "served again")
        self.stop_box()
        self.assertEqual([r["number"] for r in self.box.attempts("outcome = 'failed'")][:3],
                         [1, 2, 3])
