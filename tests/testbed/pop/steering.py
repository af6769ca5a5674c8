"""Where packets for boxes go: by the lane that the box says its traffic class uses now (maps), and
before it has said anything by the lane by which the connection's last packet came (conntrack marks; a
rule and a table for each lane). What starts here goes by a lane that shows life. Also: forwarding between lanes and the
compute side only, and the faults that packets can have."""

import os

from lanes import run

TABLE = "sluice_pop"
PROTOCOL = 198       # of our routes and rules
FIRST_TABLE = 51200  # and one for each lane
MARK_SHIFT = 24
MARK_REST = 0x00ffffff
BULK = 1  # of a connection's mark: its packets came with CS1
USES = ("uses_interactive", "uses_bulk")
PRIORITY = 5000


def mark_of(lane):
    return (lane + 1) << MARK_SHIFT


class Steering:
    def __init__(self, settings):
        self.settings = settings
        self.pinning = settings.reply_pinning
        self.drop_handshakes = self.drop_forward = False
        self.lanes = []
        self.uses = ({}, {})  # by class: box address -> index of its lane
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

    def box_uses(self, address, traffic, index):
        """The box says so; replaces what it said before."""
        if self.uses[traffic].get(address) == index:
            return
        known = address in self.uses[traffic]
        self.uses[traffic][address] = index
        name = f"element inet {TABLE} {USES[traffic]}"
        text = f"delete {name} {{ {address} }}\n" if known else ""
        run("nft", "-f", "-", given=f"{text}add {name} {{ {address} : {mark_of(index)} }}\n")

    def forget_box(self, address):
        for used in self.uses:
            used.pop(address, None)
        self.apply()

    def maps(self):
        text = ""
        for name, used in zip(USES, self.uses):
            pairs = ", ".join(f"{address} : {mark_of(index)}" for address, index in used.items())
            elements = f"elements = {{ {pairs} }}" if pairs else ""
            text += f"  map {name} {{ type ipv4_addr : mark; {elements} }}\n"
        return text

    def apply(self):
        text = f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\n" + self.rules()
        run("nft", "-f", "-", given=text)

    def rules(self):
        compute = self.settings.compute_interface
        marks = "\n".join(f'iifname "{lane.name}" ct mark set ct mark and {MARK_REST} or '
                          f"{mark_of(lane.index)}" for lane in self.lanes)
        lanes = f'"{self.settings.lanes["prefix"]}*"'
        marks += f"\niifname {lanes} ip dscp cs1 ct mark set ct mark or {BULK}" \
                 f"\niifname {lanes} return\n"
        pin_out = "ct mark and 0xff000000 != 0 meta mark set ct mark\n" \
                  f"udp sport {self.settings.probe_port} return\n" \
                  f"ct mark and {BULK} == 0 meta mark set ip daddr map @{USES[0]}\n" \
                  f"ct mark and {BULK} != 0 meta mark set ip daddr map @{USES[1]}"
        pin_in = marks + pin_out
        if not self.pinning:
            pin_in = pin_out = ""
        ports = ", ".join(str(lane.port) for lane in self.lanes)
        faults = f"udp dport {{ {ports} }} @th,64,8 1 drop" if self.drop_handshakes and ports else ""
        between = f'iifname {lanes} oifname != "{compute}" drop\n' \
                  f'oifname {lanes} iifname != "{compute}" drop' if compute else \
                  f"iifname {lanes} drop\noifname {lanes} drop"
        if self.drop_forward:
            between = f"iifname {lanes} drop\n" + between
        return f"""table inet {TABLE} {{
{self.maps()}  chain faults {{ type filter hook prerouting priority raw;
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
