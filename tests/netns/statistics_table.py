"""Rows of measurements: their statistics, what they should reach, and the table."""

import math
from dataclasses import dataclass, field


@dataclass
class Goal:
    """Of a measure: at which statistic it is judged, and by which bound; `least`: it must reach it."""
    measure: str
    statistic: str = "median"
    bound: float = 0.0
    least: bool = False
    unit: str = "ms"

    def text(self):
        if self.bound == 0 and not self.least:
            return f"{self.statistic} 0"
        return f"{self.statistic} {'>=' if self.least else '<='} {self.bound:g}"


@dataclass
class Result:
    row: str
    event: str
    backend: str = ""
    trials: list = field(default_factory=list)  # dicts of measure -> value
    failures: list = field(default_factory=list)  # words
    notes: list = field(default_factory=list)

    def values(self, measure):
        return sorted(t[measure] for t in self.trials if t.get(measure) is not None)


def quantile(values, share):
    """The nearest rank."""
    return values[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


def statistics(values):
    return {"trials": len(values), "min": values[0], "median": quantile(values, 0.5),
            "p95": quantile(values, 0.95), "max": values[-1]}


def judged(goal, values, slack=1.0):
    """Whether it is reached; `slack` widens bounds of time for machines that are busy."""
    value = statistics(values)[goal.statistic]
    if goal.least:
        return value >= goal.bound
    return value <= goal.bound * (slack if goal.unit == "ms" else 1)


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def lines_of(result, goals, slack=1.0):
    """(text lines, whether every goal is reached)"""
    lines, good = [], not result.failures
    measures = list(dict.fromkeys(g.measure for g in goals))
    measures += [m for m in sorted({m for t in result.trials for m in t}) if m not in measures]
    for measure in measures:
        values = result.values(measure)
        own = [g for g in goals if g.measure == measure]
        if not values:
            if own:
                lines.append((measure, None, "; ".join(g.text() for g in own), "NOT MEASURED"))
                good = False
            continue
        reached = all(judged(g, values, slack) for g in own)
        good = good and reached
        verdict = "" if not own else "ok" if reached else "MISSED"
        lines.append((measure, statistics(values), "; ".join(g.text() for g in own), verdict))
    head = f"{result.row}: {result.event}" + (f" ({result.backend})" if result.backend else "")
    text = [head]
    for measure, stats, target, verdict in lines:
        shown = "" if stats is None else (
            f"n={stats['trials']:<3} min {number(stats['min']):>6}  median "
            f"{number(stats['median']):>6}  p95 {number(stats['p95']):>6}  max {number(stats['max']):>6}")
        text.append(f"  {measure:<26} {shown:<62} {target:<16} {verdict}")
    text += [f"  note: {note}" for note in result.notes]
    text += [f"  FAILED: {failure}" for failure in result.failures]
    return text, good
