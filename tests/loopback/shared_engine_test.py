"""An engine that clients use past the box, or whose metrics cannot be believed: what the box takes
for true. queue_accuracy_test.py says how near it is."""

import json
import socket

from programs import ask, patience, wait_until
from world import World, local

SLOW = ("--base-ms", 20, "--per-seq-ms", 0, "--prefill-tps", 0, "--max-num-seqs", 8)
# How the stand-in speaks, and the driver that reads it.
DIALECTS = (("v1", "vllm"), ("v0", "vllm"), ("sglang", "sglang"), ("tgi", "tgi"),
            ("llamacpp", "llamacpp"), ("trtllm", "trtllm-serve"), ("mindie", "mindie"))


class SharedEngine(World):
    def start_shared(self, options=SLOW, driver="vllm"):
        self.gpu = self.engine("gpu", options)
        self.start_nodes([{**local(self.gpu, untried_concurrency=1000), "engine": driver}])

    def start_nodes(self, nodes):
        self.start_box(nodes, service_levels=[{"name": "default", "ttft_ms": 600000,
                                               "tpot_ms": 60000}])

    def truth(self, engine=None):
        return json.loads(ask((engine or self.gpu).address, "GET", "/testbed/truth")[2])

    def belief(self, engine=None):
        return self.box.node((engine or self.gpu).name).get("queue")

    def open_streams(self, address, key, count, model="demo"):
        """That many streams without end."""
        streams = []
        body = json.dumps({"model": model, "stream": True, "max_tokens": 3000,
                           "messages": [{"role": "user", "content": "of the water"}]})
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        for _ in range(count):
            host, port = address.rsplit(":", 1)
            client = socket.create_connection((host, int(port)), timeout=patience(20))
            client.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\n"
                            f"{authorization}Content-Type: application/json\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            streams.append(client)
        return streams

    def close(self, streams):
        for stream in streams:
            stream.close()

    def wait_belief(self, running, waiting, others, seconds=10, engine=None):
        def fits():
            told = self.belief(engine)
            return told and all(abs(told[name] - value) <= 0.5 for name, value in
                                (("running", running), ("waiting", waiting), ("others", others)))
        try:
            wait_until(fits, "", seconds)
        except AssertionError:
            self.fail(f"wanted {running} running, {waiting} waiting, {others} of others; "
                      f"believed {self.belief(engine)}, true {self.truth(engine)}")

    def test_every_dialect_tells_who_runs_who_waits_and_how_many_are_not_ours(self):
        engines = {}
        nodes = []
        for dialect, driver in DIALECTS:
            engine = self.engine(f"gpu-{dialect}", (*SLOW, "--metrics", dialect), model=dialect)
            engines[dialect] = engine
            nodes.append({**local(engine, untried_concurrency=1000), "engine": driver,
                          "models": [{"name": dialect}]})
        self.start_nodes(nodes)
        for dialect, engine in engines.items():
            with self.subTest(dialect):
                ours = self.open_streams(self.box.api, self.box.key, 6, dialect)
                wait_until(lambda: self.truth(engine)["running"] == 6, "ours run")
                past = self.open_streams(engine.address, None, 5, dialect)
                wait_until(lambda: self.truth(engine)["waiting"] == 3, "eleven are in the engine")
                self.wait_belief(running=8, waiting=3, others=5, engine=engine)
                self.close(past)
                self.wait_belief(running=6, waiting=0, others=0, engine=engine)
                self.close(ours)
                self.wait_belief(running=0, waiting=0, others=0, engine=engine)
        self.stop_box()

    def test_pages_that_come_late_while_it_decodes_leave_our_own_count(self):
        self.start_shared((*SLOW, "--metrics", "llamacpp", "--faults", "metrics_late_s=3"), "llamacpp")
        wait_until(lambda: self.belief()["source"] == "engine and own count", "it was read, idle")
        ours = self.open_streams(self.box.api, self.box.key, 7)
        wait_until(lambda: self.truth()["running"] == 7, "seven are in the engine")
        self.wait_belief(running=7, waiting=0, others=0, seconds=5)
        wait_until(lambda: self.belief()["confidence"] == "stale", "no page was read since")
        self.wait_belief(running=7, waiting=0, others=0)
        self.close(ours)

    def test_a_lie_of_nothing_leaves_what_we_know_and_what_the_work_shows(self):
        self.start_shared()
        ours = self.open_streams(self.box.api, self.box.key, 4)
        past = self.open_streams(self.gpu.address, None, 4)
        self.wait_belief(running=8, waiting=0, others=4)
        self.gpu.faults(lie="zero")
        wait_until(lambda: "fewer" in self.belief()["source"], "the page is doubted")
        wait_until(lambda: self.belief()["age_ms"] > 4000, "nothing was believed for a while")
        told = self.belief()
        self.assertEqual(told["confidence"], "stale")
        self.assertGreaterEqual(told["running"] + told["waiting"], 4)
        self.assertAlmostEqual(told["others"], 4, delta=1.5)  # by the tokens that it makes
        self.gpu.faults(lie="off")
        wait_until(lambda: self.belief()["confidence"] == "derived", "the page is believed again")
        self.wait_belief(running=8, waiting=0, others=4)
        self.close(ours + past)

    def test_a_claimed_queue_that_nobody_waits_in_is_not_believed(self):
        self.start_shared()
        load = self.load(concurrency=4, duration=12, max_tokens=10)
        wait_until(lambda: self.truth()["running"] >= 2, "the load runs")
        wait_until(lambda: self.gpu.counters()["completed"] > 20, "times are known", 20)
        self.gpu.faults(lie="overload")
        wait_until(lambda: "queue" in self.belief()["source"], "the page is doubted", 20)
        wait_until(lambda: self.belief()["running"] + self.belief()["waiting"] < 12,
                   "the claim is forgotten", 20)
        load.report()

    def test_a_frozen_page_is_found_out_and_forgotten_when_it_moves(self):
        self.start_shared()
        load = self.load(concurrency=4, duration=8, max_tokens=10, mix=True)
        wait_until(lambda: self.gpu.counters()["completed"] > 10, "the load runs", 20)
        self.gpu.faults(metrics_frozen=True)
        wait_until(lambda: "stands still" in self.belief()["source"], "it is found out", 5)
        self.gpu.faults(metrics_frozen=False)
        wait_until(lambda: self.belief()["source"] == "engine and own count", "it is believed", 5)
        load.report()

    def test_gauges_held_after_idle_are_forgotten_before_the_engine_lets_go(self):
        self.start_shared((*SLOW, "--faults", "metrics_hold_s=30"))
        load = self.load(concurrency=6, duration=4, max_tokens=10, mix=True)
        load.report()
        wait_until(lambda: self.truth()["running"] == 0, "it is idle")
        page = ask(self.gpu.address, "GET", "/metrics")[2]
        self.assertRegex(page, r"vllm:num_requests_running{[^}]*} [1-9]")
        self.wait_belief(running=0, waiting=0, others=0, seconds=15)

    def test_pages_of_two_seconds_ago_are_found_out_and_their_time_is_allowed_for(self):
        self.start_shared(("--base-ms", 10, "--per-seq-ms", 1, "--prefill-tps", 0,
                                   "--faults", "metrics_lag_s=2"))
        load = self.load(rate=15, seed=3, duration=20, max_tokens=40)
        wait_until(lambda: abs(self.belief()["lag_ms"] - 2000) <= 300, "the lag is found", 20)
        self.assertEqual(self.belief()["confidence"], "learnt")
        load.report()

    def test_a_restart_of_the_counters_leaves_nobody_behind(self):
        self.start_shared()
        ours = self.open_streams(self.box.api, self.box.key, 2)
        past = self.open_streams(self.gpu.address, None, 3)
        self.wait_belief(running=5, waiting=0, others=3)
        self.gpu.faults(counters_restart=True)
        self.wait_belief(running=5, waiting=0, others=3)
        self.close(ours + past)
        self.wait_belief(running=0, waiting=0, others=0)
