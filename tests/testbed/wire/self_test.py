#!/usr/bin/env python3
# The wire between two network namespaces of its own: what ping and UDP see of each setting.
#
#   tests/testbed/wire/self_test.py BUILD_FOLDER
#
# Exit code 77: skipped, because this machine or user may not make namespaces or TAP devices.

import ctypes
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[2] / "netns"))

from spaces import skipped  # noqa: E402

RUN = f"wire{os.getpid()}"
A, B = f"{RUN}a", f"{RUN}b"
CLONE_NEWNET = 0x40000000
BUILD = None


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def socket_in(space, kind=socket.SOCK_DGRAM):
    """A socket of another namespace: it belongs to where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{space}", os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        return socket.socket(socket.AF_INET, kind)
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(home)
        os.close(there)


class WireTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.control = f"{self.folder.name}/wire.sock"
        for space in (A, B):
            ip("netns", "add", space)
            self.addCleanup(ip, "netns", "del", space)
        self.wire = subprocess.Popen(
            [BUILD / "testbed-wire", "--a", f"one@{A}", "--b", f"two@{B}", "--control",
             self.control, "--seed", "3", "--watch", "10.1.0.2/32", "--set", "both delay_ms=5"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.assertEqual(self.wire.stdout.readline(), "ready\n")
        for number, (space, name) in enumerate(((A, "one"), (B, "two")), 1):
            ip("-n", space, "addr", "add", f"10.1.0.{number}/24", "dev", name)
            ip("-n", space, "link", "set", name, "up")
        self.asker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.asker.close)
        self.asker.bind("")
        self.asker.settimeout(5)

    def end(self):
        self.wire.terminate()
        self.assertEqual(self.wire.wait(10), 0)
        self.wire.stdout.close()
        self.assertFalse(os.path.exists(self.control))
        self.folder.cleanup()

    def tell(self, command):
        before = time.monotonic_ns() // 1000
        self.asker.sendto(command.encode(), self.control)
        answer = json.loads(self.asker.recv(65536))
        self.assertTrue(answer["ok"], answer)
        self.assertLessEqual(before, answer["at_us"])
        self.assertLessEqual(answer["at_us"], time.monotonic_ns() // 1000)
        return answer

    def ping(self, *options, count=20):
        """(received, mean round trip in ms)"""
        done = subprocess.run(["ip", "netns", "exec", A, "ping", "-n", "-q", "-i", "0.01", "-W", "1",
                               "-c", str(count), *options, "10.1.0.2"],
                              capture_output=True, text=True)
        received = int(re.search(r"(\d+) received", done.stdout).group(1))
        mean = re.search(r"= [\d.]+/([\d.]+)/", done.stdout)
        return received, float(mean.group(1)) if mean else None

    def test_delay_loss_and_cut_are_what_was_asked_for(self):
        received, mean = self.ping()
        self.assertEqual(received, 20)
        self.assertGreater(mean, 10)
        self.assertLess(mean, 20)
        self.tell("both delay_ms=0 loss=0.2")
        received, mean = self.ping(count=300)
        self.assertGreater(received, 150)  # 192 expected
        self.assertLess(received, 235)
        self.tell("both loss=0")
        self.assertLess(self.ping()[1], 3)
        self.tell("b2a cut=1")
        self.assertEqual(self.ping(count=5)[0], 0)
        stats = self.tell("stats")
        self.assertGreaterEqual(stats["a2b"]["passed"], 250)
        self.assertGreaterEqual(stats["b2a"]["cut"], 5)
        self.assertGreaterEqual(stats["a2b"]["watched"], 300)
        self.tell("clear")
        self.assertEqual(self.ping()[0], 20)

    def test_large_packets_vanish_in_silence(self):
        self.tell("both delay_ms=0 mtu=1400")
        self.assertEqual(self.ping("-M", "do", "-s", str(1400 - 28))[0], 20)
        self.assertEqual(self.ping("-M", "do", "-s", str(1401 - 28), count=5)[0], 0)

    def test_pulled_cable_is_seen_by_both_kernels(self):
        carrier = "/sys/class/net/one/carrier"
        self.tell("a carrier=0")
        seen = subprocess.run(["ip", "netns", "exec", A, "cat", carrier], capture_output=True,
                              text=True).stdout
        self.assertEqual(seen, "0\n")
        self.tell("a carrier=1")
        self.assertEqual(self.ping()[0], 20)

    def test_blocked_and_forgotten_udp(self):
        self.tell("both delay_ms=0")
        with socket_in(A) as asker, socket_in(B) as echo:
            echo.bind(("10.1.0.2", 700))
            echo.settimeout(0.3)
            asker.bind(("10.1.0.1", 900))

            def arrives():
                asker.sendto(b"hello", ("10.1.0.2", 700))
                try:
                    return echo.recv(100) == b"hello"
                except TimeoutError:
                    return False
            self.assertTrue(arrives())
            self.tell("a2b udp_block=1")
            self.assertFalse(arrives())
            self.assertEqual(self.ping(count=3)[0], 3)
            self.tell("a2b udp_block=0 udp_deny=1,700")
            self.assertFalse(arrives())
            self.tell("a2b udp_deny=")
            self.assertTrue(arrives())
            self.tell("rot")
            self.assertFalse(arrives())
        with socket_in(A) as asker, socket_in(B) as echo:  # from another port it is another flow
            echo.bind(("10.1.0.2", 700))
            echo.settimeout(2)
            asker.sendto(b"again", ("10.1.0.2", 700))
            self.assertEqual(echo.recv(100), b"again")

    def test_rate_is_kept(self):
        self.tell("a2b delay_ms=0 rate_kbit=8000 queue_bytes=20000")
        with socket_in(A) as sender:
            for _ in range(300):
                sender.sendto(bytes(1000), ("10.1.0.2", 9))
                time.sleep(0.0005)  # offered: about 16 Mbit/s
        stats = self.tell("stats")["a2b"]
        self.assertGreater(stats["queue"], 50)
        self.assertGreater(stats["passed"], 100)

    def test_a_command_that_makes_no_sense_is_answered_with_why(self):
        for command in ("both loss=2", "up delay_ms=1", "both delay_ms", "a delay_ms=1", ""):
            self.asker.sendto(command.encode(), self.control)
            answer = json.loads(self.asker.recv(65536))
            self.assertFalse(answer["ok"], command)
            self.assertTrue(answer["error"])


def possible():
    try:
        ip("netns", "add", RUN)
        ip("netns", "del", RUN)
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        return None
    except (OSError, subprocess.CalledProcessError) as error:
        return getattr(error, "stderr", None) or str(error)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("self_test.py: usage: self_test.py BUILD_FOLDER")
    BUILD = Path(sys.argv.pop()).resolve()
    problem = possible()
    if problem:
        sys.exit(skipped(f"no network namespaces or TAP devices here: {problem}"))
    unittest.main(verbosity=2)
