"""The rows of the table: what happens, how often it is tried, what it should cost."""

import json
import os
import random
import signal
import time
from dataclasses import dataclass, field
from typing import Callable

from measure import Flow, SwitchWatch, now_us
from site_world import Site, wait_until
from spaces import Failed
from statistics_table import Goal, Result

BACK_SECONDS = 8     # until traffic must flow again in a trial
LOST_SECONDS = 3     # how long a negative control is watched
SETTLE_SECONDS = 60


@dataclass
class Run:
    """What the command line says."""
    build: str
    trials: int = 30
    seed: int = 1
    ci: bool = False
    backend: str = "auto"
    slow: float = 1.0  # how many times an emulated machine is slower than one


@dataclass
class Row:
    name: str
    event: str
    goals: list
    trial: Callable           # (Trials) -> measures of one trial
    site: dict = field(default_factory=dict)
    tunnel: dict = field(default_factory=dict)  # settings
    trials_max: int = 1000    # of rows whose trials are long
    anew: bool = False        # each trial begins with the path that is chosen first


class Trials:
    """A row while it runs: the site, the flow through it, what watches it."""

    def __init__(self, row, run, site):
        self.row, self.run, self.site = row, run, site
        self.chance = random.Random(f"{row.name} {run.seed}")
        self.watch = SwitchWatch(site)
        self.flow = None
        self.number = 0
        self.clear_before = site.watched()  # of before it joined: then nothing is promised

    def begin(self):
        """Every path good, nothing remembered, at a random moment: the path that carries."""
        site = self.site
        site.clear_wires()
        if self.number > 0:
            site.restart_daemon(anew=self.row.anew)
        self.number += 1
        site.wait_settled(seconds=SETTLE_SECONDS)
        if self.flow is None:
            self.flow = Flow(site)
        self.flow.forget()
        if not self.flow.wait_back(now_us(), 15 * site.slow):
            raise Failed("nothing flows before the trial")
        self.flow.forget()
        time.sleep(self.chance.uniform(0.3, 1.3))
        return wait_until(site.active, "a path that carries", 5 * site.slow)

    def flow_loss(self, since, until):
        self.flow.read()
        return self.flow.lost(since, until)

    def wire(self, path):
        return self.site.wires[path["uplink"]]

    def costs(self, since, seconds=BACK_SECONDS):
        """Measures of the switch that `since` made necessary."""
        back = self.flow.wait_back(since, seconds * self.site.slow)
        until = now_us()
        switched = self.watch.first_after(since)
        before = since - round(100000 * self.site.slow)  # what came back then tells the first number
        _, lost = self.flow_loss(before, until)
        paused = self.flow.longest_pause(before, until)
        stood = {"sender paused": paused} if self.site.slow > 1 else {}
        return {**stood, "detect + switch": (switched - since) / 1000 if switched else None,
                "longest reply gap": self.flow.longest_silence(since, until),
                "TCP stall": self.flow.longest_silence(since, until, stream=True),
                "not recovered": 0 if back else 1, "packets lost": lost if back else None,
                "TCP connections lost": len(self.flow.breaks), "packets in clear": self.site.watched() - self.clear_before}


def run_row(row, run, say):
    """The row's Result; a trial that cannot be made is a failure in words, not an end."""
    result = Result(row.name, row.event)
    settings = {"tunnel": {"tcp443": "off", "backend": run.backend, **row.tunnel}}
    try:
        with Site(run.build, settings=settings, seed=run.seed, backend=run.backend, slow=run.slow,
                  **row.site) as site:
            site.start_daemon()
            site.join()
            trials = Trials(row, run, site)
            for number in range(min(run.trials, row.trials_max)):
                measured = one_trial(trials, result, number)
                if measured is None:
                    break
                result.trials.append(measured)
                say(row, number, measured)
                if measured.get("not recovered") and not wished(row):
                    result.notes.append(f"trial {number + 1} did not recover; the daemon said:\n    "
                                        + tail_of(site))
            result.backend = site.status()["backend"]
            if run.backend not in ("auto", result.backend):
                result.failures.append(f"it ran by {result.backend}, not by {run.backend}")
    except (Failed, OSError) as error:
        result.failures.append(str(error))
    return result


def one_trial(trials, result, number):
    try:
        return trials.row.trial(trials)
    except (Failed, OSError, AssertionError) as error:
        result.failures.append(f"trial {number + 1}: {error}\n    {tail_of(trials.site)}")
        return None


