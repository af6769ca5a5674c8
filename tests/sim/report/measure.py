"""Runs the measurements of a report, two at a time."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import plan

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
OURS = "predict"
NOISY = "predict:30"  # forecasts wrong by 30 % (standard deviation of the logarithm)
STATIC_KEPT = 0.99  # what the best static threshold has to keep


class Lab:
    def __init__(self, program, processes=2, talk=sys.stderr):
        self.program = program
        self.pool = ThreadPoolExecutor(processes)
        self.talk = talk
        self.began = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", file=self.talk, flush=True)

    def call(self, verb, case, **more):
        command = [self.program, verb, "--case", case.name, "--traces",
                   str(ROOT / "tests/data/traces")]
        if getattr(case, "seconds", 0):
            more["seconds"] = case.seconds
        for name, value in more.items():
            command += [f"--{name}", str(value)]
        # From the build folder: there __FILE__ leads to the cards, relative or not.
        return subprocess.run(command, capture_output=True, text=True, check=True,
                              cwd=Path(self.program).parent).stdout

    def run(self, case, policy):
        made = json.loads(self.call("run", case, policy=policy))
        self.say(f"{case.name} {policy}: {made['took_s']:.1f} s")
        return made

    def foresight(self, case):
        made = json.loads(self.call("foresight", case))
        self.say(f"{case.name} with foresight: cost {made['cost']:.4f}")
        return made

    def bound(self, case, capacity):
        law = self.call("law", case).strip()
        how = ["--floor-only"] if capacity == "floor" else ["--capacity", capacity]
        run = subprocess.run([sys.executable, str(HERE.parent / "bound.py"), "--law", law, *how],
                             input=self.call("arrivals", case), capture_output=True, text=True,
                             check=True)
        made = json.loads(run.stdout)
        self.say(f"{case.name} bound ({capacity}): {made.get('bound', made['floor']):.4f}")
        return made

    def best_static(self, case):
        """The greatest threshold that keeps STATIC_KEPT, found in hindsight, and its figures."""
        few, many, best = 0, case.n15 + 1, None
        while many - few > 1:
            middle = (few + many) // 2
            made = self.run(case, f"static-threshold:{middle}")
            if made["attainment"] >= STATIC_KEPT:
                few, best = middle, made
            else:
                many = middle
        return best

    def start_load(self, case):
        """Futures by name; the slow ones first."""
        jobs = {("policy", OURS): self.pool.submit(self.run, case, OURS)}
        if case.sweep:
            jobs["static", ""] = self.pool.submit(self.best_static, case)
            jobs["policy", f"static-threshold:{case.n15}"] = self.pool.submit(
                self.run, case, f"static-threshold:{case.n15}")
        if case.noisy:
            jobs["noisy", NOISY] = self.pool.submit(self.run, case, NOISY)
        for peer in case.peers:
            jobs["policy", peer] = self.pool.submit(self.run, case, peer)
        for capacity in case.bounds:
            jobs["bound", capacity] = self.pool.submit(self.bound, case, capacity)
        if case.foresight:
            jobs["foresight", ""] = self.pool.submit(self.foresight, case)
        return jobs

    def leased(self, case):
        made = json.loads(self.call("run", case, policy=OURS, leases="yes"))
        self.say(f"{case.name} with leases: {made['took_s']:.1f} s")
        return made

    def start(self, case):
        if isinstance(case, plan.LoadCase):
            return self.start_load(case)
        if isinstance(case, plan.LeasedCase):
            return {("policy", OURS): self.pool.submit(self.leased, case)}
        return self.start_crowd(case)

    def start_crowd(self, case):
        return {("policy", policy): self.pool.submit(self.run, case, policy)
                for policy in [OURS, *case.peers]}
