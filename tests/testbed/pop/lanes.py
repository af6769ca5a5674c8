"""Lanes: WireGuard interfaces, by the kernel where it can, else by wireguard-go. Keys go to wg(8)
by standard input only."""

import os
import subprocess
import sys
import time

START_SECONDS = 5


class Failed(Exception):
    pass


def run(*arguments, given=None, check=True):
    done = subprocess.run([str(a) for a in arguments], input=given, capture_output=True, text=True,
                          timeout=20)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments[:4]))}: {done.stderr.strip()}")
    return done


def public_of(private_key):
    return run("wg", "pubkey", given=private_key + "\n").stdout.strip()


class Lane:
    def __init__(self, settings, index, private_key):
        self.index = index
        self.name = f"{settings.lanes['prefix']}{index}"
        self.port = settings.lanes["first_port"] + index
        self.mtu = settings.lanes["mtu"]
        self.backend = settings.backend
        self.private_key = private_key
        self.public_key = public_of(private_key)
        self.child = None
        self.up = False

    def start(self):
        run("ip", "link", "del", self.name, check=False)  # of an earlier run
        if self.backend != "userspace":
            made = run("ip", "link", "add", self.name, "type", "wireguard", check=False)
            if made.returncode != 0 and self.backend == "kernel":
                raise Failed(f"{self.name}: the kernel has no WireGuard: {made.stderr.strip()}")
            self.backend = "kernel" if made.returncode == 0 else "userspace"
        if self.backend == "userspace":
            self.start_program()
        run("wg", "set", self.name, "private-key", "/dev/stdin", "listen-port", self.port,
            given=self.private_key + "\n")
        run("ip", "link", "set", self.name, "mtu", self.mtu, "up")
        self.up = True

    def start_program(self):
        socket = f"/var/run/wireguard/{self.name}.sock"
        os.makedirs("/var/run/wireguard", exist_ok=True)
        if os.path.exists(socket):
            os.unlink(socket)
        environment = {**os.environ, "LOG_LEVEL": "error", "WG_PROCESS_FOREGROUND": "1"}
        self.child = subprocess.Popen(["wireguard-go", "-f", self.name], env=environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(socket):
            if self.child.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name}: wireguard-go does not start; is /dev/net/tun there?")
            time.sleep(0.005)

    def lost(self):
        """Whether what carries it has ended."""
        return self.up and self.child is not None and self.child.poll() is not None

    def stop(self):
        if self.child is not None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
            self.child = None
        run("ip", "link", "del", self.name, check=False)
        self.up = False

    def add_peer(self, address, peer):
        run("wg", "set", self.name, "peer", peer["public_key"], "preshared-key", "/dev/stdin",
            "allowed-ips", f"{address}/32", given=peer["preshared_key"] + "\n")

    def remove_peer(self, public_key):
        run("wg", "set", self.name, "peer", public_key, "remove")

    def peers(self):
        """public key -> endpoint, seconds since the last handshake, bytes."""
        told = {}
        for line in run("wg", "show", self.name, "dump", check=False).stdout.splitlines()[1:]:
            key, _, endpoint, _, handshake, received, sent, _ = line.split("\t")
            age = round(time.time() - int(handshake), 1) if handshake != "0" else None
            told[key] = {"endpoint": None if endpoint == "(none)" else endpoint,
                         "handshake_age_s": age, "received_bytes": int(received),
                         "sent_bytes": int(sent)}
        return told


class Lanes:
    """Made when the first path needs them."""

    def __init__(self, settings, book, key_text):
        self.settings, self.book, self.key_text = settings, book, key_text
        self.lanes = {}

    def lane(self, index):
        lane = self.lanes.get(index)
        if lane is None:
            private_key = self.book.lanes.get(str(index))
            if private_key is None:
                private_key = self.book.lanes[str(index)] = self.key_text()
                self.book.save()
            lane = Lane(self.settings, index, private_key)
            try:
                lane.start()
            except Failed:
                lane.stop()
                raise
            self.lanes[index] = lane
        return lane

    def restore(self):
        """All peers of the book on their lanes."""
        for box in self.book.boxes.values():
            for peer in box["peers"].values():
                self.lane(peer["lane"]).add_peer(box["address"], peer)

    def repair(self):
        """Starts what has ended; tells which lanes are new."""
        repaired = [lane for lane in self.lanes.values() if lane.lost()]
        for lane in repaired:
            print(f"pop: {lane.name}: wireguard-go ended; starting it again", file=sys.stderr)
            lane.start()
            for box in self.book.boxes.values():
                for peer in box["peers"].values():
                    if peer["lane"] == lane.index:
                        lane.add_peer(box["address"], peer)
        return repaired

    def stop(self):
        for lane in self.lanes.values():
            lane.stop()
        self.lanes = {}