def tail_of(site):
    """What the daemon said last (not the programs beside it), and how packets would go."""
    said = [line for line in site.log("sluiced").splitlines() if not line.startswith("ERROR: (")]
    routes = site.box.run("sh", "-c", "ip addr show up; ip rule; ip route show table all proto 199; "
                                      "ip route show default", check=False).stdout.splitlines()
    return "\n    ".join([*said[-15:], *routes])


def wished(row):
    """A negative control: that nothing recovers is what it shall show."""
    return any(goal.measure == "not recovered" and goal.least for goal in row.goals)


SAFE = [Goal("not recovered", "max", 0, unit=""), Goal("TCP connections lost", "max", 0, unit=""),
        Goal("packets in clear", "max", 0, unit="")]
LOST = [Goal("not recovered", "min", 1, least=True, unit=""),
        Goal("packets in clear", "max", 0, unit="")]
FAST = [Goal("detect + switch", "median", 500), Goal("detect + switch", "max", 1000),
        Goal("TCP stall", "median", 600), *SAFE]


def cut(direction):
    def trial(t):
        path = t.begin()
        return t.costs(t.wire(path).tell(f"{direction} cut=1")["at_us"])
    return trial


def cut_without(t):
    """The negative control: what happens when nothing is done about a cut."""
    path = t.begin()
    return t.costs(t.wire(path).tell("both cut=1")["at_us"], LOST_SECONDS)


def cut_unpinned(t):
    """The PoP answers by the box's first lane, which is wan1's: so that is what is cut."""
    t.site.pops["pop1"].fault(pinning=False)
    path = t.begin()
    if path["uplink"] != "wan1":
        raise Failed("wan1 is preferred and is not chosen")
    return t.costs(t.wire(path).tell("both cut=1")["at_us"], LOST_SECONDS)


def carrier(t):
    """A TAP without carrier still passes frames until the kernel has told: so they are cut as well. The
    kernel tells of carriers at most once a second, so the last word of it lies further back."""
    path = t.begin()
    time.sleep(1.2)
    since = now_us()  # before the wire's word: the kernel tells the daemon while the cable is pulled
    t.wire(path).tell("both cut=1 carrier=0")
    return t.costs(since)


def renumbered(t):
    """The lease ends and another address of the net is given, as a DHCP client would."""
    t.begin()
    old, new = ("198.51.100.2", "198.51.100.66") if t.number % 2 else ("198.51.100.66", "198.51.100.2")
    since = now_us()
    t.site.box.run("sh", "-c", f"ip addr del {old}/24 dev wan1; ip addr add {new}/24 dev wan1; "
                               "ip route replace default via 198.51.100.1 dev wan1 metric 100")
    return t.costs(since)


def udp_blocked(t):
    path = t.begin()
    if path["transport"] != "udp4":
        raise Failed(f"{path['name']} carries, not a path over UDP")
    return t.costs(t.wire(path).tell("both udp_block=1")["at_us"])


def udp_blocked_unopened(t):
    """The TCP path is not there when UDP ends, and may be opened from then on."""
    path = t.begin()
    pop = t.site.pops["pop1"]
    pop.fault(refuse_shim=True)
    wait_until(lambda: pop.status()["shim"]["connections"] == 0, "no shim")
    time.sleep(t.chance.uniform(0.5, 1.5))
    since = t.wire(path).tell("both udp_block=1")["at_us"]
    pop.fault(refuse_shim=False)
    return t.costs(since, 20)


def data_plane_killed(t):
    path = t.begin()
    carriers = t.site.carriers(path["interface"])
    if not carriers:
        raise Failed(f"no program carries {path['interface']}: the kernel does")
    since = now_us()
    for pid in carriers:
        os.kill(pid, signal.SIGKILL)
    return t.costs(since)


def pop_dead(t):
    """All that runs at the PoP ends at once; the other PoP takes over."""
    site = t.site
    for pop in site.pops.values():
        if not pop.running():
            pop.start()
    path = t.begin()
    since = now_us()
    for pid in site.pop_spaces[path["pop"]].pids():
        os.kill(pid, signal.SIGKILL)
    site.pops[path["pop"]].process.wait(10)
    return t.costs(since)


def nat_rot(t):
    path = t.begin()
    return t.costs(t.wire(path).tell("rot")["at_us"], 40)


def killed_daemon(t):
    """SIGKILL and a new start: tunnels stay up, the flow does not notice."""
    t.begin()
    since = now_us()
    t.site.kill_daemon()
    t.site.start_daemon()
    time.sleep(t.site.slow)
    measured = t.costs(since)
    measured.pop("detect + switch")
    t.site.wait_settled(seconds=SETTLE_SECONDS)
    return measured


