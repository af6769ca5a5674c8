#!/usr/bin/python3
"""The least that any valve can send to the cloud: a lower bound, by linear programming.

    tests/sim/bound.py --law A0,A1,A2,P[,CHUNK] [--capacity ideal|rigorous|steps] [--bin S]
                       [--ttft S] [--tpot S] [--floor-only] < arrivals.csv

Reads lines "at_us,prompt,output" (sim-report --arrivals prints them) and the marginal costs of the
engine in seconds: a step takes A0 + A1 b + A2 K + P c (tests/sim/trace.h). Prints one line of JSON:
the bound as a share of the weighted tokens (input + 4 x output) of all requests.

The program: which part x_i of each request, with perfect foresight, is served here, if every
served part keeps its service level? Its prefill, P p seconds of work, lies between arrival and the
latest first token; its decoding, L (A1 + A2 (P + L / 2)), between arrival and the latest last
token; the engine does at most `capacity` seconds of work in a second:

    least sum w_i (1 - x_i),   sum_b y_ib = P p x_i,   sum_b z_ib = decoding x_i,
    sum_i (y_ib + z_ib) <= capacity x bin              for each bin b that the window touches

It is a bound because everything is allowed that a real engine could do, and more: parts of
requests, work in any order within a window, windows widened to whole bins. Narrower bins tighten it.
`ideal` takes 1 - A0 / tpot as the capacity: ten steps a second always, which holds in overload.
`rigorous` takes 1: it holds whatever the engine does.
`steps` takes 1 too, and knows the engine's chunk: n prompt tokens need at least n / CHUNK steps, each
of which costs A0 whatever else is in it, so P grows to P + A0 / CHUNK; and who would miss the first
token on an idle engine is served elsewhere. It holds whatever an engine with this chunk does.

`floor` is the last part alone: the weight of those whose own prompt takes too long on an idle engine.
No valve that keeps every service level can send less than this.

Solved by clp (Debian's coinor-clp).
"""

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOLVE_SECONDS_MAX = 600


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--law", required=True, help="A0,A1,A2,P in seconds, CHUNK in tokens")
    parser.add_argument("--floor-only", action="store_true", help="solve nothing")
    parser.add_argument("--capacity", choices=("ideal", "rigorous", "steps"), default="ideal")
    parser.add_argument("--bin", type=float, default=1.0, help="seconds")
    parser.add_argument("--ttft", type=float, default=2.0, help="seconds")
    parser.add_argument("--tpot", type=float, default=0.1, help="seconds")
    return parser.parse_args()


class Program:
    """The linear program of these arrivals, as free-form MPS."""

    def __init__(self, arrivals, chosen):
        self.arrivals = arrivals
        self.weights = [prompt + 4 * output for _, prompt, output in arrivals]
        law = list(map(float, chosen.law.split(",")))
        self.step, self.per_sequence, self.per_kv, self.per_prompt = law[:4]
        self.chunk = law[4] if len(law) > 4 else math.inf
        self.chosen = chosen
        self.capacity = 1 - self.step / chosen.tpot if chosen.capacity == "ideal" else 1.0
        self.never = [self.is_late_alone(prompt) for _, prompt, _ in arrivals]

    def is_late_alone(self, prompt):
        steps = math.ceil(prompt / self.chunk) if self.chunk < math.inf else 1
        return steps * self.step + prompt * self.per_prompt > self.chosen.ttft

    def floor(self):
        return sum(w for w, never in zip(self.weights, self.never) if never) / sum(self.weights)

    def windows(self):
        """Bins: of the arrival, of the latest first token, of the latest last token."""
        for at_us, _, output in self.arrivals:
            at = at_us / 1e6
            first = at + self.chosen.ttft
            last = first + self.chosen.tpot * output
            yield tuple(int(moment // self.chosen.bin) for moment in (at, first, last))

    def works(self):
        by_steps = self.chosen.capacity == "steps"
        per_prompt = self.per_prompt + (self.step / self.chunk if by_steps else 0)
        for _, prompt, output in self.arrivals:
            decoding = output * (self.per_sequence + self.per_kv * (prompt + output / 2))
            yield per_prompt * prompt, decoding

    def lines(self):
        windows = list(self.windows())
        bins = sorted({b for begin, _, last in windows for b in range(begin, last + 1)})
        total = sum(self.weights)
        by_steps = self.chosen.capacity == "steps"
        yield "NAME bound FREE\nROWS\n N served"
        for i in range(len(windows)):
            yield f" E p{i}\n E d{i}"
        for b in bins:
            yield f" L c{b}"
        yield "COLUMNS"
        for i, (window, work) in enumerate(zip(windows, self.works())):
            yield f" x{i} served {-100 * self.weights[i] / total:.10g}"
            yield f" x{i} p{i} {-work[0]:.10g} d{i} {-work[1]:.10g}"
            for b in range(window[0], window[1] + 1):
                yield f" y{i}_{b} p{i} 1 c{b} 1"
            for b in range(window[0], window[2] + 1):
                yield f" z{i}_{b} d{i} 1 c{b} 1"
        yield "RHS"
        for b in bins:
            yield f" rhs c{b} {self.capacity * self.chosen.bin:.10g}"
        yield "BOUNDS"
        for i in range(len(windows)):
            yield f" UP bnd x{i} {0 if by_steps and self.never[i] else 1}"
        yield "ENDATA"


def solve(program):
    """The greatest share of the weight that can be served here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bound.mps"
        with path.open("w") as file:
            for line in program.lines():
                file.write(line + "\n")
        run = subprocess.run(["clp", str(path), "-dualsimplex"], capture_output=True, text=True,
                             timeout=SOLVE_SECONDS_MAX, check=True)
    found = re.search(r"Optimal objective (-?[0-9.e+-]+)", run.stdout)
    if not found:
        sys.exit("bound: clp found no optimum:\n" + run.stdout[-2000:])
    return -float(found.group(1)) / 100


def main():
    chosen = options()
    arrivals = [tuple(map(int, line.split(","))) for line in sys.stdin if line.strip()]
    if not arrivals:
        sys.exit("bound: no arrivals on the standard input")
    program = Program(arrivals, chosen)
    told = {"floor": round(program.floor(), 5), "requests": len(arrivals)}
    if not chosen.floor_only:
        told.update({"bound": round(1 - solve(program), 5), "capacity": round(program.capacity, 4),
                     "bin_s": chosen.bin})
    print(json.dumps(told))


if __name__ == "__main__":
    main()
