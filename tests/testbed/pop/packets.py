"""Probe packets and shim frames: firmware/tunnel/README.md, written anew from its tables."""

import hashlib
import hmac
import socket
import struct
from dataclasses import dataclass

LEAST_BYTES = 108
MOST_BYTES = 65507
MAC_BYTES = 16
FIELDS = struct.Struct(">4sBBH8s8sQQQQIBBH16s12s")
MAGIC = b"SLP1"
ECHO, ECHO_ANSWER, WHERE, WHERE_ANSWER, HELLO, HELLO_ANSWER = 1, 2, 3, 4, 5, 6
FLAG_OTHER_INSTANCE = 1
FLAG_STOPPING = 2
FLAGS_USES = (4, 8)  # by class: traffic of it uses the path now


@dataclass
class Probe:
    kind: int
    traffic: int = 0  # class: 0 interactive, 1 bulk
    lane: int = 0
    box: bytes = bytes(8)
    instance: bytes = bytes(8)
    sequence: int = 1
    start: int = 0
    sent: int = 0
    date: int = 0
    seen: int = 0
    flags: int = 0
    family: int = 0
    port: int = 0
    address: bytes = bytes(16)
    size: int = LEAST_BYTES

    def packed(self, key):
        head = FIELDS.pack(MAGIC, self.kind, self.traffic, self.lane, self.box, self.instance,
                           self.sequence, self.start, self.sent, self.date, self.seen, self.flags,
                           self.family, self.port, self.address, bytes(12))
        body = head + bytes(self.size - len(head) - MAC_BYTES)
        return body + mac(body, key)

    def source(self):
        """The (address, port) that the PoP saw, as text."""
        kind, size = (socket.AF_INET, 4) if self.family == 4 else (socket.AF_INET6, 16)
        return socket.inet_ntop(kind, self.address[:size]), self.port


def mac(body, key):
    return hashlib.blake2b(body, digest_size=MAC_BYTES, key=key).digest()


def box_of(data):
    """The box id of what may be a probe, before its authenticity is known."""
    if not LEAST_BYTES <= len(data) <= MOST_BYTES or data[:4] != MAGIC:
        return None
    return bytes(data[8:16])


def read(data, key):
    """The probe, or None when it is none or not authentic."""
    if box_of(data) is None:
        return None
    if not hmac.compare_digest(mac(data[:-MAC_BYTES], key), bytes(data[-MAC_BYTES:])):
        return None
    _, kind, traffic, lane, box, instance, sequence, start, sent, date, seen, flags, family, port, \
        address, zero = FIELDS.unpack_from(data)
    if zero != bytes(12) or traffic > 1:
        return None
    return Probe(kind, traffic, lane, box, instance, sequence, start, sent, date, seen, flags,
                 family, port, address, len(data))


def packed_source(sockaddr):
    """(family, port, address in 16 bytes) of what recvfrom tells; v4 in a v6 socket is v4."""
    host, port = sockaddr[0].split("%")[0], sockaddr[1]
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    if ":" in host:
        return 6, port, socket.inet_pton(socket.AF_INET6, host)
    return 4, port, socket.inet_pton(socket.AF_INET, host) + bytes(12)


def frame(datagram):
    return struct.pack(">H", len(datagram)) + datagram


class Frames:
    """What a TCP connection brings, cut into frames. `broken` after one that cannot be."""

    def __init__(self):
        self.rest = bytearray()
        self.broken = False

    def feed(self, data):
        self.rest += data
        found = []
        while len(self.rest) >= 2 and not self.broken:
            size = self.rest[0] << 8 | self.rest[1]
            if size > MOST_BYTES:
                self.broken = True
            if self.broken or len(self.rest) < 2 + size:
                break
            found.append(bytes(self.rest[2:2 + size]))
            del self.rest[:2 + size]
        return found
