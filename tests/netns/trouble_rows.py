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
from site_world import POPS, wait_until
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


PORTAL = "table inet portal {\n chain f { type filter hook forward priority 0\n" \
         " iifname \"to-wan1\" drop\n }\n chain n { type nat hook prerouting priority -100\n" \
         " iifname \"to-wan1\" tcp dport 80 redirect to :8088\n }\n}\n"
ANSWER = {"page": "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
          "portal": "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n"
                    "Content-Length: 0\r\nConnection: close\r\n\r\n"}
SERVE = """
import socket, sys, threading
def answer(sock, text):
    with sock:
        sock.settimeout(5)
        try:
            sock.recv(4096)
            sock.sendall(text.encode())
        except OSError:
            pass
def serve(listener, text):
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0], text), daemon=True).start()
listeners = [socket.create_server(("0.0.0.0", int(port))) for port in sys.argv[1::2]]
print("ready", flush=True)
for listener, text in zip(listeners, sys.argv[2::2]):
    threading.Thread(target=serve, args=(listener, text)).start()
"""


def portal(t):
    """The uplink shows a page where one should log in, and lets nothing else pass."""
    site = t.site
    if t.number == 0:
        site.program(site.isp, "pages", "python3", "-c", SERVE, "80", ANSWER["page"], "8088",
                     ANSWER["portal"], ready="ready")
    t.begin()
    before = netcheck(site)
    if "portal" in json.dumps(before["worst"]):
        raise Failed(f"a portal where there is none: {before['worst']}")
    site.isp.run("nft", "-f", "-", given=PORTAL)
    try:
        since = now_us()
        found = netcheck(site)
        took = (now_us() - since) / 1000
        named = 1 if "portal" in json.dumps(found["worst"]).lower() else 0
        if not named:
            raise Failed(f"netcheck does not name the portal: {json.dumps(found)[:1500]}")
    finally:
        site.isp.run("nft", "delete", "table", "inet", "portal")
    return {"netcheck takes": took, "portal named": named}


def netcheck(site):
    """What `sluiced netcheck --json` found, and of that what is not good."""
    told = json.loads(site.command("netcheck", "--json", check=False).stdout)
    checks = told.get("checks") or told.get("findings") or told
    worst = [c for c in checks if isinstance(c, dict) and c.get("verdict") not in ("good", "ok")] \
        if isinstance(checks, list) else checks
    return {"told": told, "worst": worst}


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
        portal, site=SINGLE, tunnel={"check_url": f"http://{POPS['pop1'][1]}/check"}, trials_max=3),
]
