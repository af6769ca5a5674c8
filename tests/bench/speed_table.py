"""From figures to rows: value, target, met or missed."""

from statistics import median

GROUPS = ("cpu", "ttft", "memory", "decision", "start")
OTHERS_PERCENT_MAX = 10  # of all processors
KB = 1024
MB = 1024 * 1024


def values(figures, kind, name, field):
    return [report[field] for report in figures.get(kind, {}).get(name, [])]


def ratio(figures, kind, other, field):
    """The median over the rounds of sluiced's value by the other's of the same round."""
    pairs = zip(values(figures, kind, "sluiced", field), values(figures, kind, other, field))
    ratios = [own / others for own, others in pairs]
    return median(ratios) if ratios else None


def each(figures, kind, field, unit):
    """'sluiced 30.1, haproxy 35.2 us'"""
    found = [f"{name} {median(report[field] for report in reports):.4g}"
             for name, reports in figures.get(kind, {}).items() if reports]
    return ", ".join(found) + f" {unit}" if found else ""


def added(figures, quantile):
    rounds = figures.get("first_token", [])
    found = [turn["sluiced"][quantile] - turn["direct"][quantile] for turn in rounds]
    return median(found) / 1000 if found else None


def ttft_words(figures, quantile):
    rounds = figures.get("first_token", [])
    if not rounds:
        return ""
    times = [f"{name} {median(turn[name][quantile] for turn in rounds) / 1000:.3f}"
             for name in ("direct", "sluiced", "haproxy") if name in rounds[0]]
    return f"{', '.join(times)} ms at {median(turn['rate'] for turn in rounds):.0f} streams/s"


def memory(figures, field, name="sluiced"):
    found = figures.get("memory", {}).get(name)
    return found and found[field]


def memory_words(figures, field, unit, word):
    return ", ".join(f"{name} {found[field] / unit:.1f}"
                     for name, found in figures.get("memory", {}).items()) + f" {word}"


def start(figures, field):
    found = figures.get("start", {}).get(field)
    return median(found) if found else None


def decision(figures, field):
    found = figures.get("decision")
    return median(round_[field] for round_ in found) / 1000 if found else None


class Row:
    """`limits`: one target or two, the nearer one first; at_least: more is better."""

    def __init__(self, group, name, value, form, limits, words="", at_least=False):
        self.group, self.name, self.value, self.form = group, name, value, form
        self.limits, self.words, self.at_least = limits, words, at_least

    def reaches(self, limit):
        return self.value >= limit if self.at_least else self.value <= limit

    def verdict(self):
        if self.value is None:
            return "not measured"
        reached = [self.form.format(limit) for limit in self.limits if self.reaches(limit)]
        if len(reached) == len(self.limits):
            return "met"
        return f"met {reached[-1]}, missed {self.form.format(self.limits[-1])}" if reached else "missed"

    def target(self):
        sign = ">=" if self.at_least else "<="
        return f"{sign} " + ", then ".join(self.form.format(limit) for limit in self.limits)

    def told(self):
        value = "-" if self.value is None else self.form.format(self.value)
        return {"group": self.group, "name": self.name, "value": self.value, "shown": value,
                "target": self.target(), "verdict": self.verdict(), "words": self.words}


def all_rows(f):
    streams = memory(f, "streams")
    kept = f"memory for each of {streams} open streams" if streams else "memory for an open stream"
    unclean = f"start, killed before, {f.get('start', {}).get('ledger_rows', 0)} rows in the ledger"
    idle, stream_bytes = memory(f, "idle"), memory(f, "per_stream")
    yield Row("cpu", "CPU a request, against HAProxy", ratio(f, "whole", "haproxy", "cpu_us"),
              "{:.2f}x", [1.2, 1.0], each(f, "whole", "cpu_us", "us"))
    yield Row("cpu", "CPU a streamed token, against HAProxy",
              ratio(f, "stream", "haproxy", "cpu_us"), "{:.2f}x", [1.0, 0.8],
              each(f, "stream", "cpu_us", "us"))
    yield Row("cpu", "throughput at 10 at a time, against HAProxy",
              ratio(f, "whole", "haproxy", "per_second"), "{:.2f}x", [0.8],
              each(f, "whole", "per_second", "requests/s"), at_least=True)
    yield Row("cpu", "throughput at 10 at a time, against Portkey",
              ratio(f, "whole", "portkey", "per_second"), "{:.1f}x", [15], at_least=True)
    yield Row("ttft", "TTFT added, half load, p50", added(f, "p50"), "{:.3f} ms", [0.2],
              ttft_words(f, "p50"))
    yield Row("ttft", "TTFT added, half load, p99", added(f, "p99"), "{:.3f} ms", [1.0],
              ttft_words(f, "p99"))
    yield Row("memory", "memory, idle", idle and idle / MB, "{:.1f} MB", [20],
              memory_words(f, "idle", MB, "MB"))
    yield Row("memory", kept, stream_bytes and stream_bytes / KB, "{:.1f} KB", [16],
              memory_words(f, "per_stream", KB, "KB"))
    yield Row("decision", "decision with reservation, p99", decision(f, "p99_ns"), "{:.1f} us", [5],
              f"p50 {decision(f, 'p50_ns') or 0:.1f} us")
    yield Row("start", "start to ready", start(f, "fresh_ms"), "{:.0f} ms", [100])
    yield Row("start", unclean, start(f, "unclean_ms"), "{:.0f} ms", [100])


def rows(figures, only):
    return [row.told() for row in all_rows(figures) if row.group in only]


def text(told, figures):
    lines = [f"{'':52} {'measured':>10}  {'target':<22} verdict"]
    for row in told:
        lines.append(f"{row['name']:52} {row['shown']:>10}  {row['target']:<22} {row['verdict']}")
    details = [f"    {row['name']}: {row['words']}" for row in told if row["words"]]
    lines += ["", "Medians of all rounds:", *details]
    lines.append("")
    where = "the proxy on one processor, engine and load on another" if figures["pinned"] else \
        "one processor for all"
    lines.append(f"{figures['rounds']} rounds, interleaved; medians of each round's ratio; {where}.")
    if not figures["instructions"]:
        lines.append("Instructions are not counted: perf finds no hardware counters here.")
    else:
        for kind in ("whole", "stream"):
            lines.append(f"Instructions, {kind}: " + each(figures, kind, "instructions", ""))
    for missing in figures["missing"]:
        lines.append("Not measured: " + missing)
    if figures["others_percent"] > OTHERS_PERCENT_MAX:
        lines.append(f"WARNING: other programs took {figures['others_percent']:.0f} % of the "
                     "processors: times are worse than they would be, processor time a little.")
    return "\n".join(lines)
