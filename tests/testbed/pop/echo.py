"""Answers probes: inside the tunnel on a socket for each lane (so that an answer leaves by the lane of
its question whatever the routes say), outside on two ports that tell a box how it is seen."""

import heapq
import selectors
import socket
import struct
import threading
import time
from collections import Counter

import packets

WHERE_PER_SECOND = 200  # answers outside the tunnel, all boxes together
LATE_MAX = 10000        # answers that wait when the PoP is told to be slow
IP_PKTINFO = 8          # ip(7); Python 3.11 has no name for it
TURN = 64               # datagrams of one socket before the next has its turn


class Echo:
    """A thread. `keys` maps a box id to its (probe key, address) and is replaced whole."""

    def __init__(self, settings, faults, witness, uses):
        self.settings, self.faults, self.witness, self.uses = settings, faults, witness, uses
        self.keys = {}
        self.counts = Counter()
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.lanes = {}  # lane port -> socket
        self.late = []   # (when, number, socket, answer, ancillary, target)
        self.allowance, self.allowed_at = WHERE_PER_SECOND, time.monotonic()
        self.changes, self.changed = [], threading.Lock()
        self.wake_in, self.wake_out = socket.socketpair()
        self.wake_out.setblocking(False)
        self.selector.register(self.wake_out, selectors.EVENT_READ, None)
        for port in (settings.where_port, settings.where_port + 1):
            self.open_where(port)
        self.thread = threading.Thread(target=self.run, name="echo", daemon=True)

    def open_where(self, port):
        if socket.has_dualstack_ipv6():
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.bind(("::", port))
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            sock.bind(("0.0.0.0", port))
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ, 0)

    def add_lane(self, lane):
        """Also of one that was made anew: its socket was of the old interface."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, lane.name.encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 6)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 48 << 2)  # CS6, RFC 2474
        sock.setblocking(False)
        with self.changed:
            self.changes.append((lane.port, sock))
        self.wake_in.send(b".")

    def take_changes(self):
        self.wake_out.recv(4096)
        with self.changed:
            changes, self.changes = self.changes, []
        for port, sock in changes:
            old = self.lanes.pop(port, None)
            if old is not None:
                self.selector.unregister(old)
                old.close()
            sock.bind((self.settings.probe_address, self.settings.probe_port))
            self.lanes[port] = sock
            self.selector.register(sock, selectors.EVENT_READ, port)

    def stop(self):
        self.stopping = True
        self.wake_in.send(b".")
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.wake_in.close()

    def run(self):
        while not self.stopping:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            for key, _ in self.selector.select(wait):
                if key.data is None:
                    self.take_changes()
                else:
                    self.read(key.fileobj, key.data)
            while self.late and self.late[0][0] <= time.monotonic():
                self.send(*heapq.heappop(self.late)[2:])

    def read(self, sock, lane):
        for _ in range(TURN):
            try:
                data, ancillary, _, source = sock.recvmsg(packets.MOST_BYTES + 1, 128)
            except BlockingIOError:
                return
            except OSError:  # its interface is gone; another socket comes
                return
            answer = self.answered(data, lane, source)
            if answer is None:
                continue
            # By the address that was asked, on whatever interface the route says.
            back = [(level, kind, local_of(level, info)) for level, kind, info in ancillary]
            delay = self.faults.values["slow_ms"] / 1000
            if delay <= 0:
                self.send(sock, answer, back, source)
            elif len(self.late) < LATE_MAX:
                heapq.heappush(self.late, (time.monotonic() + delay, self.counts["late"], sock,
                                           answer, back, source))
                self.counts["late"] += 1

    def send(self, sock, answer, back, source):
        try:
            sock.sendmsg([answer], back, 0, source)
        except OSError:
            self.counts["unsent"] += 1

    def answered(self, data, lane, source):
        known = self.keys.get(packets.box_of(data))
        probe = known and packets.read(data, known[0])
        if probe is None:
            self.counts["not_authentic"] += 1
            return None
        asked = packets.ECHO if lane else packets.WHERE
        if probe.kind != asked or (lane and (probe.lane != lane or source[0] != known[1])):
            self.counts["misplaced"] += 1
            return None
        faults = self.faults.values
        if faults["refuse_probes" if lane else "refuse_where"] or (not lane and not self.may_tell()):
            self.counts["refused"] += 1
            return None
        self.counts["echo" if lane else "where"] += 1
        if lane:
            self.uses.heard(known[1], probe)
        return self.answer_of(probe, known[0], source, bool(lane))

    def answer_of(self, probe, key, source, inside):
        probe.seen = self.witness.count(probe)
        probe.flags = packets.FLAG_STOPPING if self.faults.values["stopping"] else 0
        if inside and self.witness.other_uses(probe):
            probe.flags |= packets.FLAG_OTHER_INSTANCE
        probe.kind += 1
        probe.date = date_us(self.faults)
        probe.family, probe.port, probe.address = packets.packed_source(source)
        return probe.packed(key)

    def may_tell(self):
        now = time.monotonic()
        self.allowance = min(WHERE_PER_SECOND,
                             self.allowance + (now - self.allowed_at) * WHERE_PER_SECOND)
        self.allowed_at = now
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True


def date_us(faults):
    return int((time.time() + faults.values["date_offset_s"]) * 1e6)


def local_of(level, info):
    """Packet information for an answer: the same local address, no interface."""
    if level == socket.IPPROTO_IPV6:
        return info[:16] + struct.pack("=I", 0)
    local = info[4:8]
    return struct.pack("=I4s4s", 0, local, bytes(4))
