"""What a switch cost, as seen from outside the daemon: by a flow through the tunnels, by the kernel's
word that routes changed, by the wires' counters. All times are CLOCK_MONOTONIC in microseconds."""

import socket
import struct
import threading
import time

from site_world import FLOW_PORT, NODE

SOURCE = "10.88.0.2"
INTERVAL_US = 2000
STREAM_INTERVAL_US = 10000

NETLINK_ROUTE, SOL_NETLINK, ADD_MEMBERSHIP = 0, 270, 1
GROUP_NEXTHOP, NEW_NEXTHOP = 32, 104
NHA_ID, NHA_GROUP = 1, 2
GROUP_OF = {0x511f0000: "interactive", 0x511f0001: "bulk"}  # firmware/tunnel/names.h


def now_us():
    return time.monotonic_ns() // 1000


class Flow:
    """Datagrams each 2 ms and a TCP stream with a record each 10 ms, from the shared inner address; on a
    slow machine so much less often."""

    def __init__(self, site, name="flow", size=64, mark=0, stream=True):
        self.slow = site.slow
        self.interval_us = round(INTERVAL_US * self.slow)
        stream_interval_us = round(STREAM_INTERVAL_US * self.slow)
        self.file = site.folder / f"{name}.lines"
        self.file.touch()
        self.process = site.program(
            site.box, name, site.build / "testbed-flow", "--to", f"{NODE}:{FLOW_PORT}", "--source",
            f"{SOURCE}:0", "--out", self.file, "--interval-us", self.interval_us, "--bytes", size,
            "--mark", mark, *(("--stream-interval-us", stream_interval_us) if stream else ()),
            ready="ready")
        self.offset, self.rest = 0, ""
        self.datagrams, self.records, self.breaks = [], [], []  # (sequence, sent, came); when

    def read(self):
        with open(self.file) as lines:
            lines.seek(self.offset)
            text = self.rest + lines.read()
            self.offset = lines.tell()
        whole, _, self.rest = text.rpartition("\n")
        for line in whole.splitlines():
            kind, *numbers = line.split()
            if kind == "x":
                self.breaks.append(int(numbers[0]))
            else:
                (self.datagrams if kind == "u" else self.records).append(tuple(map(int, numbers)))

    def forget(self):
        self.read()
        self.datagrams, self.records, self.breaks = self.datagrams[-100:], self.records[-100:], []

    def flows(self, since, seconds=0.4):
        """Whether nearly all that was sent in the last while (after `since`) has come back."""
        self.read()
        seconds *= self.slow
        wanted = seconds * 1e6 / self.interval_us
        begin = max(since, now_us() - seconds * 1e6 - 150000 * self.slow)
        return sum(sent >= begin for _, sent, _ in self.datagrams) > wanted * 0.85

    def stream_flows(self, since):
        self.read()
        return any(sent > since for _, sent, _ in self.records)

    def wait_back(self, since, seconds):
        """Until datagrams and the stream flow again, or the time is over; tells whether they do."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.flows(since + 50000) and self.stream_flows(since):
                return True
            time.sleep(0.05)
        return False

    def longest_silence(self, since, until, stream=False):
        """In ms, between answers, from the last before `since`."""
        came = sorted(c for _, _, c in (self.records if stream else self.datagrams) if c <= until)
        before = [c for c in came if c <= since]
        times = [before[-1] if before else since] + [c for c in came if c > since] + [until]
        return max(b - a for a, b in zip(times, times[1:])) / 1000

    def lost(self, since, until):
        """(sent, not come back) of the datagrams between the first and the last that came back."""
        numbers = sorted({n for n, sent, _ in self.datagrams if since <= sent <= until})
        if not numbers:
            return 0, 0
        sent = numbers[-1] - numbers[0] + 1
        return sent, sent - len(numbers)

    def longest_pause(self, since, until):
        """Of the sender, in ms, between datagrams that both came back: what the machine stood still."""
        sent = {n: at for n, at, _ in self.datagrams if since <= at <= until}
        return max((sent[n + 1] - at for n, at in sent.items() if n + 1 in sent), default=0) / 1000

    def round_trips(self, since, until):
        """In ms, sorted."""
        return sorted((came - sent) / 1000 for _, sent, came in self.datagrams
                      if since <= sent <= until)


class SwitchWatch:
    """When nexthop groups of the daemon were replaced, by the kernel's own messages."""

    def __init__(self, site):
        self.seen = []  # (when, traffic, nexthop ids)
        self.sock = site.box.socket(socket.AF_NETLINK, socket.SOCK_RAW)
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP_NEXTHOP)
        self.sock.settimeout(0.2)
        self.ended = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        site.ends.append(self.end)

    def end(self):
        self.ended = True
        self.thread.join()
        self.sock.close()

    def run(self):
        while not self.ended:
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                continue
            self.take(data, now_us())

    def take(self, data, when):
        while len(data) >= 16:
            size, kind = struct.unpack_from("=IH", data)
            if kind == NEW_NEXTHOP:
                attributes = dict(self.attributes(data[24:size]))
                traffic = GROUP_OF.get(struct.unpack("=I", attributes[NHA_ID])[0])
                group = attributes.get(NHA_GROUP, b"")
                if traffic:
                    ids = [struct.unpack_from("=I", group, at)[0] for at in range(0, len(group), 8)]
                    self.seen.append((when, traffic, ids))
            data = data[(size + 3) & ~3:]

    @staticmethod
    def attributes(data):
        while len(data) >= 4:
            size, kind = struct.unpack_from("=HH", data)
            if size < 4:
                return
            yield kind & 0x3fff, data[4:size]
            data = data[(size + 3) & ~3:]

    def first_after(self, when, traffic="interactive"):
        return next((at for at, which, _ in self.seen if at >= when and which == traffic), None)

    def count(self, since, traffic="interactive"):
        """Switches to another path: the same group written again is none."""
        groups = [ids for at, which, ids in self.seen if which == traffic and at >= since]
        before = [ids for at, which, ids in self.seen if which == traffic and at < since][-1:]
        chain = before + groups
        return sum(a != b for a, b in zip(chain, chain[1:]))
