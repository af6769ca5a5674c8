"""Rows about what goes wrong in the field and must be said or mended: the clock, a copied disk, address
plans that collide, captive portals."""

import json
import os
import shutil
import signal
import time

import initiation
from measure import now_us
from rows import LOST, SAFE, SINGLE, Row
from site_world import wait_until
from spaces import Failed
from statistics_table import Goal
from wire import Wire

YEAR = 365 * 86400
SAY_SECONDS = 60


def lock_out(site, path):
    """The PoP believes that this path's clock was a year ahead. Then its session ends."""
    show = ("wg", "show", path["interface"])
    private = site.box.run(*show, "private-key").stdout.strip()
    peer, endpoint = site.box.run(*show, "endpoints").stdout.split()
    host, port = endpoint.rsplit(":", 1)
    with site.box.socket() as sock:
        sock.settimeout(2)
        sock.sendto(initiation.initiation(private, peer, time.time() + YEAR), (host, int(port)))
        if len(sock.recv(2000)) != 92:
            raise Failed("the PoP does not take the handshake from the future")
    since = now_us()
    for pid in site.carriers(path["interface"]):
        os.kill(pid, signal.SIGKILL)
    return since


def clock_lockout(t):
    path = t.begin()
    return t.costs(lock_out(t.site, path), 60)


def clock_lockout_unmended(t):
    path = t.begin()
    t.site.pops["pop1"].fault(refuse_api=True)
    measured = t.costs(lock_out(t.site, path), 15)
    t.site.pops["pop1"].fault(refuse_api=False)
    return measured


def says(site, *words):
    """A finding with one of these words."""
    found = [f["en"] for f in site.status()["findings"]]
    return next((f for f in found if any(word in f.lower() for word in words)), None)


def timed(since, condition, what):
    wait_until(condition, what, SAY_SECONDS)
    return (now_us() - since) / 1000


def cloned(t):
    """The disk of the box runs in a second machine on another line."""
    t.begin()
    site = t.site
    if says(site, "identity"):
        raise Failed("a second box is suspected before there is one")
    second = site.space("second")
    wire = Wire(site.build, (second, "wan1"), (site.isp, "to-second"), ["198.18.0.2/24"],
                ["198.18.0.1/24"], ["both delay_ms=10"])
    site.ends.append(wire.end)
    second.ip("route", "add", "default", "via", "198.18.0.1")
    folder = site.folder / "second"
    shutil.copytree(site.folder / "state", folder,
                    ignore=lambda at, names: [n for n in names if n.endswith(".sock")])
    settings = {**site.settings_of_daemon(), "state_dir": str(folder)}
    settings["tunnel"]["uplinks"] = [{"name": "wan1", "interface": "wan1"}]
    config = site.folder / "second.yaml"
    config.write_text(json.dumps(settings))
    since = now_us()
    program = site.program(second, "second", site.build / "sluiced", "--config", config, "serve",
                           ready="sluiced ready")
    said = timed(since, lambda: says(site, "identity"), "the first box says that it is not alone")
    program.terminate()
    program.wait(15)
    return {"said": said}


def overlap(t):
    """A net of the site has addresses of the compute network."""
    t.begin()
    site = t.site
    site.box.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    since = now_us()
    site.box.run("sh", "-c", "ip addr add 10.88.0.129/25 dev lan0; ip link set lan1 up; "
                             "ip link set lan0 up")
    said = timed(since, lambda: says(site, "10.88.0.1"), "the collision is said")
    site.box.ip("link", "del", "lan0")
    gone = now_us()
    return {"said": said, "no longer said": timed(gone, lambda: not says(site, "10.88.0.128"),
                                                  "the collision is over")}


PORTAL = """table inet portal {
  chain f { type filter hook forward priority 0
    iifname "to-wan1" drop
  }
  chain n { type nat hook prerouting priority -100
    iifname "to-wan1" tcp dport 80 redirect to :8088
  }
}
"""
PORTAL_PAGE = """
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "http://login.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8088), Page)
print("ready", flush=True)
server.serve_forever()
"""


def portal(t):
    """The uplink shows a page where one should log in, and lets nothing else pass."""
    site = t.site
    if t.number == 0:
        site.program(site.isp, "portal", "python3", "-c", PORTAL_PAGE, ready="ready")
    t.begin()
    if portal_named(netcheck(site)):
        raise Failed("a portal is named where there is none")
    site.isp.run("nft", "-f", "-", given=PORTAL)
    try:
        since = now_us()
        found = netcheck(site)
        took = (now_us() - since) / 1000
    finally:
        site.isp.run("nft", "delete", "table", "inet", "portal")
    return {"netcheck takes": took, "portal named": 1 if portal_named(found) else 0}


def portal_named(checks):
    return any("portal" in c["name"] and c["verdict"] not in ("ok", "skipped") for c in checks)


def netcheck(site):
    """What `sluiced netcheck --json` found."""
    return json.loads(site.command("netcheck", "--json", check=False).stdout)["checks"]


ROWS = [
    Row("clock-lockout", "the PoP remembers a clock a year ahead, the only path's session ends",
        [Goal("longest reply gap", "median", 15000), *SAFE], clock_lockout, site=SINGLE,
        trials_max=5),
    Row("clock-not-readded", "the same, the PoP does not add the box anew: the negative control", LOST,
        clock_lockout_unmended, site=SINGLE, trials_max=2),
    Row("cloned", "a copy of the box's disk runs elsewhere",
        [Goal("said", "max", 30000)], cloned, trials_max=1),
    Row("overlap", "a net of the site lies in the compute network's addresses",
        [Goal("said", "median", 3000)], overlap, trials_max=5),
    Row("portal", "a captive portal on the only uplink", [Goal("portal named", "min", 1, least=True, unit="")],
        portal, site=SINGLE, trials_max=3),
]
