"""Which cases are measured with which policies, and what is to be reached."""

from dataclasses import dataclass, field

PEERS = ["local-only", "round-robin", "least-outstanding", "queue-kv:5", "queue-kv:0", "cache-aware",
         "prefix-hash", "cloud-only"]
CROWD_PEERS = ["local-only", "round-robin", "least-outstanding", "queue-kv:5", "queue-kv:0"]


@dataclass
class LoadCase:
    """Recorded arrivals. `cost_max` is a share of the weighted tokens, cloud-only = 1."""

    name: str
    title: str
    attainment_min: float | None = None
    cost_max: float | None = None
    bound_times: float | None = None  # instead of cost_max: so many times the linear program's bound
    study: str = ""
    n15: int = 0                      # published capacity at 15 tokens/s: the static threshold
    bounds: tuple = ("ideal", "rigorous", "steps")
    peers: list = field(default_factory=lambda: list(PEERS))
    sweep: bool = True                # the best static threshold in hindsight
    foresight: bool = True
    seconds: float = 0                # only the first so many
    noisy: bool = False               # once more with forecasts that are wrong by a factor


@dataclass
class CrowdCase:
    name: str
    title: str
    peers: list = field(default_factory=list)


@dataclass
class LeasedCase:
    """A load case with leased instances beside the endpoint that is paid per token."""

    name: str
    title: str
    attainment_min: float = 0.999
    starts_per_day_max: float = 10
    seconds: float = 0


STANDARD_LOADS = [
    LoadCase("conv-0.7", "chat, H20x2, chunk 192, rho 0.7", 0.999, 0.17, study=".999 at .158", n15=80,
             noisy=True),
    LoadCase("conv-1.0", "chat, H20x2, chunk 192, rho 1.0", 0.999, 0.23, study=".999 at .214", n15=80,
             noisy=True),
    LoadCase("conv-1.5", "chat, H20x2, chunk 192, rho 1.5", 0.989, bound_times=1.4,
             study=".989 at .321", n15=80, noisy=True),
    LoadCase("r1-peak", "R1, H20x4, chunk 416, rho 0.8, 3 h around the peak", 0.999, 0.09,
             study="1.000 at .081 (24 h)", n15=149, bounds=("floor",), noisy=True),
    LoadCase("r1-peak-chunk-2048", "the same at chunk 2048", n15=149, bounds=("floor",),
             peers=["queue-kv:0", "cloud-only"], sweep=False),
    LoadCase("code-like-0.5", "drawn: bursts of code, H20x4, chunk 416, rho 0.5", n15=149,
             peers=["queue-kv:0"], sweep=False),
    LoadCase("code-like-chunk-2048", "the same at chunk 2048: a step of 420 ms, whatever the valve does",
             n15=149, peers=["queue-kv:0"], sweep=False),
]
STANDARD_CROWDS = [
    CrowdCase("report-60", "report case, 60 at a time", CROWD_PEERS),
    CrowdCase("report-100", "report case, 100 at a time", CROWD_PEERS),
    CrowdCase("fairness", "one key sends 50x, cloud open", ["queue-kv:0", "least-outstanding"]),
    CrowdCase("fairness-home", "one key sends 50x, nothing may leave", ["local-only"]),
    CrowdCase("storm", "100 users give up after 30 s and ask again, no cloud", ["local-only"]),
]
STANDARD_LEASED = [LeasedCase("conv-1.0", "leased instances (40 s cold start) and a per-token "
                              "cloud, chat, H20x2, rho 1.0")]
FULL_LEASED = [LeasedCase("r1-day", "leased instances (40 s cold start) and a per-token cloud, "
                          "R1, H20x4, rho 0.8, 24 h")]
FULL_LOADS = [
    LoadCase("r1-day", "R1, H20x4, chunk 416, rho 0.8, 24 h", 0.999, study="1.000 at .081", n15=149,
             bounds=("floor",)),
    LoadCase("shared-0.8", "Mooncake synthetic, H20x8, chunk 896, rho 0.8", n15=250),
    LoadCase("diurnal-peak", "drawn: a day, H20x4, chunk 416, rho 0.8, 3 h around noon", n15=149,
             bounds=("floor",)),
    LoadCase("diurnal-day", "drawn: a day, H20x4, chunk 416, rho 0.8, 24 h", n15=149,
             bounds=("floor",)),
]
CI_LOADS = [
    LoadCase("conv-1.0", "chat, H20x2, chunk 192, rho 1.0, first 20 minutes", 0.999, 0.23, n15=80,
             study=".999 at .214 (whole)", peers=["queue-kv:0", "cloud-only"], sweep=False,
             seconds=1200),
    LoadCase("code-like-0.5", "drawn: bursts of code, H20x4, rho 0.5, first 20 minutes", n15=149,
             peers=["queue-kv:0"], sweep=False, seconds=1200),
]
CI_CROWDS = [CrowdCase("report-60", "report case, 60 at a time"),
             CrowdCase("report-100", "report case, 100 at a time"),
             CrowdCase("storm", "100 users give up after 30 s and ask again, no cloud")]
def chosen(which):
    """Cases in the order in which they are printed."""
    if which == "ci":
        return CI_CROWDS + CI_LOADS
    more = FULL_LOADS + FULL_LEASED if which == "full" else []
    return STANDARD_CROWDS + STANDARD_LOADS + STANDARD_LEASED + more
