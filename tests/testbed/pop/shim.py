"""The TCP shim: datagrams of WireGuard over a TCP connection, for sites where UDP does not pass. Each
connection says in its first frame who it is and to which lane its datagrams go."""

import selectors
import socket
import struct
import threading
import time
from collections import Counter

import packets
from echo import date_us

CONNECTIONS_MAX = 1024
HELLO_SECONDS = 5
IDLE_SECONDS = 15
KEEPALIVE_SECONDS = 4  # looked at each second: never later than after 5
OUT_MAX = 256 * 1024  # that a connection has not taken yet; datagrams beyond are lost, as datagrams are
READ_BYTES = 256 * 1024
USER_TIMEOUT_MS = 20000


class Connection:
    def __init__(self, sock, source):
        self.sock, self.source = sock, source
        self.frames = packets.Frames()
        self.out = bytearray()
        self.lane = None  # socket to the lane, after the hello
        self.born = self.heard = self.said = time.monotonic()


class Shim:
    """A thread. `lane_ports` tells which lanes are there."""

    def __init__(self, settings, echo, faults, lane_ports):
        self.echo, self.faults, self.lane_ports = echo, faults, lane_ports
        self.counts = Counter()
        self.connections = set()
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.wake_in, self.wake_out = socket.socketpair()
        self.selector.register(self.wake_out, selectors.EVENT_READ, self.wake)
        listener = socket.create_server(("", settings.tcp_port), family=socket.AF_INET6,
                                        dualstack_ipv6=True, backlog=128) \
            if socket.has_dualstack_ipv6() else socket.create_server(("", settings.tcp_port))
        listener.setblocking(False)
        self.listener = listener
        self.selector.register(listener, selectors.EVENT_READ, self.accept)
        self.thread = threading.Thread(target=self.run, name="shim", daemon=True)

    def stop(self):
        self.stopping = True
        self.wake_in.send(b".")
        self.thread.join()
        for connection in list(self.connections):
            self.end(connection)
        for sock in (self.listener, self.wake_in, self.wake_out):
            sock.close()

    def wake(self, _):
        self.wake_out.recv(4096)

    def run(self):
        swept = time.monotonic()
        while not self.stopping:
            for key, events in self.selector.select(1):
                key.data(events)
            if time.monotonic() - swept >= 1:
                swept = time.monotonic()
                self.sweep(swept)

    def sweep(self, now):
        for connection in list(self.connections):
            silent = HELLO_SECONDS if connection.lane is None else IDLE_SECONDS
            if now - connection.heard > silent or self.faults.values["refuse_shim"]:
                self.end(connection)
            elif connection.lane is not None and now - connection.said > KEEPALIVE_SECONDS:
                self.say(connection, b"")

    def accept(self, _):
        try:
            sock, source = self.listener.accept()
        except OSError:
            return
        if self.faults.values["refuse_shim"] or len(self.connections) >= CONNECTIONS_MAX:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        connection = Connection(sock, source)
        self.connections.add(connection)
        self.selector.register(sock, selectors.EVENT_READ, lambda e: self.on_tcp(connection, e))

    def end(self, connection):
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        for sock in (connection.sock, connection.lane):
            if sock is not None:
                self.selector.unregister(sock)
                sock.close()

    def on_tcp(self, connection, events):
        if events & selectors.EVENT_WRITE:
            self.flush(connection)
        if events & selectors.EVENT_READ and connection in self.connections:
            try:
                data = connection.sock.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.end(connection)
                return
            connection.heard = time.monotonic()
            for datagram in connection.frames.feed(data):
                self.on_frame(connection, datagram)
                if connection not in self.connections:
                    return
            if connection.frames.broken:
                self.end(connection)

    def on_frame(self, connection, datagram):
        if connection.lane is None:
            self.greet(connection, datagram)
        elif datagram:
            self.counts["in"] += 1
            try:
                connection.lane.send(datagram)
            except OSError:
                self.counts["lost_in"] += 1

    def greet(self, connection, datagram):
        known = self.echo.keys.get(packets.box_of(datagram))
        probe = known and packets.read(datagram, known[0])
        lanes = {0, *self.lane_ports()}  # 0 only asks whether the way is open
        if probe is None or probe.kind != packets.HELLO or probe.lane not in lanes:
            self.counts["not_authentic"] += 1
            self.end(connection)
            return
        self.counts["hello"] += 1
        probe.kind = packets.HELLO_ANSWER
        probe.seen = self.echo.witness.count(probe)
        probe.date = date_us(self.faults)
        probe.flags = packets.FLAG_STOPPING if self.faults.values["stopping"] else 0
        probe.family, probe.port, probe.address = packets.packed_source(connection.source)
        if probe.lane == 0:
            self.say(connection, probe.packed(known[0]))
            self.end(connection)
            return
        lane = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        lane.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        lane.setblocking(False)
        lane.connect(("127.0.0.1", probe.lane))
        connection.lane = lane
        self.selector.register(lane, selectors.EVENT_READ, lambda _: self.on_lane(connection))
        self.say(connection, probe.packed(known[0]))

    def on_lane(self, connection):
        for _ in range(64):
            try:
                datagram = connection.lane.recv(packets.MOST_BYTES)
            except BlockingIOError:
                break
            except OSError:  # the lane is being made anew
                break
            if len(connection.out) + len(datagram) > OUT_MAX:
                self.counts["lost_out"] += 1
                continue
            self.counts["out"] += 1
            connection.out += struct.pack(">H", len(datagram)) + datagram
        self.flush(connection)

    def say(self, connection, datagram):
        connection.out += packets.frame(datagram)
        self.flush(connection)

    def flush(self, connection):
        if connection not in self.connections:
            return
        connection.said = time.monotonic()
        try:
            while connection.out:
                sent = connection.sock.send(connection.out)
                del connection.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.end(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.out else 0)
        if self.selector.get_key(connection.sock).events != wanted:
            self.selector.modify(connection.sock, wanted,
                                 lambda e: self.on_tcp(connection, e))
