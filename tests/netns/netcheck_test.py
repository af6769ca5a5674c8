#!/usr/bin/env python3
# `sluiced netcheck` in a site whose internet is made bad in one way after the other: each time it must
# name what is wrong, and nothing else. Needs root and /dev/net/tun; without them it says so and exits 77.
#
#   tests/netns/netcheck_test.py BUILD_FOLDER [-k WORD]

import json
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import spaces  # noqa: E402
from site_world import POPS, Site, wait_until  # noqa: E402

BUILD = [None]
PORTAL = "http://login.hotel.example/welcome"
PORTAL_PROGRAM = f"""
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "{PORTAL}")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8079), Page)
print("ready", flush=True)
server.serve_forever()
"""


class UnusedNode(Site):
    def start_node(self):
        pass


class NetcheckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = UnusedNode(BUILD[0], pops=2, uplinks=2)
        cls.site.__enter__()
        cls.addClassCleanup(cls.site.end)
        cls.site.start_daemon()
        cls.before_joining = cls.run_check()
        cls.site.join()
        cls.site.wait_settled(good=8)  # 2 uplinks, 2 PoPs, UDP and TCP

    @classmethod
    def run_check(cls, *options):
        began = time.monotonic()
        done = cls.site.command("netcheck", "--json", *options, check=False, seconds=30)
        answer = json.loads(done.stdout)
        answer["seconds"] = time.monotonic() - began
        answer["code"] = done.returncode
        return answer

    def lines(self, answer, name, subject=""):
        return [line for line in answer["checks"]
                if line["name"] == name and subject in ("", line["subject"])]

    def expect(self, answer, name, verdict, words="", subject=""):
        lines = self.lines(answer, name, subject)
        self.assertTrue(lines, f"no line {name} {subject}")
        for line in lines:
            self.assertEqual(line["verdict"], verdict, line)
            self.assertIn(words, line["finding"]["en"] + " " + line["advice"]["en"], line)

    def expect_ok_but(self, answer, *names):
        for line in answer["checks"]:
            if line["name"] not in names:
                self.assertEqual(line["verdict"], "ok", line)

    def on_wires(self, command):
        for wire in self.site.wires.values():
            wire.tell(command)
        self.addCleanup(self.site.clear_wires)

    def rules_of_isp(self, rules):
        self.site.isp.run("nft", "-f", "-", given=f"table inet lab {{ {rules} }}")
        self.addCleanup(self.site.isp.run, "nft", "delete", "table", "inet", "lab")

    def test_before_joining_it_says_what_can_be_told(self):
        answer = self.before_joining
        self.assertEqual(answer["code"], 0)
        self.expect(answer, "network", "unknown", "sluiced tunnel join")
        self.expect(answer, "link", "ok", "198.51.100.2/24, gateway 198.51.100.1", "wan1")
        self.assertEqual(self.lines(answer, "udp"), [])
        self.assertLess(answer["seconds"], 3)

    def test_a_sound_site_is_ok_in_every_line_and_no_tunnel_is_disturbed(self):
        self.site.wait_settled(good=8)
        began = time.monotonic()
        for _ in range(2):
            answer = self.run_check()
            self.expect_ok_but(answer)
            self.assertEqual(answer["code"], 0)
            self.assertLess(answer["seconds"], 5)
        self.expect(answer, "mtu", "ok", "Packets of 1500 bytes pass")
        self.expect(answer, "nat", "ok", "None: PoPs see this box's own address 198.51.100.2", "wan1")
        self.assertEqual(self.lines(answer, "nat", "wan2")[0]["figures"]["hops"][0], "203.0.113.1")
        self.expect(answer, "udp", "ok", "2 of 2 PoPs")
        self.expect(answer, "tcp443", "ok", "2 of 2 PoPs answer at TCP port 443")
        for pop in POPS:
            line = self.lines(answer, "latency", pop)[0]
            self.assertGreaterEqual(line["figures"]["rtt_ms_wan1"], 20)
        paths = self.site.status()["paths"]
        checked_ms = (time.monotonic() - began) * 1000
        self.assertEqual(sum(path["transport"] == "tcp443" for path in paths), 4, paths)
        for path in paths:
            self.assertEqual(path["state"], "good", path)
            self.assertGreater(path["since_ms"], checked_ms, "its state changed during the checks")

    def test_text_fits_a_terminal_in_both_languages(self):
        for language, words in (("en", "this box"), ("zh", "本机")):
            done = self.site.command("netcheck", "--lang", language)
            self.assertTrue(done.stdout.startswith(words), done.stdout)
            for line in done.stdout.split("\n"):
                wide = sum(2 if ord(c) >= 0x2e80 else 1 for c in line)
                self.assertLessEqual(wide, 80, line)

    def test_udp_that_is_blocked_is_told_from_a_dead_uplink(self):
        self.on_wires("both udp_block=1")
        answer = self.run_check()
        self.expect(answer, "udp", "warn", "while TCP comes through")
        self.expect_ok_but(answer, "udp")
        self.assertEqual(answer["code"], 0)

    def test_nothing_at_all_is_a_failure_within_the_time_of_a_check(self):
        self.on_wires("both cut=1")
        answer = self.run_check()
        self.expect(answer, "udp", "fail", "Does this uplink reach the internet at all?")
        self.expect(answer, "tcp443", "fail")
        self.expect(answer, "portal", "unknown")
        self.assertEqual(answer["code"], 1)
        self.assertLess(answer["seconds"], 10)

    def test_one_dead_uplink_does_not_blame_the_other(self):
        self.site.wires["wan2"].tell("both cut=1")
        self.addCleanup(self.site.clear_wires)
        answer = self.run_check()
        self.expect(answer, "udp", "ok", "", "wan1")
        self.expect(answer, "udp", "fail", "", "wan2")
        for pop in POPS:
            self.expect(answer, "latency", "ok", "by wan1", pop)

    def test_the_size_that_passes_is_found(self):
        self.on_wires("both mtu=1400")
        answer = self.run_check()
        self.expect(answer, "mtu", "ok", "Packets of 1400 bytes pass (the interface takes 1500)")
        self.expect_ok_but(answer)

    def test_a_captive_portal_is_told_with_its_address(self):
        portal = self.site.program(self.site.isp, "portal", sys.executable, "-c", PORTAL_PROGRAM,
                                   ready="ready")
        self.addCleanup(portal.terminate)
        self.rules_of_isp("""
          chain pre { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :8079; }
          chain forwarded { type filter hook forward priority 0; iifname "to-wan1" drop; iifname "to-wan2" drop; }
        """)
        answer = self.run_check()
        self.expect(answer, "portal", "fail", PORTAL)
        self.expect(answer, "udp", "fail", "captive portal")
        self.assertEqual(answer["code"], 1)

    def test_address_translation_is_named(self):
        self.rules_of_isp("""
          chain post { type nat hook postrouting priority srcnat; oifname "to-pop1" masquerade;
                       oifname "to-pop2" masquerade; }
        """)
        answer = self.run_check()
        self.assertIn(self.lines(answer, "nat")[0]["figures"]["kind"], ("easy", "hard"))
        self.expect(answer, "nat", "ok", "seen as 192.0.2.")

    def test_a_clock_that_differs_from_the_pops_is_a_failure(self):
        for pop in self.site.pops.values():
            pop.fault(date_offset_s=-3600)
            self.addCleanup(pop.fault, date_offset_s=0)
        answer = self.run_check()
        self.expect(answer, "clock", "fail", "60 min ahead of")

    def test_without_carrier_the_uplink_is_told_first(self):
        self.site.wires["wan2"].tell("both carrier=0")
        self.addCleanup(self.site.wires["wan2"].tell, "both carrier=1")
        wait_until(lambda: "NO-CARRIER" in self.site.box.ip("link", "show", "wan2").stdout, "carrier")
        answer = self.run_check()
        self.expect(answer, "link", "warn", "no carrier", "wan2")
        self.assertEqual(self.lines(answer, "udp", "wan2"), [])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("netcheck_test.py: usage: netcheck_test.py BUILD_FOLDER")
    BUILD[0] = Path(sys.argv.pop(1)).resolve()
    problem = spaces.why_not()
    if problem:
        sys.exit(spaces.skipped(problem))
    unittest.main(verbosity=2)
