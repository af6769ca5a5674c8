#!/usr/bin/env python3
# The PoP against the protocol in firmware/tunnel/README.md, by a small client that uses wireguard-go and
# wg(8) itself: two uplinks, a node of the compute network behind the PoP, a second PoP beside it.
#
#   tests/testbed/pop/self_test.py BUILD_FOLDER [-k WORD]
#
# Exit code 77: skipped, because this machine or user may not make namespaces or TUN devices.

import json
import os
import socket
import statistics
import sys
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "netns"), str(HERE.parent.parent / "loopback")]

import certificates  # noqa: E402
import initiation  # noqa: E402
import packets  # noqa: E402
import pop_world  # noqa: E402
from control import ask  # noqa: E402
from pop_world import NODE, PopWorld, wait_until  # noqa: E402
from pops import PopProgram  # noqa: E402
from spaces import Space, skipped, why_not  # noqa: E402


class PopTest(PopWorld):
    # The endpoint.

    def test_a_token_is_good_for_one_box_and_a_while(self):
        answer = self.joined()
        self.assertEqual(answer["network"], {"name": "compute", "address": "10.88.0.2",
                                             "prefixes": ["10.88.0.0/24"]})
        self.assertRegex(answer["box_id"], "^[0-9a-f]{16}$")
        self.assertEqual(len(self.client.key), 32)
        self.assertEqual(answer["pops"][0]["probe_port"], 51900)
        for token, code in ((self.pop.last_token, "token_used"), ("made up", "token_unknown"),
                            (self.pop.token(hours=0), "token_expired")):
            status, answer = self.client.ask("POST", "/v1/join",
                                             {"token": token, "box": {"name": "b"}})
            self.assertEqual((status, answer["error"]["code"]), (403, code))

    def test_only_the_portal_check_is_answered_in_plain_http(self):
        for path, line in (("/v1/clear", b"HTTP/1.1 204 "), ("/v1/join", b"HTTP/1.1 404 ")):
            with self.client.connect(("192.0.2.11", 80)) as tcp:
                tcp.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                with tcp.makefile("rb") as file:
                    answer = file.read()
            self.assertTrue(answer.startswith(line), answer)
            self.assertEqual(answer.endswith(b"\r\n\r\n"), path == "/v1/clear", "204 has no body")

    def test_a_box_has_only_its_own(self):
        self.joined()
        path = f"/v1/boxes/{self.client.box}"
        status, answer = self.client.ask("GET", path)
        self.assertEqual(status, 200)
        self.assertNotIn("credential", answer)
        self.assertEqual(self.client.ask("GET", path, credential="wrong")[0], 401)
        self.assertEqual(self.client.ask("GET", "/v1/boxes/0000000000000000")[0], 401)
        self.assertEqual(self.client.ask("GET", "/v1/agent")[0], 401)
        self.assertEqual(self.client.ask("GET", "/else")[0], 404)
        for peers in ("many", [{}], [{"path": "p", "transport": "udp4", "public_key": "short"}]):
            status, answer = self.client.ask("PUT", f"{path}/peers", {"pop": "pop1", "peers": peers})
            self.assertEqual((status, answer["error"]["code"]), (400, "request_bad"))
        status, answer = self.client.put("elsewhere", {})
        self.assertEqual((status, answer["error"]["code"]), (404, "pop_unknown"))
        self.assertEqual(self.client.ask("DELETE", path), (200, {}))
        self.assertEqual(self.client.ask("GET", path)[0], 401)

    def test_paths_keep_their_lanes_and_those_not_named_end(self):
        self.joined()
        keys = {path: ("udp4", self.client.new_key(path)) for path in ("a", "b", "c")}
        _, first = self.client.put("pop1", keys)
        self.assertEqual(len({p["port"] for p in first.values()}), 3)
        self.assertEqual(len({p["preshared_key"] for p in first.values()}), 3)
        self.assertEqual(self.client.put("pop1", keys)[1], first)
        rotated = {"c": keys["c"], "b": ("udp4", self.client.new_key("b"))}
        _, second = self.client.put("pop1", rotated)
        self.assertEqual(second["c"], first["c"])
        self.assertEqual(second["b"]["port"], first["b"]["port"])
        self.assertNotEqual(second["b"]["preshared_key"], first["b"]["preshared_key"])
        shown = self.pop.status()["boxes"][0]["paths"]
        self.assertEqual([p["path"] for p in shown], ["b", "c"])
        lanes = self.wan.run("wg", "show", "all", "peers").stdout
        self.assertNotIn(keys["a"][1], lanes)
        self.assertNotIn(keys["b"][1], lanes)
        self.assertIn(keys["c"][1], lanes)
        many = {f"p{n}": ("udp4", self.client.new_key(f"p{n}")) for n in range(9)}
        self.assertEqual(self.client.put("pop1", many)[0], 400)

    # Probes.

    def test_probes_are_answered_fast_counted_and_told_the_truth(self):
        tunnels = self.up()
        self.first_echo(tunnels["wan1"])
        times = []
        for _ in range(100):
            answer, ms = self.echoes(tunnels["wan1"])
            self.assertIsNotNone(answer)
            times.append(ms)
        self.assertEqual(answer.kind, packets.ECHO_ANSWER)
        self.assertEqual(answer.source()[0], "10.88.0.2")
        self.assertLess(abs(answer.date / 1e6 - time.time()), 1)
        before = answer.seen
        answer, _ = self.echoes(tunnels["wan1"], traffic=1, size=1300)
        self.assertEqual((answer.seen, answer.traffic, answer.size), (1, 1, 1300))
        self.assertEqual(self.echoes(tunnels["wan1"])[0].seen, before + 1)
        print(f"\necho through wire and tunnel: median {statistics.median(times):.2f} ms, "
              f"p95 {sorted(times)[94]:.2f} ms", file=sys.stderr)
        self.assertLess(statistics.median(times), 5)

    def test_what_is_not_authentic_or_comes_by_another_lane_is_dropped(self):
        tunnels = self.up()
        self.first_echo(tunnels["wan1"])
        interface, lane = tunnels["wan1"]
        self.assertIsNone(self.echoes((interface, tunnels["wan2"][1]), 0.3)[0])
        key, self.client.key = self.client.key, bytes(32)
        self.assertIsNone(self.echoes((interface, lane), 0.3)[0])
        self.client.key = key
        self.assertIsNotNone(self.echoes((interface, lane))[0])
        counted = self.pop.status()["probes"]
        self.assertGreaterEqual(counted["misplaced"], 1)
        self.assertGreaterEqual(counted["not_authentic"], 1)

    def test_where_tells_how_the_box_is_seen_on_two_ports(self):
        self.joined()
        for offset in (0, 1):
            answer, port = self.client.where(self.client.pops[0], offset)
            self.assertEqual(answer.kind, packets.WHERE_ANSWER)
            self.assertEqual(answer.source(), ("192.0.2.12", port))
        self.pop.fault(date_offset_s=3600)
        answer, _ = self.client.where(self.client.pops[0], host="192.0.2.21")
        self.assertLess(abs(answer.date / 1e6 - time.time() - 3600), 1)
        self.assertEqual(answer.source()[0], "192.0.2.22")

    def test_two_that_use_one_identity_are_told(self):
        tunnels = self.up()
        self.first_echo(tunnels["wan1"])
        self.assertEqual(self.echoes(tunnels["wan1"])[0].flags, 0)
        self.assertEqual(self.echoes(tunnels["wan1"], start=5)[0].flags, 0)  # it began anew
        other, _ = self.echoes(tunnels["wan1"], start=5, instance=os.urandom(8))
        self.assertEqual(other.flags, packets.FLAG_OTHER_INSTANCE)
        self.assertTrue(self.pop.status()["boxes"][0]["used_twice"])

    # Data.

    def test_replies_follow_the_box_to_another_path_and_without_pinning_they_do_not(self):
        self.with_group(self.up())

        def fail_over():
            self.wires[0].tell("both cut=1")
            self.use(2)
        sent, came = self.flow(2, fail_over)
        self.assertGreater(sent, 20)
        self.assertGreaterEqual(came, sent - 2)
        self.wires[0].tell("both cut=0")
        self.use(1)
        wait_until(lambda: self.echoes(("t1", 51821), 0.2)[0], "the first path is back")
        self.pop.fault(pinning=False)
        sent, came = self.flow(2, fail_over)
        self.assertGreater(sent, 20)
        self.assertEqual(came, 0)  # the negative control: a path that is alive carries nothing
        self.assertIsNotNone(self.echoes(("t2", 51822))[0])
        self.assertEqual([wire.watched() for wire in self.wires], [0, 0])

    def test_an_answer_that_streams_follows_to_the_lane_that_says_it_takes_the_traffic(self):
        tunnels = self.up()
        self.with_group(tunnels)
        self.assertIsNotNone(self.echoes(tunnels["wan1"], flags=packets.FLAGS_USES[0])[0])
        self.assertIsNotNone(self.echoes(tunnels["wan2"])[0])
        with self.box.socket() as sock, self.node.socket() as source:
            source.bind((NODE, 7000))
            source.settimeout(2)
            sock.bind(("10.88.0.2", 0))
            sock.sendto(b"once, and never again", (NODE, 7000))
            _, box = source.recvfrom(100)

            def came(seconds, every=lambda: None):
                """How many of the node's packets reach the box, the last quarter of the time."""
                begin, count = time.monotonic(), 0
                sock.setblocking(False)
                while (past := time.monotonic() - begin) < seconds:
                    source.sendto(b"x", box)
                    time.sleep(0.01)
                    every()
                    try:
                        while sock.recv(100):
                            count += past > seconds * 3 / 4
                    except BlockingIOError:
                        pass
                return count
            self.assertGreater(came(1), 5)
            self.wires[0].tell("both cut=1")
            self.use(2)
            self.echoes(tunnels["wan2"])
            self.assertEqual(came(1), 0)  # the control: nothing tells the PoP
            self.assertIsNotNone(self.echoes(tunnels["wan2"], flags=packets.FLAGS_USES[0])[0])
            self.assertGreater(came(1), 5)
            self.wires[0].tell("both cut=0")
            wait_until(lambda: self.echoes(tunnels["wan1"], 0.2, flags=packets.FLAGS_USES[0])[0],
                       "the first path is back")
            self.assertIsNotNone(self.echoes(tunnels["wan2"])[0])
            self.assertGreater(came(1), 5)  # and back

    def test_what_starts_behind_the_pop_reaches_the_box_by_a_path_that_lives(self):
        tunnels = self.up()
        for tunnel in tunnels.values():
            self.first_echo(tunnel)
        self.box.ip("route", "add", "10.88.0.0/24", "dev", "t2", "src", "10.88.0.2")
        for name in ("all", "t1", "t2"):
            self.box.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
        self.wires[0].tell("both cut=1")

        def comes_back():
            self.first_echo(tunnels["wan2"])
            return self.node.run("ping", "-c", "1", "-W", "1", "10.88.0.2", check=False).returncode == 0
        wait_until(comes_back, "the node reaches the box by the other path", 15)

    def test_tcp_shim_carries_the_tunnel_where_udp_does_not_pass(self):
        for wire in self.wires:
            wire.tell("both udp_block=1")
        tunnels = self.up((("shim", 1),), "tcp443")
        name, lane = tunnels["shim"]
        with self.client.connect(("192.0.2.11", 443)) as tcp, self.box.socket() as udp:
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tcp.sendall(packets.frame(self.client.probe(packets.HELLO, lane)))
            hello = read_frame(tcp)
            answer = packets.read(hello, self.client.key)
            self.assertEqual((answer.kind, answer.source()[0]), (packets.HELLO_ANSWER, "192.0.2.12"))
            udp.bind(("127.0.0.1", 0))
            endpoint = f"127.0.0.1:{udp.getsockname()[1]}"
            key = self.path_of("shim")["lane"]
            public = next(x["public_key"] for x in self.pop.status()["lanes"] if x["name"] == key)
            stop = threading.Event()
            carrier = threading.Thread(target=carry, args=(tcp, udp, stop))
            carrier.start()
            try:
                self.box.run("wg", "set", name, "peer", public, "endpoint", endpoint)
                self.first_echo(tunnels["shim"])
                times = [self.echoes(tunnels["shim"])[1] for _ in range(50)]
                self.assertNotIn(None, times)
            finally:
                stop.set()
                carrier.join()
        print(f"\necho through the shim: median {statistics.median(times):.2f} ms", file=sys.stderr)
        wait_until(lambda: self.pop.status()["shim"]["connections"] == 0, "the connection ended")
        with self.client.connect(("192.0.2.11", 443)) as tcp:  # only asks
            tcp.sendall(packets.frame(self.client.probe(packets.HELLO, 0)))
            answer = packets.read(read_frame(tcp), self.client.key)
            self.assertEqual((answer.kind, answer.lane), (packets.HELLO_ANSWER, 0))
            self.assertEqual(tcp.recv(1), b"")
        with self.client.connect(("192.0.2.11", 443)) as tcp:  # a stranger
            tcp.sendall(packets.frame(bytes(108)))
            self.assertEqual(tcp.recv(1), b"")

    def test_readd_forgets_the_clock_and_the_path_comes_back(self):
        tunnels = self.up((("wan1", 1),))
        self.first_echo(tunnels["wan1"])
        before = self.path_of("wan1")
        status, answer = self.client.ask("POST", f"/v1/boxes/{self.client.box}/readd",
                                         {"pop": "pop1", "public_key": before["public_key"]})
        self.assertEqual((status, answer), (200, {}))
        self.assertIsNone(self.path_of("wan1")["handshake_age_s"])
        peer = self.box.run("wg", "show", "t1", "peers").stdout.strip()
        text = self.box.run("wg", "showconf", "t1").stdout
        self.box.run("wg", "set", "t1", "peer", peer, "remove")
        self.box.run("wg", "addconf", "t1", "/dev/stdin", given=text[text.index("[Peer]"):])
        self.first_echo(tunnels["wan1"])
        status, _ = self.client.ask("POST", f"/v1/boxes/{self.client.box}/readd",
                                    {"pop": "pop1", "public_key": "A" * 43 + "="})
        self.assertEqual(status, 404)

    def initiated(self, tunnel, date):
        """Whether the PoP answers a handshake of this date."""
        lane = next(x for x in self.pop.status()["lanes"] if x["port"] == tunnel[1])
        with self.box.socket() as sock:
            sock.settimeout(0.5)
            answer = initiation.answer(sock, ("192.0.2.11", tunnel[1]), self.client.keys["wan1"],
                                       lane["public_key"], date)
        return answer is not None and len(answer) == 92

    def test_a_handshake_from_the_future_locks_a_box_out_until_it_is_added_again(self):
        tunnel = self.up((("wan1", 1),))["wan1"]
        self.first_echo(tunnel)
        self.box.ip("link", "set", "t1", "down")  # or it would shake hands in between
        self.assertTrue(self.initiated(tunnel, time.time() + 1e7))
        self.assertFalse(self.initiated(tunnel, time.time()))
        public = self.path_of("wan1")["public_key"]
        self.assertEqual(self.client.ask("POST", f"/v1/boxes/{self.client.box}/readd",
                                         {"pop": "pop1", "public_key": public}), (200, {}))
        self.assertTrue(self.initiated(tunnel, time.time()))

    # The PoP itself.

    def test_faults_can_be_switched_while_it_runs(self):
        tunnels = self.up((("wan1", 1),))
        self.first_echo(tunnels["wan1"])
        self.pop.fault(refuse_probes=True)
        self.assertIsNone(self.echoes(tunnels["wan1"], 0.3)[0])
        self.pop.fault(refuse_probes=False, slow_ms=100)
        answer, ms = self.echoes(tunnels["wan1"])
        self.assertGreater(ms, 100)
        self.pop.fault(slow_ms=0, stopping=True)
        self.assertEqual(self.echoes(tunnels["wan1"])[0].flags, packets.FLAG_STOPPING)
        self.pop.fault(stopping=False, drop_handshakes=True)
        self.assertIsNotNone(self.echoes(tunnels["wan1"])[0])
        public = self.path_of("wan1")["public_key"]
        self.client.ask("POST", f"/v1/boxes/{self.client.box}/readd",
                        {"pop": "pop1", "public_key": public})
        self.assertIsNone(self.echoes(tunnels["wan1"], 0.5)[0])
        self.pop.fault(drop_handshakes=False, refuse_api=True)
        self.assertEqual(self.client.ask("GET", f"/v1/boxes/{self.client.box}")[0], 503)
        self.assertIn("error", ask(str(self.folder / "pop.sock"), ask="fault", colour=1))

    def test_a_lane_whose_program_dies_is_back_and_a_restart_keeps_all(self):
        tunnels = self.up((("wan1", 1),))
        self.first_echo(tunnels["wan1"])
        for pid in self.wan.pids():
            if b"lane0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, 9)
        wait_until(lambda: self.echoes(tunnels["wan1"], 0.5)[0], "the lane is back", 30)
        self.pop.stop()
        self.pop.start()
        wait_until(lambda: self.echoes(tunnels["wan1"], 0.5)[0], "the PoP is back", 30)

    def test_a_lane_that_could_not_start_starts_when_the_box_asks_again(self):
        self.joined()
        wish = {"wan1": ("udp4", self.client.new_key("wan1"))}
        with self.wan.socket() as other:
            other.bind(("0.0.0.0", 51821))
            status, answer = self.client.put("pop1", wish)
            self.assertEqual(status, 500, answer)
        status, answer = self.client.put("pop1", wish)
        self.assertEqual(status, 200, answer)
        self.assertEqual(self.wan.run("wg", "show", "lane0", "peers").stdout.strip(),
                         wish["wan1"][1])

    def test_a_stop_removes_what_it_made_and_no_secret_is_logged(self):
        before = self.network_of_pop()
        self.up()
        self.assertNotEqual(self.network_of_pop(), before)
        stored = json.loads((self.folder / "state.json").read_text())
        self.assertEqual((self.folder / "state.json").stat().st_mode & 0o777, 0o600)
        self.pop.stop()
        self.assertEqual(self.network_of_pop(), before)
        self.assertFalse((self.folder / "pop.sock").exists())
        log = self.pop.log() + json.dumps(self.pop.statuses)
        box = stored["boxes"][self.client.box]
        for secret in (self.client.credential, self.pop.last_token, box["probe_key"],
                       *stored["lanes"].values(), *(p["preshared_key"] for p in box["peers"].values())):
            self.assertNotIn(secret, log)

    def network_of_pop(self):
        """All but what the PoP sets while it runs at all (its rules), when it runs."""
        told = [self.wan.run(*words).stdout for words in
                (("ip", "-br", "link"), ("ip", "rule"), ("ip", "route", "show", "table", "all"))]
        comes_late = ("broadcast", "fe80", "ff00")  # of the test's own interfaces
        return [line for text in told for line in text.splitlines()
                if not any(word in line for word in comes_late)]

    def test_one_endpoint_speaks_for_a_second_pop(self):
        (self.folder / "agent.secret").write_text("a secret between the two\n")
        second = Space("pop2")
        self.addCleanup(second.end)
        self.wan.run("ip", "link", "add", "op0", "type", "veth", "peer", "name", "op0", "netns",
                     str(second.keeper.pid))
        for number, space in ((1, self.wan), (2, second)):
            space.ip("addr", "add", f"10.9.0.{number}/24", "dev", "op0")
            space.ip("link", "set", "op0", "up")
        other = PopProgram(second, self.folder, {
            "name": "pop2", "hosts": ["10.9.0.2"], "state": str(self.folder / "state2.json"),
            "control": str(self.folder / "pop2.sock"),
            "endpoint": {"listen": "127.0.0.1:8443"},
            "network": {"name": "compute", "prefixes": ["10.88.0.0/24"],
                        "pool": ["10.88.0.2", "10.88.0.20"]},
            "agent_secret_file": str(self.folder / "agent.secret"),
            "probe": {"address": "10.88.0.21", "port": 51900}})
        other.config["endpoint"] = {"listen": "0.0.0.0:8443", **{
            k: str(self.folder / f"pop.{s}") for k, s in (("certificate", "crt"), ("key", "key"))}}
        certificates.make_certificate(self.folder, "pop", "authority", address="10.9.0.2")
        self.addCleanup(other.kill)
        other.start()
        self.pop.stop()
        self.pop.config["others"] = [{"url": "https://10.9.0.2:8443",
                                      "secret_file": str(self.folder / "agent.secret"),
                                      "ca_file": str(self.folder / "authority.crt")}]
        self.pop.start()
        answer = self.joined()
        self.assertEqual([p["name"] for p in answer["pops"]], ["pop1", "pop2"])
        key = self.client.new_key("x")
        status, peers = self.client.put("pop2", {"x": ("udp4", key)})
        self.assertEqual(status, 200, peers)
        self.assertEqual(other.status()["boxes"][0]["paths"][0]["public_key"], key)
        self.assertEqual(other.status()["lanes"][0]["public_key"], peers["x"]["public_key"])
        status, _ = self.client.ask("POST", f"/v1/boxes/{self.client.box}/readd",
                                    {"pop": "pop2", "public_key": key})
        self.assertEqual(status, 200)
        self.assertEqual(self.client.ask("DELETE", f"/v1/boxes/{self.client.box}")[0], 200)
        self.assertEqual(other.status()["boxes"], [])


def read_frame(tcp):
    frames = packets.Frames()
    while True:
        data = tcp.recv(65536)
        if not data:
            raise AssertionError("the shim closed the connection")
        for frame in frames.feed(data):
            return frame


def carry(tcp, udp, stop):
    """Between a WireGuard interface's datagrams and the shim's connection."""
    tcp.settimeout(0.001)
    udp.settimeout(0.001)
    frames, target = packets.Frames(), None
    while not stop.is_set():
        try:
            data, target = udp.recvfrom(65536)
            tcp.sendall(packets.frame(data))
        except TimeoutError:
            pass
        try:
            for datagram in frames.feed(tcp.recv(65536)):
                if datagram and target:
                    udp.sendto(datagram, target)
        except TimeoutError:
            pass


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("self_test.py: usage: self_test.py BUILD_FOLDER")
    pop_world.BUILD[0] = Path(sys.argv.pop(1)).resolve()
    problem = why_not()
    if problem:
        sys.exit(skipped(problem))
    unittest.main(verbosity=2)
