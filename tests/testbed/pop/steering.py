"""Where packets for boxes go. A connection's packets leave by the lane by which its last packet came
(conntrack marks, a rule and a table for each lane): a box moves between its paths without a word to
the PoP. What starts here goes by a lane that shows life. Also: forwarding between lanes and the
compute side only, and the faults that packets can have."""

import os
import threading

from lanes import run

TABLE = "sluice_pop"
PROTOCOL = 198       # of our routes and rules
FIRST_TABLE = 51200  # and one for each lane
MARK_SHIFT = 24
MARK_REST = 0x00ffffff
PRIORITY = 5000


def mark_of(lane):
    return (lane + 1) << MARK_SHIFT


class Steering:
    def __init__(self, settings):
        self.settings = settings
        self.pinning = settings.reply_pinning
        self.drop_handshakes = self.drop_forward = False
        self.lanes = []
        self.moved = {}  # lane port -> that of the lane to which its connections went
        self.changing = threading.RLock()  # probes move connections from a thread of their own
        self.main = {}  # box address -> lane name of its route in the main table
        self.sysctls = {}
        self.own_address = False

    def start(self):
        self.clean()
        self.sysctl("net/ipv4/ip_forward", "1")
        self.sysctl("net/ipv4/conf/all/rp_filter", "0")
        if self.settings.compute_interface:
            self.sysctl(f"net/ipv4/conf/{self.settings.compute_interface}/rp_filter", "0")
            if self.settings.proxy_arp:
                self.sysctl(f"net/ipv4/conf/{self.settings.compute_interface}/proxy_arp", "1")
        address = self.settings.probe_address
        if f" {address}/" not in run("ip", "-4", "-o", "addr", "show").stdout:
            run("ip", "addr", "add", f"{address}/32", "dev", "lo")
            self.own_address = True
        self.apply()

    def stop(self):
        self.clean()
        if self.own_address:
            run("ip", "addr", "del", f"{self.settings.probe_address}/32", "dev", "lo", check=False)
        for path, value in self.sysctls.items():
            if os.path.exists(path):
                with open(path, "w") as file:
                    file.write(value)

    def sysctl(self, name, value):
        path = f"/proc/sys/{name}"
        with open(path) as file:
            before = file.read().strip()
        if before != value:
            self.sysctls[path] = before
            with open(path, "w") as file:
                file.write(value)

    def clean(self):
        """What an earlier run, or this one, left."""
        run("nft", "delete", "table", "inet", TABLE, check=False)
        while run("ip", "rule", "del", "protocol", str(PROTOCOL), check=False).returncode == 0:
            pass
        run("ip", "route", "flush", "table", "all", "protocol", str(PROTOCOL), check=False)

    def add_lane(self, lane):
        """Also of one that was made anew: its routes went with the old interface."""
        if lane not in self.lanes:
            self.lanes.append(lane)
            run("ip", "rule", "add", "fwmark", f"{mark_of(lane.index)}/0xff000000", "lookup",
                FIRST_TABLE + lane.index, "priority", PRIORITY + lane.index, "protocol", PROTOCOL)
        with open(f"/proc/sys/net/ipv4/conf/{lane.name}/rp_filter", "w") as file:
            file.write("0")
        for prefix in self.settings.network["prefixes"]:
            run("ip", "route", "replace", prefix, "dev", lane.name, "table",
                FIRST_TABLE + lane.index, "protocol", PROTOCOL)
        for address, name in self.main.items():
            if name == lane.name:
                run("ip", "route", "replace", f"{address}/32", "dev", name, "protocol", PROTOCOL)
        self.apply()

    def route_box(self, address, lane_name):
        """What starts at the compute side for this box goes by this lane; None: nowhere."""
        if self.main.get(address) == lane_name:
            return
        if lane_name is None:
            run("ip", "route", "del", f"{address}/32", "protocol", PROTOCOL, check=False)
            del self.main[address]
        else:
            run("ip", "route", "replace", f"{address}/32", "dev", lane_name, "protocol", PROTOCOL)
            self.main[address] = lane_name

    def apply(self):
        with self.changing:
            text = f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\n" + self.rules()
            run("nft", "-f", "-", given=text)

    def moved_elements(self):
        index = {lane.port: lane.index for lane in self.lanes}
        pairs = ", ".join(f"{mark_of(index[old])} : {mark_of(index[new])}"
                          for old, new in sorted(self.moved.items())
                          if old in index and new in index)
        return f"elements = {{ {pairs} }}" if pairs else ""

    def move(self, ports, moved):
        """The lanes of one box (`ports`), and to which others the connections of some went."""
        with self.changing:
            self.moved = {**{old: new for old, new in self.moved.items() if old not in ports},
                          **moved}
        self.apply()

    def rules(self):
        compute = self.settings.compute_interface
        marks = "\n".join(f'iifname "{lane.name}" ct mark set ct mark and {MARK_REST} or '
                          f"{mark_of(lane.index)}" for lane in self.lanes)
        pin_in = marks + f'\niifname != "{self.settings.lanes["prefix"]}*" ' \
            "ct mark and 0xff000000 != 0 meta mark set ct mark"
        pin_out = "ct mark and 0xff000000 != 0 meta mark set ct mark"
        # Where a lane's connections went, because it carries nothing any more (moves.py).
        moved = "ct mark and 0xff000000 map @moved"
        pin_in += f'\niifname != "{self.settings.lanes["prefix"]}*" meta mark set {moved}'
        pin_out += f"\nmeta mark set {moved}"
        if not self.pinning:
            pin_in = pin_out = ""
        ports = ", ".join(str(lane.port) for lane in self.lanes)
        faults = f"udp dport {{ {ports} }} @th,64,8 1 drop" if self.drop_handshakes and ports else ""
        lanes = f'"{self.settings.lanes["prefix"]}*"'
        between = f'iifname {lanes} oifname != "{compute}" drop\n' \
                  f'oifname {lanes} iifname != "{compute}" drop' if compute else \
                  f"iifname {lanes} drop\noifname {lanes} drop"
        if self.drop_forward:
            between = f"iifname {lanes} drop\n" + between
        return f"""table inet {TABLE} {{
  map moved {{ type mark : mark; {self.moved_elements()}
  }}
  chain faults {{ type filter hook prerouting priority raw;
    {faults}
  }}
  chain pin_in {{ type filter hook prerouting priority mangle;
    {pin_in}
  }}
  chain pin_out {{ type route hook output priority mangle;
    {pin_out}
  }}
  chain forward {{ type filter hook forward priority filter;
    {between}
    tcp flags syn tcp option maxseg size set rt mtu
  }}
}}
"""
