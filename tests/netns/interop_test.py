#!/usr/bin/env python3
# Interoperability: what wg(8) shows of the daemon's interfaces, configurations in wg-quick's format, and a
# stock wireguard-go that was configured by wg(8) alone. Needs root and /dev/net/tun; without them it says
# so and exits 77.
#
#   tests/netns/interop_test.py BUILD_FOLDER [-k WORD]

import os
import socket
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import spaces  # noqa: E402
from site_world import FLOW_PORT, NODE, POPS, PREFIX, Site, wait_until  # noqa: E402

BUILD = [None]
BOX, PORT = "10.88.0.2", 51900


class StockSite(Site):
    """Instead of a PoP a wireguard-go as Debian has it, that wg(8) configured."""

    def start_pops(self):
        self.pops = {}
        self.peer = self.pop_spaces["pop1"]
        self.keys = {name: self.peer.run("wg", "genkey").stdout.strip() for name in ("box", "peer")}
        self.public = {name: self.peer.run("wg", "pubkey", given=key + "\n").stdout.strip()
                       for name, key in self.keys.items()}
        self.preshared = self.peer.run("wg", "genpsk").stdout.strip()
        self.program(self.peer, "stock", "wireguard-go", "-f", "wg9",
                     env={**os.environ, "LOG_LEVEL": "error", "WG_PROCESS_FOREGROUND": "1"})
        wait_until(lambda: self.peer.run("wg", "show", "wg9", check=False).returncode == 0, "wg9")
        self.peer.run("wg", "setconf", "wg9", "/dev/stdin", given=f"""[Interface]
PrivateKey = {self.keys["peer"]}
ListenPort = {PORT}
[Peer]
PublicKey = {self.public["box"]}
PresharedKey = {self.preshared}
AllowedIPs = {BOX}/32
""")
        self.peer.ip("link", "set", "wg9", "mtu", "1420", "up")
        self.peer.ip("route", "add", f"{BOX}/32", "dev", "wg9")
        self.peer.sysctl("net/ipv4/ip_forward", 1)

    def configuration(self, more=""):
        file = self.folder / "site.conf"
        file.write_text(f"""# from the operator
[Interface]
PrivateKey = {self.keys["box"]}
Address = {BOX}/32
{more}
[Peer]
PublicKey = {self.public["peer"]}
PresharedKey = {self.preshared}
AllowedIPs = {PREFIX}
Endpoint = {POPS["pop1"][0]}:{PORT}
PersistentKeepalive = 25
""")
        file.chmod(0o600)
        return file


def reaches_node(space, bound=BOX):
    """Whether a TCP connection to the node's echo carries something both ways."""
    try:
        with space.socket(kind=socket.SOCK_STREAM) as sock:
            sock.settimeout(2)
            sock.bind((bound, 0))
            sock.connect((NODE, FLOW_PORT))
            sock.sendall(b"hello")
            return sock.recv(100) == b"hello"
    except OSError:
        return False


def shown(space, interface):
    """The only peer of an interface as `wg show` dumps it, and the interface's own line."""
    own, peer = space.run("wg", "show", interface, "dump").stdout.splitlines()
    own = dict(zip(("private", "public", "port", "mark"), own.split("\t")))
    return own, dict(zip(("public", "preshared", "endpoint", "allowed", "handshake", "received",
                          "sent", "keepalive"), peer.split("\t")))


def parsed(text):
    """Lines of a configuration: {"Interface.PrivateKey": value}."""
    told, section = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif "=" in line:
            key, _, value = line.partition("=")
            told[f"{section}.{key.strip()}"] = value.strip()
    return told


