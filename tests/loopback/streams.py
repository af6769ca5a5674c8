"""Many streams at a time, and every byte of each checked, while the settings are read again and the
daemon is upgraded in place. Used by upgrade_test.py and, larger, by streams_nightly.py."""

import time
from collections import Counter

from programs import patience, wait_until
from world import cloud


def check(world, streams, reloads, upgrades, seconds, limit=None):
    """`streams` answers of about `seconds` each are open when everything happens."""
    tokens = 50
    step_ms = 1000 * seconds / tokens
    engines = [world.engine(name, ("--base-ms", step_ms, "--per-seq-ms", 0, "--prefill-tps", 0,
                                   "--max-num-seqs", streams, "--kv-tokens", 1 << 30,
                                   "--chunk-tokens", 1 << 20))  # all prompts in one step
               for name in ("gpu-a", "gpu-b")]
    # Cloud nodes: how many a local engine may have at a time is not the question here.
    world.start_box([cloud(e) for e in engines],
                    service_levels=[{"name": "default", "ttft_ms": 60000, "tpot_ms": 10000}],
                    limits={"connections_per_address_max": 4 * streams,
                            "stream_idle_ms_max": 600000})
    load = world.load("many", concurrency=streams, requests=streams, max_tokens=tokens, stream=True,
                      ramp=min(20, streams / 500), timeout=600)

    def open_streams():
        return sum(e.counters()["open"] for e in engines)
    wait_until(lambda: open_streams() == streams, f"{streams} streams are open", 60)
    began = time.monotonic()
    older = []
    rounds = max(reloads, upgrades)
    for number in range(rounds):  # the upgrades last: the first process hears most reloads
        if number < reloads:
            world.box.settings["valve"] = {"attempts_max": 3 + number % 2}
            world.box.write_settings()
            world.assertNotIn("not loaded", world.box.reload())
        if number >= rounds - upgrades:
            older.append(world.box.upgrade())
    still_open = open_streams()
    took = time.monotonic() - began
    report = load.report(600)
    for process in older:
        world.assertEqual(process.wait(patience(60)), 0)
    world.assertEqual(report["outcomes"], {"ok": streams}, report["explained"])
    world.assertEqual(still_open, streams, f"streams ended before all was done, in {took:.1f} s")
    world.box.wait_stored()
    rows = world.box.attempts()
    world.assertEqual(Counter(r["outcome"] for r in rows), {"served": streams})
    world.assertEqual(sum(e.counters()["completed"] for e in engines), streams)
    world.assertEqual(sum(r["out_counted"] for r in rows), streams * tokens)
    world.stop_box()
    print(f"{streams} streams open at once, {reloads} reloads and {upgrades} upgrades in "
          f"{took:.1f} s: 0 broken, {len(rows)} rows in the ledger", flush=True)
