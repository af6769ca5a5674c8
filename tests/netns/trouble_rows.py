"""Rows about what goes wrong in the field and must be said or mended: the clock, a copied disk, address
plans that collide, captive portals."""

import json
import os
import shutil
import signal
import threading
import time

import initiation
from measure import now_us
from rows import LOST, SAFE, SINGLE, Row
from site_world import FLOW_PORT, NODE, UPLINKS, end_process, wait_until
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
        answer = initiation.answer(sock, (host, int(port)), private, peer, time.time() + YEAR)
    if answer is None or len(answer) != 92:
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


class Senders:
    """What anybody on the box may send to the network: datagrams from no address of its own to two of its
    addresses, and requests through the daemon. None may be seen on a wire of an uplink."""

    TO = [(NODE, FLOW_PORT), ("10.88.0.77", 9)]

    def __init__(self, site):
        self.site, self.sent, self.answers, self.ended = site, 0, [], False
        self.client = site.client_key()
        self.socks = [site.box.socket() for _ in self.TO]
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self.datagrams, self.requests)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        for thread in self.threads:
            thread.join()
        for sock in self.socks:
            sock.close()

    def datagrams(self):
        while not self.ended:
            for sock, to in zip(self.socks, self.TO):
                try:
                    sock.sendto(b"in clear?", to)
                except OSError:
                    pass  # refused by the kernel, as it should be
                self.sent += 1
            time.sleep(0.01)

    def requests(self):
        while not self.ended:
            self.answers.append((now_us(), self.site.chat_status(self.client)))
            time.sleep(0.1)

    def answered(self, since):
        """Statuses of requests that ended after."""
        return [status for at, status in self.answers if at >= since]

    def none_answered(self, since, seconds=1.5):
        """Requests are refused, for a while."""
        time.sleep(seconds)
        wait_until(lambda: self.answered(since), "requests end")
        if 200 in self.answered(since):
            raise Failed(f"requests to the cloud node were answered with {self.answered(since)}")


def overlap(t):
    """A net of the site has addresses of the compute network."""
    t.begin()
    site, clear = t.site, t.site.watched()
    lan = site.space("lan")
    site.box.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1", "netns",
                str(lan.keeper.pid))
    lan.run("sh", "-c", "ip addr add 10.88.0.130/25 dev lan1; ip link set lan1 up")
    with Senders(site) as senders:
        since = now_us()
        site.box.run("sh", "-c", "ip addr add 10.88.0.129/25 dev lan0; ip link set lan0 up")
        said = timed(since, lambda: says(site, "10.88.0.128/25"), "the collision is said")
        wait_until(lambda: not site.paths(), "the tunnels are down")
        kept = wait_until(lambda: site.box.run("ping", "-c1", "-W1", "10.88.0.130",
                                               check=False).returncode == 0,
                          "the site's own net is reached")
        down = now_us()
        senders.none_answered(down)
        site.box.ip("link", "del", "lan0")
        gone = now_us()
        over = timed(gone, lambda: not says(site, "10.88.0.128"), "the collision is over")
        site.wait_settled(seconds=SAY_SECONDS)
    return {"said": said, "no longer said": over, "the site's net reached": int(kept),
            "sent meanwhile": senders.sent, "packets in clear": site.watched() - clear}


def drawn(t):
    """The DHCP server of an uplink gives out routes into the network (option 121)."""
    t.begin()
    site = t.site
    _, router = UPLINKS["wan1"]
    routes = (f"{NODE}/32", "10.88.0.0/25")
    with Senders(site):
        since = now_us()
        for to in routes:
            site.box.ip("route", "add", to, "via", router, "dev", "wan1")
        said = timed(since, lambda: says(site, "draws traffic"), "the routes are said")
        measured = t.costs(since)
        for to in routes:
            site.box.ip("route", "del", to, "via", router, "dev", "wan1")
        timed(now_us(), lambda: not says(site, "draws traffic"), "the routes are gone")
    return {"said": said, **measured}


def switched_off(t):
    """tunnel.mode goes to off under load, the daemon starts again so, and mode goes back to auto."""
    t.begin()
    site, clear = t.site, t.site.watched()
    with Senders(site) as senders:
        wait_until(lambda: 200 in senders.answered(0), "the cloud node answers")
        site.reconfigure(tunnel={"mode": "off"})
        wait_until(lambda: not site.box.run("wg", "show", "interfaces").stdout.split(), "no tunnel")
        off = now_us()
        time.sleep(1.5)
        why = site.node_status()["why"]
        end_process(site.daemon)
        site.start_daemon(tunnel={"mode": "off"})
        senders.none_answered(off)
        site.reconfigure()
        site.wait_settled(seconds=SAY_SECONDS)
        again = now_us()
        wait_until(lambda: 200 in senders.answered(again), "the cloud node answers again")
    return {"why it is not asked is said": int("switched off" in why), "sent meanwhile": senders.sent,
            "packets in clear": site.watched() - clear}


def unguarded(t):
    """The negative control: with nothing of the daemon left, what is sent to the network is seen."""
    t.begin()
    site, clear = t.site, t.site.watched()
    site.client_key()
    site.end_daemon_wholly()
    with Senders(site):
        time.sleep(0.5)
    measured = {"packets in clear": site.watched() - clear}
    site.start_daemon()
    return measured


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
    """The uplink shows a page where one should log in, and lets nothing else pass. The daemon says so by
    itself, and netcheck does."""
    site = t.site
    if t.number == 0:
        site.program(site.isp, "portal", "python3", "-c", PORTAL_PAGE, ready="ready")
    t.begin()
    if portal_named(netcheck(site)) or says(site, "captive portal"):
        raise Failed("a portal is named where there is none")
    site.isp.run("nft", "-f", "-", given=PORTAL)
    try:
        begun = now_us()
        said = timed(begun, lambda: says(site, "captive portal"), "the daemon says what it is")
        if "http://login.example/" not in says(site, "captive portal"):
            raise Failed("the daemon does not say where to log in")
        since = now_us()
        found = netcheck(site)
        took = (now_us() - since) / 1000
    finally:
        site.isp.run("nft", "delete", "table", "inet", "portal")
    over = timed(now_us(), lambda: not says(site, "captive portal"), "somebody logged in")
    return {"said by the daemon": said, "no longer said": over, "netcheck takes": took,
            "portal named": 1 if portal_named(found) else 0}


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
        [Goal("said", "median", 3000), Goal("the site's net reached", "min", 1, least=True, unit=""),
         Goal("packets in clear", "max", 0, unit="")], overlap, trials_max=5),
    Row("drawn", "an uplink's DHCP server gives out routes into the compute network",
        [Goal("said", "median", 3000), Goal("longest reply gap", "median", 200), *SAFE], drawn,
        trials_max=5),
    Row("switched-off", "tunnels are switched off under load, and the daemon starts so",
        [Goal("why it is not asked is said", "min", 1, least=True, unit=""),
         Goal("packets in clear", "max", 0, unit="")], switched_off, trials_max=5),
    Row("unguarded", "the daemon and all of its guard are gone: the negative control",
        [Goal("packets in clear", "min", 1, least=True, unit="")], unguarded, trials_max=2),
    Row("portal", "a captive portal on the only uplink", [Goal("portal named", "min", 1, least=True, unit=""),
                                                   Goal("said by the daemon", "median", 10000)],
        portal, site=SINGLE, trials_max=3),
]
