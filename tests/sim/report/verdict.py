"""What was reached against what was to be reached; computed, never typed."""

MET, MISSED, SHOWN = "met", "MISSED", "shown"
REPORT_MEAN_MAX_S = 44.0
REPORT_SHARE_OVER_LEAST = 0.05
OTHERS_LOSE_MAX = 0.01
NOISE_LOSES_MAX, NOISE_COST_TIMES = 0.01, 1.1


def word(reached):
    return MET if reached else MISSED


def of_load(case, ours, ideal_bound):
    """(the target in words, the verdict)."""
    cost_max, words = case.cost_max, ""
    if case.bound_times is not None:
        if ideal_bound is None:
            return "no bound was made", MISSED
        cost_max = case.bound_times * ideal_bound
        words = f" ({case.bound_times} x the bound {ideal_bound:.3f})"
    if case.attainment_min is None or cost_max is None:
        return "no target", SHOWN
    reached = ours["attainment"] >= case.attainment_min and ours["cost"] <= cost_max
    return f">= {100 * case.attainment_min:.1f} % at <= {cost_max:.3f}{words}", word(reached)


def of_noise(ours, noisy):
    lost, times = ours["attainment"] - noisy["attainment"], noisy["cost"] / max(ours["cost"], 1e-9)
    return (f"<= 1 point lost at <= {NOISE_COST_TIMES} x the cost",
            f"{100 * lost:.2f} points at {times:.2f} x",
            word(lost <= NOISE_LOSES_MAX and times <= NOISE_COST_TIMES))


def of_leased(case, ours):
    reached = (ours["attainment"] >= case.attainment_min
               and ours["starts_per_day"] <= case.starts_per_day_max)
    return (f">= {100 * case.attainment_min:.1f} %, <= {case.starts_per_day_max:.0f} starts a day",
            word(reached))


def of_report(ours):
    share_max = ours["least_share"] + REPORT_SHARE_OVER_LEAST
    reached = ours["mean_s"] <= REPORT_MEAN_MAX_S and ours["cloud_share"] <= share_max
    return f"mean <= {REPORT_MEAN_MAX_S:.0f} s, cloud <= {100 * share_max:.1f} %", word(reached)


def of_fairness(ours):
    lost = ours["others_before"] - ours["others"]
    return "the others lose <= 1 point", word(lost <= OTHERS_LOSE_MAX)


def of_storm(ours):
    reached = (ours["last_given_up_after_s"] <= ours["patience_s"] and ours["served_in_storm"] > 0
               and ours["served_after"] > 0)
    return "nobody gives up later than one timeout after the storm", word(reached)


def of_crowd(case, ours):
    if case.name.startswith("report"):
        return of_report(ours)
    return of_fairness(ours) if case.name.startswith("fairness") else of_storm(ours)


def contradictions(case, results):
    """What cannot be, if bounds, plans and the simulated site agree."""
    found = []
    floors = [made.get("bound", made["floor"]) for (kind, name), made in results.items()
              if kind == "bound" and name in ("rigorous", "steps", "floor")]
    least = max(floors, default=0)
    for (kind, name), made in results.items():
        if kind == "bound" or made is None:
            continue
        # One request in a thousand may miss, and may be one of the heaviest.
        if made["attainment"] >= 0.9999 and made["cost"] < least - 0.002:
            found.append(f"{case.name}: {kind} {name} keeps {made['attainment']:.4f} at "
                         f"{made['cost']:.4f}, below the bound {least:.4f}")
    return found
