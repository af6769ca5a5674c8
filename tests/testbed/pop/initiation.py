"""WireGuard's first handshake message with any date in it, as a box whose clock is wrong would send
it. Source: the WireGuard whitepaper, 5.4.2; RFC 7748 (X25519); RFC 8439 (ChaCha20-Poly1305). Slow, and not
in constant time: for tests only."""

import base64
import hashlib
import hmac
import os
import struct

P = 2 ** 255 - 19
CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
TAI_OFFSET = 0x400000000000000a
BASE_POINT = (9).to_bytes(32, "little")


def x25519(scalar, point):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def chacha_block(key, counter, nonce):
    state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter,
             *struct.unpack("<3I", nonce)]
    work = list(state)

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            work[x] = work[x] + work[y] & 0xffffffff
            mixed = work[z] ^ work[x]
            work[z] = (mixed << turn | mixed >> 32 - turn) & 0xffffffff
    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(work, state)))


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(data), 16):
        total = (total + int.from_bytes(data[at:at + 16] + b"\x01", "little")) * r % (2 ** 130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) & (1 << 128) - 1).to_bytes(16, "little")


def seal(key, plain, extra):
    """With nonce 0."""
    nonce = bytes(12)
    stream = b"".join(chacha_block(key, 1 + n, nonce) for n in range(-(-len(plain) // 64)))
    sealed = bytes(a ^ b for a, b in zip(plain, stream))

    def padded(data):
        return data + bytes(-len(data) % 16)
    tag = poly1305(chacha_block(key, 0, nonce)[:32], padded(extra) + padded(sealed)
                   + struct.pack("<QQ", len(extra), len(sealed)))
    return sealed + tag


def hashed(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mixed(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def derived(chain, data):
    """(chain, key): the whitepaper's KDF2."""
    first = mixed(mixed(chain, data), b"\x01")
    return first, mixed(mixed(chain, data), first + b"\x02")


def initiation(private_key, peer_public_key, date, index=None):
    """The 148 bytes; keys as wg(8) shows them, `date` in seconds since 1970."""
    private, peer = base64.b64decode(private_key), base64.b64decode(peer_public_key)
    own = x25519(private, BASE_POINT)
    ephemeral_private = os.urandom(32)
    ephemeral = x25519(ephemeral_private, BASE_POINT)
    chain = hashed(CONSTRUCTION)
    transcript = hashed(hashed(hashed(chain, IDENTIFIER), peer), ephemeral)
    chain = mixed(mixed(chain, ephemeral), b"\x01")
    chain, key = derived(chain, x25519(ephemeral_private, peer))
    sealed_own = seal(key, own, transcript)
    transcript = hashed(transcript, sealed_own)
    chain, key = derived(chain, x25519(private, peer))
    stamp = struct.pack(">QI", TAI_OFFSET + int(date), int(date % 1 * 1e9))
    message = struct.pack("<I", 1) + (index or os.urandom(4)) + ephemeral + sealed_own \
        + seal(key, stamp, transcript)
    mac = hashlib.blake2s(message, digest_size=16, key=hashed(b"mac1----", peer)).digest()
    return message + mac + bytes(16)


def answer(sock, place, private_key, peer_public_key, date):
    """What the peer at `place` answers to an initiation of this date; None: nothing. Sent thrice, as
    WireGuard does: a peer drops what comes within 20 ms of another, such as the tunnel's own."""
    for attempt in range(3):
        sock.sendto(initiation(private_key, peer_public_key, date + attempt), place)
        try:
            return sock.recv(2000)
        except TimeoutError:
            pass
    return None
