"""A world for tests of the PoP: a box with two uplinks, the PoP, a node of the compute network."""

import os
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import certificates
from client import Client
from pops import PopProgram
from spaces import Space
from wire import Wire

NODE = "10.88.0.50"
BUILD = [None]  # the folder with testbed-wire


def wait_until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s: {what}")
        time.sleep(0.02)
    return value


def answer_all(sock, stop):
    sock.settimeout(0.1)
    while not stop.is_set():
        try:
            data, source = sock.recvfrom(2000)
            sock.sendto(data, source)
        except OSError:
            continue


class PopWorld(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pop-test-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", str(self.folder)])
        self.box, self.wan, self.node = (self.space(n) for n in ("box", "pop", "node"))
        certificates.make_authority(self.folder, "authority")
        certificates.make_certificate(self.folder, "pop", "authority")
        self.wires = [Wire(BUILD[0], (self.box, f"wan{n}"), (self.wan, f"isp{n}"), [f"192.0.2.{n}2/29"],
                           [f"192.0.2.{n}1/29"], watch=["10.88.0.0/24"], seed=n) for n in (1, 2)]
        for wire in self.wires:
            self.addCleanup(wire.end)
        self.wan.run("ip", "link", "add", "cp0", "type", "veth", "peer", "name", "eth0", "netns",
                     str(self.node.keeper.pid))
        self.wan.ip("addr", "add", "10.88.0.1/24", "dev", "cp0")
        self.wan.ip("link", "set", "cp0", "up")
        self.node.ip("addr", "add", f"{NODE}/24", "dev", "eth0")
        self.node.ip("link", "set", "eth0", "up")
        self.pop = self.start_pop()
        self.client = Client(self.box, ("192.0.2.11", 8443), self.folder / "authority.crt")

    def space(self, name):
        space = Space(name)
        self.addCleanup(space.end)
        return space

    def start_pop(self, **more):
        config = {
            "name": "pop1", "region": "lab", "hosts": ["192.0.2.11", "192.0.2.21"],
            "state": str(self.folder / "state.json"), "control": str(self.folder / "pop.sock"),
            "endpoint": {"listen": "0.0.0.0:8443", "certificate": str(self.folder / "pop.crt"),
                         "key": str(self.folder / "pop.key")},
            "network": {"name": "compute", "prefixes": ["10.88.0.0/24"],
                        "pool": ["10.88.0.2", "10.88.0.20"]},
            "probe": {"address": "10.88.0.1", "port": 51900}, "compute_interface": "cp0",
            "proxy_arp": True, **more}
        pop = PopProgram(self.wan, self.folder, config)
        self.addCleanup(pop.kill)
        return pop.start()

    # What a test needs.

    def joined(self):
        self.client.context.check_hostname = False  # the certificate is for 127.0.0.1
        status, answer = self.client.join(self.pop.token())
        self.assertEqual(status, 200, answer)
        return answer

    def up(self, paths=(("wan1", 1), ("wan2", 2)), transport="udp4"):
        """A tunnel for each uplink; {path: (interface, lane's port)}."""
        if self.client.box is None:
            self.joined()
        status, peers = self.client.put(
            "pop1", {path: (transport, self.client.new_key(path)) for path, _ in paths})
        self.assertEqual(status, 200, peers)
        self.box.ip("addr", "replace", "10.88.0.2/32", "dev", "lo")
        tunnels = {}
        for path, number in paths:
            name = f"t{number}"
            self.make_interface(name)
            self.configure(name, path, peers[path], f"192.0.2.{number}1:{peers[path]['port']}")
            tunnels[path] = (name, peers[path]["port"])
        return tunnels

    def make_interface(self, name):
        program = self.box.start("wireguard-go", "-f", name, env={**os.environ, "LOG_LEVEL": "error"},
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        wait_until(lambda: self.box.run("wg", "show", name, check=False).returncode == 0, name)

    def configure(self, name, path, peer, endpoint):
        text = (f"[Interface]\nPrivateKey = {self.client.keys[path]}\n[Peer]\nPublicKey = "
                f"{peer['public_key']}\nPresharedKey = {peer['preshared_key']}\nAllowedIPs = "
                f"10.88.0.0/24\nEndpoint = {endpoint}\nPersistentKeepalive = 25\n")
        self.box.run("wg", "setconf", name, "/dev/stdin", given=text)
        self.box.ip("link", "set", name, "mtu", "1420", "up")

    def echoes(self, tunnel, seconds=1.0, **more):
        return self.client.echo(tunnel[0], self.client.pops[0], tunnel[1], seconds, **more)

    def first_echo(self, tunnel):
        return wait_until(lambda: self.echoes(tunnel, 0.5)[0], "an echo through the tunnel")

    def path_of(self, name):
        return next(p for p in self.pop.status()["boxes"][0]["paths"] if p["path"] == name)

    def flow(self, seconds, during):
        """UDP to a node and back, each 2 ms, from the shared address. `during` is called in the middle.
        How many of the last quarter's packets were sent, and how many of them came back."""
        with self.box.socket() as sock, self.node.socket() as echo:
            echo.bind((NODE, 7000))
            sock.bind(("10.88.0.2", 0))
            sock.setblocking(False)
            stop = threading.Event()
            answering = threading.Thread(target=answer_all, args=(echo, stop))
            middle = threading.Timer(seconds / 2, during)
            answering.start()
            middle.start()
            sent, got = [], set()
            end = time.monotonic() + seconds
            while time.monotonic() < end + 0.2:
                if time.monotonic() < end:
                    sent.append(time.monotonic())
                    try:
                        sock.sendto(b"%d" % (len(sent) - 1), (NODE, 7000))
                    except OSError:
                        pass
                time.sleep(0.002)
                try:
                    while data := sock.recv(100):
                        got.add(int(data))
                except BlockingIOError:
                    pass
            stop.set()
            answering.join()
            middle.join()
            late = {n for n, when in enumerate(sent) if when > end - seconds / 4}
            return len(late), len(late & got)

    def use(self, number):
        self.box.ip("nexthop", "replace", "id", "100", "group", str(number))

    def with_group(self, tunnels):
        for number, (name, _) in enumerate(tunnels.values(), 1):
            self.box.ip("nexthop", "add", "id", str(number), "dev", name)
        self.box.ip("nexthop", "add", "id", "100", "group", "1")
        self.box.ip("route", "add", "10.88.0.0/24", "nhid", "100", "src", "10.88.0.2")
        for name in ("all", *(t[0] for t in tunnels.values())):
            self.box.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
        for tunnel in tunnels.values():
            self.first_echo(tunnel)
