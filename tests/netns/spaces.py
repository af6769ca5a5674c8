"""Network namespaces without names: each lives as long as a small process of ours, with its own
/var/run/wireguard and /sys. What still runs in one is ended with it."""

import ctypes
import os
import signal
import socket
import subprocess
import time

CLONE_NEWNET = 0x40000000
KEEPER = ("mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && "
          "mount -t sysfs sysfs /sys && ip link set lo up && echo ready && exec cat")
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A command of the topology did not work, in its words."""


def run(*arguments, check=True, given=None, seconds=30):
    done = subprocess.run([str(a) for a in arguments], input=given, capture_output=True, text=True,
                          timeout=seconds)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}{done.stdout.strip()}")
    return done


def why_not():
    """Why no namespaces, TAP devices or tunnels can be made here; None: they can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces and TUN devices"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"/dev/net/tun: {error.strerror}"
    for program in ("ip", "nft", "wg", "wireguard-go", "unshare", "nsenter"):
        if not any(os.access(f"{folder}/{program}", os.X_OK)
                   for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]):
            return f"the program {program} is not installed (scripts/setup)"
    try:
        Space("trial").end()
    except (Failed, OSError) as error:
        return str(error)
    return None


def skipped(problem):
    """Says so. The exit code: in CI, which shall have all this, a failure."""
    print(f"SKIPPED, NOT TESTED: {problem}")
    return 1 if os.environ.get("CI") else 77


class Space:
    def __init__(self, name):
        self.name = name
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", KEEPER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self.keeper.stdout.readline() != b"ready\n":
            raise Failed(f"no namespace: {self.keeper.stderr.read().decode().strip()}")
        self.path = f"/proc/{self.keeper.pid}/ns/net"
        self.inode = os.stat(self.path).st_ino

    def inside(self, *arguments):
        return ["nsenter", "-t", str(self.keeper.pid), "-n", "-m", "--", *map(str, arguments)]

    def run(self, *arguments, **options):
        return run(*self.inside(*arguments), **options)

    def ip(self, *arguments, **options):
        return self.run("ip", *arguments, **options)

    def start(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.inside(*arguments), **options)

    def sysctl(self, name, value):
        self.run("sh", "-c", f"echo {value} > /proc/sys/{name}")

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM):
        """A socket of this namespace for the caller's own process."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            if LIBC.setns(there, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            return socket.socket(family, kind)
        finally:
            if LIBC.setns(home, CLONE_NEWNET) != 0:
                os._exit(70)  # nothing that follows would be where it should
            os.close(home)
            os.close(there)

    def pids(self):
        """Processes in this namespace, but for its keeper."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and int(entry) != self.keeper.pid \
                        and os.stat(f"/proc/{entry}/ns/net").st_ino == self.inode:
                    found.append(int(entry))
            except OSError:
                continue
        return found

    def end(self):
        end = time.monotonic() + 5
        while (left := self.pids()) and time.monotonic() < end:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)
        self.keeper.stdin.close()
        self.keeper.wait(10)
        self.keeper.stdout.close()
        self.keeper.stderr.close()