class Interoperability(unittest.TestCase):
    def site(self, kind=Site, **options):
        site = kind(BUILD[0], settings={"tunnel": {"tcp443": "off"}}, **options)
        site.__enter__()
        self.addCleanup(site.end)
        site.start_daemon()
        return site

    def test_what_wg_shows_is_what_the_daemon_says_and_it_can_be_applied_again(self):
        site = self.site()
        site.join()
        site.wait_settled()
        interfaces = set(site.box.run("wg", "show", "interfaces").stdout.split())
        paths = site.paths()
        self.assertEqual(interfaces, {p["interface"] for p in paths})
        lanes = {lane["public_key"]: lane["port"] for lane in site.pops["pop1"].status()["lanes"]}
        at_pop = {p["public_key"] for p in site.pops["pop1"].status()["boxes"][0]["paths"]}
        for path in paths:
            own, peer = shown(site.box, path["interface"])
            self.assertEqual(peer["endpoint"], f"{POPS['pop1'][0]}:{lanes[peer['public']]}")
            self.assertIn(own["public"], at_pop)
            self.assertNotEqual(peer["preshared"], "(none)")
            self.assertLess(abs(int(peer["handshake"]) - time.time()), 180)
            conf = site.box.run("wg", "showconf", path["interface"]).stdout
            told = parsed(conf)
            self.assertEqual(told["Peer.PublicKey"], peer["public"])
            self.assertEqual(told["Peer.Endpoint"], peer["endpoint"])
            self.assertEqual(told["Peer.PresharedKey"], peer["preshared"])
            self.assertEqual(told["Interface.PrivateKey"], own["private"])
            self.assertEqual(set(told["Peer.AllowedIPs"].split(", ")), set(peer["allowed"].split(",")))
            site.box.run("wg", "syncconf", path["interface"], "/dev/stdin", given=conf)
            self.assertEqual(shown(site.box, path["interface"])[1]["public"], peer["public"])
        wait_until(lambda: reaches_node(site.box), "traffic after the same was applied again")
        site.wait_settled()

    def test_a_configuration_of_wg_quick_is_imported_and_a_stock_peer_answers(self):
        site = self.site(StockSite)
        file = site.configuration()
        site.command("tunnel", "import", file)
        wait_until(lambda: reaches_node(site.box), "the node through the imported tunnel")
        path = site.active()
        own, peer = shown(site.box, path["interface"])
        self.assertEqual(own["public"], site.public["box"])
        self.assertEqual((peer["public"], peer["preshared"]), (site.public["peer"], site.preshared))
        self.assertEqual(peer["endpoint"], f"{POPS['pop1'][0]}:{PORT}")
        _, seen = shown(site.peer, "wg9")
        self.assertGreater(int(seen["handshake"]), 0)
        self.assertGreater(int(seen["received"]), 0)
        self.assertEqual(seen["allowed"], f"{BOX}/32")
        clear = site.watched()
        refused = site.command("tunnel", "leave", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(f"cloud ({NODE})", refused.stdout + refused.stderr)
        site.reconfigure(nodes=[])
        site.command("tunnel", "leave")
        wait_until(lambda: not site.box.run("wg", "show", "interfaces").stdout.split(),
                   "no interface is left", 2)
        self.assertEqual(site.watched(), clear)

    def test_the_stock_peer_follows_the_box_to_another_address(self):
        site = self.site(StockSite, uplinks=1)
        site.command("tunnel", "import", site.configuration())
        wait_until(lambda: reaches_node(site.box), "the node through the imported tunnel")
        site.box.run("sh", "-c", "ip addr del 198.51.100.2/24 dev wan1; ip addr add 198.51.100.77/24 "
                                 "dev wan1; ip route replace default via 198.51.100.1 dev wan1")
        wait_until(lambda: reaches_node(site.box), "the node from another address")
        _, seen = shown(site.peer, "wg9")
        self.assertTrue(seen["endpoint"].startswith("198.51.100.77:"), seen["endpoint"])

    def test_the_same_file_works_with_wg_quick_itself(self):
        site = self.site(StockSite)
        file = site.configuration()
        done = site.box.run("wg-quick", "up", file, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: reaches_node(site.box), "the node by wg-quick")
        site.box.run("wg-quick", "down", file)
        self.assertFalse(reaches_node(site.box))
        site.command("tunnel", "import", file)
        wait_until(lambda: reaches_node(site.box), "the node by the daemon")

    def test_a_configuration_that_runs_commands_is_refused_and_no_secret_is_repeated(self):
        site = self.site(StockSite)
        file = site.configuration("PostUp = touch /tmp/never")
        done = site.command("tunnel", "import", file, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("PostUp", done.stdout + done.stderr)
        bad = site.folder / "bad.conf"
        bad.write_text(file.read_text().replace("PostUp = touch /tmp/never", "")
                       .replace(f"PresharedKey = {site.preshared}", f"PresharedKey = {site.preshared}x"))
        bad.chmod(0o600)
        done = site.command("tunnel", "import", bad, check=False)
        self.assertNotEqual(done.returncode, 0)
        log = done.stdout + done.stderr + site.log("sluiced")
        for secret in (site.preshared, site.keys["box"]):
            self.assertNotIn(secret, log)
        self.assertEqual(site.box.run("wg", "show", "interfaces").stdout.split(), [])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("interop_test.py: usage: interop_test.py BUILD_FOLDER")
    BUILD[0] = Path(sys.argv.pop(1)).resolve()
    problem = spaces.why_not()
    if problem:
        sys.exit(spaces.skipped(problem))
    unittest.main(verbosity=2)
