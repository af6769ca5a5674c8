"""Rows about the two address families: a path over each, by the same uplink to the same PoP."""

import time

from measure import now_us
from rows import FAST, SAFE, SINGLE, Row
from site_world import wait_until
from statistics_table import Goal

PROTOCOL = {"udp4": "ipv4", "udp6": "ipv6"}


def drop(site, family):
    """Nothing of this family passes the provider of the only uplink any more."""
    site.isp.run("nft", "-f", "-", given=f"""table inet half {{
      chain f {{ type filter hook forward priority 0
        meta nfproto {family} drop
      }}
    }}
    """)


def pass_all(site):
    site.isp.run("nft", "delete", "table", "inet", "half")


def family_ends(t):
    path = t.begin()
    since = now_us()
    drop(t.site, PROTOCOL[path["transport"]])
    try:
        measured = t.costs(since)
        after = t.site.active()
    finally:
        pass_all(t.site)
    return {**measured, "by the other family": int(after["transport"] != path["transport"])}


def starts_with_one(t):
    """The box starts where only IPv6 passes, with what it learned before."""
    t.begin()
    site = t.site
    drop(site, "ipv4")
    try:
        since = now_us()
        site.restart_daemon(anew=True)
        wait_until(lambda: (site.active() or {"transport": ""})["transport"] == "udp6", "IPv6 carries", 30)
        carries = (now_us() - since) / 1000
        time.sleep(0.5)
        flows = t.flow.wait_back(now_us(), 10)
    finally:
        pass_all(site)
    return {"IPv6 carries after": carries, "not recovered": 0 if flows else 1,
            "packets in clear": site.watched() - t.clear_before}


DUAL = {**SINGLE, "ipv6": True}
ROWS = [
    Row("family", "the address family of the path in use ends, the other stays",
        [Goal("by the other family", "min", 1, least=True, unit=""), *FAST], family_ends, site=DUAL),
    Row("ipv6-only", "the box starts where only IPv6 passes",
        [Goal("IPv6 carries after", "median", 10000),
         *[g for g in SAFE if g.measure != "TCP connections lost"]], starts_with_one, site=DUAL, trials_max=5),
]