def booted(t):
    """The box starts with nothing in its kernel. What asks for nodes before a tunnel is up may not leave
    in clear."""
    t.begin()
    clear = t.site.watched()
    since = now_us()
    t.site.reboot()
    begun = (now_us() - since) / 1000
    t.site.wait_settled(seconds=SETTLE_SECONDS)
    carries = (now_us() - since) / 1000
    time.sleep(0.5)
    return {"daemon ready": begun, "every path good": carries,
            "packets in clear": t.site.watched() - clear}


def rotated(t):
    """Every path gets new keys, one after the other, as an administrator asks for."""
    t.begin()
    site = t.site
    before = {p["interface"]: own_key(site, p["interface"]) for p in site.paths()}
    since = now_us()
    site.command("tunnel", "rotate")
    wait_until(lambda: all(own_key(site, name) != key for name, key in before.items()),
               "every path has another key", 60)
    site.wait_settled(seconds=SETTLE_SECONDS)
    took = (now_us() - since) / 1000
    return {**t.costs(since), "all rotated after": took}


def own_key(site, interface):
    return site.box.run("wg", "show", interface, "public-key").stdout.strip()


def rehearsed(t):
    """The administrator's drill: the daemon cuts its own path in use, and reports."""
    t.begin()
    since = now_us()
    report = json.loads(t.site.command("tunnel", "rehearse", "--json", check=False).stdout)
    measured = t.costs(since)
    steps = report["steps"]
    return {**measured, "drill passed": int(report["passed"]),
            "switched, by its report": max((s["switched_ms"] for s in steps), default=None)}


BOTH = "of the active path, standby up"
SINGLE = {"uplinks": 1}
PREFER_WAN1 = [{"name": f"wan{n}", "interface": f"wan{n}", "preference": n} for n in (1, 2)]
ROWS = [
    Row("black-hole", f"black hole {BOTH}", FAST, cut("both")),
    Row("one-way-out", f"nothing out {BOTH}", FAST, cut("a2b")),
    Row("one-way-back", f"nothing back {BOTH}", FAST, cut("b2a")),
    Row("no-failover", "black hole, failover off: the negative control", LOST, cut_without,
        tunnel={"failover": "off"}, trials_max=10),
    Row("not-pinned", "black hole, the PoP does not pin replies: the negative control", LOST,
        cut_unpinned, tunnel={"uplinks": PREFER_WAN1}, anew=True, trials_max=10),
    Row("carrier", "cable of the active uplink pulled",
        [Goal("detect + switch", "median", 150), Goal("detect + switch", "max", 150), *SAFE], carrier),
    Row("renumbered", "the only uplink gets another address",
        [Goal("longest reply gap", "median", 1000), Goal("longest reply gap", "max", 1000), *SAFE],
        renumbered, site=SINGLE),
    Row("udp-blocked-opened", "UDP blocked on the only uplink, TCP path open",
        [Goal("longest reply gap", "median", 500), *SAFE], udp_blocked, site=SINGLE,
        tunnel={"tcp443": "auto"}, anew=True),
    Row("udp-blocked", "UDP blocked on the only uplink, TCP path to be opened",
        [Goal("longest reply gap", "median", 3000), *SAFE], udp_blocked_unopened, site=SINGLE,
        tunnel={"tcp443": "auto"}, anew=True),
    Row("data-plane", "userspace data plane of the only path killed",
        [Goal("longest reply gap", "median", 500), *SAFE], data_plane_killed, site=SINGLE),
    Row("pop-dead", "the PoP in use dies, another takes over",
        [Goal("detect + switch", "median", 500), Goal("detect + switch", "max", 1000), *SAFE],
        pop_dead, site={"pops": 2}),
    Row("nat-rot", "address translation forgets the flows of the only uplink",
        [Goal("longest reply gap", "median", 10000), *SAFE], nat_rot,
        site=SINGLE, trials_max=10),
    Row("rotate", "every path gets new keys",
        [Goal("longest reply gap", "median", 200), *SAFE], rotated, trials_max=5),
    Row("rehearse", "the administrator's drill",
        [Goal("drill passed", "min", 1, least=True, unit=""),
         Goal("longest reply gap", "median", 600), *SAFE], rehearsed, trials_max=5),
    Row("boot", "the box boots", [Goal("packets in clear", "max", 0, unit="")], booted),
    Row("daemon-killed", "the daemon is killed and started again",
        [Goal("longest reply gap", "max", 100), *SAFE], killed_daemon),
]
