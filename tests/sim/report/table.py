"""The report as text."""

import plan
import verdict
from measure import OURS

HEAD = ("policy", "kept", "cost", "requests", "TTFT p50", "p99", "TPOT p99")
WIDTHS = (34, 8, 8, 9, 9, 9, 9)


def row(cells):
    first, *rest = cells
    return f"  {first:<{WIDTHS[0]}}" + "".join(f"{c:>{w}}" for c, w in zip(rest, WIDTHS[1:]))


def load_row(name, made):
    return row((name, f"{100 * made['attainment']:.2f} %", f"{made['cost']:.4f}",
                f"{100 * made['cloud_share']:.1f} %", f"{made['ttft_p50_s']:.2f} s",
                f"{made['ttft_p99_s']:.2f} s", f"{made['tpot_p99_ms']:.0f} ms"))


def bound_lines(results):
    words = {"ideal": "bound: LP, capacity 1 - a0 / 0.1 s", "rigorous": "bound: LP, capacity 1",
             "steps": "bound: LP, steps of this chunk"}
    floor = None
    for (kind, name), made in results.items():
        if kind != "bound":
            continue
        floor = made["floor"]
        if "bound" in made:
            yield row((words[name], "100 %", f"{made['bound']:.4f}"))
    if floor is not None:
        yield row(("bound: late on an idle engine", "100 %", f"{floor:.4f}"))
    plan_found = results.get(("foresight", ""))
    if plan_found:
        yield row(("best plan found with foresight", f"{100 * plan_found['attainment']:.2f} %",
                   f"{plan_found['cost']:.4f}", f"{100 * plan_found['cloud_share']:.1f} %"))


def load_lines(case, results):
    ours = results["policy", OURS]
    ideal = results.get(("bound", "ideal"))
    target, reached = verdict.of_load(case, ours, ideal["bound"] if ideal else None)
    yield f"{case.title}: {ours['requests']} requests"
    yield f"  to reach {target}: {reached}" + (f"; study {case.study}" if case.study else "")
    noisy = next((made for (kind, _), made in results.items() if kind == "noisy"), None)
    if noisy:
        wanted, got, reached = verdict.of_noise(ours, noisy)
        yield f"  with forecasts wrong by 30 %, to reach {wanted}: {got}: {reached}"
    yield row(HEAD)
    yield load_row("the valve", ours)
    if noisy:
        yield load_row("the valve, forecasts wrong by 30 %", noisy)
    for (kind, name), made in results.items():
        if kind == "policy" and name != OURS:
            yield load_row(name, made)
        if kind == "static":
            yield load_row("best static in hindsight" if made is None else
                           f"best static in hindsight, N = {made['policy'].split(':')[1]}",
                           made) if made else "  best static in hindsight: none keeps 99 %"
    yield from bound_lines(results)


def leased_lines(case, results):
    ours = results["policy", OURS]
    target, reached = verdict.of_leased(case, ours)
    yield f"{case.title}: {ours['requests']} requests"
    yield f"  to reach {target}: {reached}"
    yield (f"  the valve{'':<11}kept {100 * ours['attainment']:.2f} %, {ours['starts']} starts "
           f"({ours['starts_per_day']:.1f} a day), {ours['leased_hours']:.2f} instance-hours; cost "
           f"{ours['per_token_cost']:.4f} per token + {ours['lease_cost']:.4f} leased")


def crowd_figures(case, made):
    if case.name.startswith("report"):
        return (f"mean {made['mean_s']:.1f} s, p95 {made['p95_s']:.1f} s, cloud "
                f"{100 * made['cloud_share']:.1f} % (least {100 * made['least_share']:.1f} %)")
    if case.name.startswith("fairness"):
        return (f"the others kept {100 * made['others_before']:.2f} % before, "
                f"{100 * made['others']:.2f} % during; the flooding key {100 * made['flooding']:.2f} %")
    return (f"{made['served_in_storm']} served and {made['given_up']} given up, the last "
            f"{made['last_given_up_after_s']:.1f} s after the storm; then {made['served_after']} served")


def crowd_lines(case, results):
    target, reached = verdict.of_crowd(case, results["policy", OURS])
    yield f"{case.title}"
    yield f"  to reach {target}: {reached}"
    for (_, name), made in results.items():
        yield f"  {'the valve' if name == OURS else name:<20}{crowd_figures(case, made)}"


def text(results):
    lines = ["Service level: TTFT < 2 s and mean TPOT < 100 ms, kept by a share of the requests.",
             "Cost: weighted tokens (input + 4 x output) sent to a per-token cloud, cloud-only = 1.", ""]
    by_kind = {plan.LoadCase: load_lines, plan.LeasedCase: leased_lines, plan.CrowdCase: crowd_lines}
    for case, made in results:
        lines += [*by_kind[type(case)](case, made), ""]
    return "\n".join(lines)
