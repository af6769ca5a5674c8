"""kill -9 under load, 200 times: it starts clean each time, and no attempt whose last byte was sent is
missing from the books."""

import json
import os
import sqlite3
from collections import Counter

from programs import wait_until
from world import World, cloud, local

KILLS = int(os.environ.get("KILLS", "200"))
MIDDLING = ("--base-ms", 2, "--per-seq-ms", 0.02, "--prefill-tps", 0)
AT_ONCE = 30


class Kills(World):
    def check_ledger_file(self):
        ledger = sqlite3.connect(f"file:{self.box.state}/ledger.db?mode=ro", uri=True)
        try:
            self.assertEqual(ledger.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        finally:
            ledger.close()

    def test_killed_again_and_again_nothing_that_was_sent_is_missing(self):
        records = {name: self.folder / f"{name}-records.jsonl" for name in ("gpu", "far")}
        gpu, far = (self.engine(name, (*MIDDLING, "--records", path))
                    for name, path in records.items())
        self.start_box([local(gpu, limits={"concurrency": 10}), cloud(far)],
                       decisions={"keep": 10, "journal_bytes_max": 4 << 20})
        served = []  # requests whose last byte the client has
        for number in range(KILLS):
            before = gpu.counters()["completed"] + far.counters()["completed"]
            load = self.load(f"round-{number}", concurrency=AT_ONCE, requests=150, max_tokens=20,
                             mix=True, usage="mix", seed=number + 1)
            wanted = before + 20 + number % 60
            wait_until(lambda e=wanted: gpu.counters()["completed"] + far.counters()["completed"]
                       >= e, "load is served")
            self.box.kill()
            self.box.start_again()
            report = load.report()
            served += [r["request"] for r in load.records() if r["outcome"] == "ok"]
            self.assertEqual(sum(report["outcomes"].values()), 150)
            self.assertNotIn("corrupt", self.box.log())
        self.box.wait_quiet()
        self.box.wait_stored()
        rows = self.box.attempts()
        outcomes = Counter(r["outcome"] for r in rows)
        print(f"{KILLS} kills, {len(rows)} attempts: {dict(outcomes)}", flush=True)
        booked = Counter(r["request"] for r in rows if r["outcome"] == "served")
        self.assertGreater(len(served), 20 * KILLS)
        self.assertEqual([r for r in served if booked[r] != 1], [], "served, and not in the ledger")
        self.assertEqual(max(Counter((r["request"], r["number"]) for r in rows).values()), 1)
        self.assertLessEqual(outcomes["interrupted"], AT_ONCE * KILLS)
        self.check_engines(rows, records)
        self.check_ledger_file()
        self.stop_box()

    def check_engines(self, rows, records):
        """What an engine was asked is in the ledger, and served answers have its tokens."""
        known = {f"{r['request']}-{r['id']:x}": r for r in rows}
        for path in records.values():
            for line in path.read_text().splitlines():
                told = json.loads(line)
                row = known.get(told["request"])
                self.assertIsNotNone(row, told)
                if row["outcome"] == "served":
                    self.assertEqual((row["in_reported"], row["out_reported"]),
                                     (told["prompt"], told["tokens"]), row)
