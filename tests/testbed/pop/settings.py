"""The configuration of a PoP: a JSON file, checked whole before anything is done."""

import ipaddress
import json
import os
from dataclasses import dataclass

DEFAULTS = {
    "region": "", "where_port": 51819, "tcp_port": 443, "reply_pinning": True, "backend": "auto",
    "proxy_arp": False, "others": [], "agent_secret_file": None, "drain_s": 0, "clear_port": 80,
}
LANES = {"count": 8, "first_port": 51821, "mtu": 1420, "prefix": "lane"}
LANES_MAX = 32


class Wrong(Exception):
    """A setting that cannot be, in words."""


@dataclass
class Settings:
    name: str
    region: str
    hosts: list
    state: str
    control: str
    listen: tuple          # of the HTTPS endpoint
    certificate: str       # None: plain HTTP, on loopback only
    certificate_key: str
    network: dict          # name, prefixes; pool: [first, last]; reserved
    probe_address: str
    probe_port: int
    where_port: int
    tcp_port: int
    lanes: dict
    compute_interface: str  # None: boxes reach only this machine
    reply_pinning: bool
    backend: str           # auto, kernel, userspace
    proxy_arp: bool
    others: list           # PoPs that this endpoint also speaks for
    agent_secret_file: str  # what another's endpoint must show to command this PoP
    drain_s: float
    clear_port: int        # 0: no plain HTTP

    def pop(self):
        """What boxes are told of this PoP."""
        return {"name": self.name, "region": self.region, "hosts": self.hosts,
                "where_port": self.where_port, "probe_address": self.probe_address,
                "probe_port": self.probe_port}

    def box_addresses(self):
        first, last = (ipaddress.IPv4Address(a) for a in self.network["pool"])
        kept = {self.probe_address, *self.network.get("reserved", [])}
        return [str(ipaddress.IPv4Address(n)) for n in range(int(first), int(last) + 1)
                if str(ipaddress.IPv4Address(n)) not in kept]


def secret_in(path):
    with open(path) as file:
        secret = file.read().strip()
    if len(secret) < 16:
        raise Wrong(f"{path}: a secret must have at least 16 characters")
    return secret


def listen_place(text):
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise Wrong(f"endpoint.listen {text}: must be an address and a port, such as 0.0.0.0:8443")
    return host.strip("[]"), int(port)


def load(path):
    try:
        with open(path) as file:
            given = json.load(file)
    except (OSError, ValueError) as error:
        raise Wrong(f"{path}: {error}") from None
    try:
        return checked({**DEFAULTS, **given})
    except KeyError as error:
        raise Wrong(f"{path}: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise Wrong(f"{path}: {error}") from None


def checked(given):
    known = {"name", "hosts", "state", "control", "endpoint", "network", "probe", "lanes",
             "compute_interface", *DEFAULTS}
    unknown = sorted(set(given) - known)
    if unknown:
        raise Wrong(f"{', '.join(unknown)}: unknown; README.md lists what is known")
    lanes = {**LANES, **given.get("lanes", {})}
    endpoint = given["endpoint"]
    listen = listen_place(endpoint["listen"])
    network = given["network"]
    for prefix in network["prefixes"]:
        ipaddress.IPv4Network(prefix)
    certificate = endpoint.get("certificate")
    if certificate is None and not ipaddress.ip_address(listen[0]).is_loopback:
        raise Wrong("endpoint.certificate is missing: without one the endpoint listens on loopback only")
    if not 1 <= lanes["count"] <= LANES_MAX:
        raise Wrong(f"lanes.count must be 1 to {LANES_MAX}")
    first = lanes["first_port"]
    if first - 2 < given["where_port"] < first + lanes["count"]:
        raise Wrong("where_port and where_port + 1 must not be ports of lanes")
    if given["backend"] not in ("auto", "kernel", "userspace"):
        raise Wrong("backend must be auto, kernel or userspace")
    if not given["hosts"]:
        raise Wrong("hosts must have an address or a name under which boxes reach this PoP")
    settings = Settings(
        name=given["name"], region=given["region"], hosts=given["hosts"], state=given["state"],
        control=given["control"], listen=listen, certificate=certificate,
        certificate_key=endpoint.get("key"), network=network,
        probe_address=given["probe"]["address"], probe_port=given["probe"]["port"],
        where_port=given["where_port"], tcp_port=given["tcp_port"], lanes=lanes,
        compute_interface=given.get("compute_interface"), reply_pinning=given["reply_pinning"],
        backend=given["backend"], proxy_arp=given["proxy_arp"], others=given["others"],
        agent_secret_file=given["agent_secret_file"], drain_s=given["drain_s"],
        clear_port=given["clear_port"])
    if not settings.box_addresses():
        raise Wrong("network.pool has no address for a box")
    if settings.agent_secret_file and not os.path.exists(settings.agent_secret_file):
        raise Wrong(f"{settings.agent_secret_file}: not there")
    return settings
