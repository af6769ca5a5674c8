"""The PoP as a whole: its parts in the order in which they start, and what may be asked of it."""

import base64
import binascii
import hmac
import json
import re
import sys
import threading
import time

import clear
import remote
from api import Server
from book import Book, Refused, key_text
from control import Control
from echo import Echo
from faults import Faults
from lanes import Failed, Lanes
from settings import secret_in
from shim import Shim
from steering import Steering
from uses import Uses
from witness import Witness

NAME = re.compile(r"^[\w.:/@+-]{1,128}$")
TRANSPORTS = ("udp4", "udp6", "tcp443")
ALIVE_SECONDS = 3   # without a probe for so long a lane shows no life
KEEPER_SECONDS = 0.5


def is_key(text):
    try:
        return len(text) == 44 and len(base64.b64decode(text, validate=True)) == 32
    except (TypeError, ValueError, binascii.Error):
        return False


class Pop:
    def __init__(self, settings):
        self.settings = settings
        self.lock = threading.RLock()  # over book, lanes and steering
        self.ended = threading.Event()
        self.faults = Faults(settings.reply_pinning)
        self.witness = Witness()
        self.book = Book(settings.state)
        self.steering = Steering(settings)
        self.lanes = Lanes(settings, self.book, key_text)
        self.agent_secret = settings.agent_secret_file and secret_in(settings.agent_secret_file)
        self.others = [remote.Other(entry) for entry in settings.others]
        self.uses = Uses(self.box_uses)
        self.echo = Echo(settings, self.faults, self.witness, self.uses)
        self.shim = Shim(settings, self.echo, self.faults,
                         lambda: {lane.port for lane in self.lanes.lanes.values()})
        self.server = Server(settings, self)
        self.clear = None
        self.control = Control(settings.control, self)
        self.keeper = threading.Thread(target=self.keep, name="keeper", daemon=True)

    def start(self):
        self.steering.start()
        with self.lock:
            self.lanes.restore()
            for lane in self.lanes.lanes.values():
                self.attach(lane)
            self.learn_keys()
        for part in (self.uses, self.echo, self.shim, self.server, self.control):
            part.thread.start()
        self.clear = clear.start(self.settings)
        self.keeper.start()

    def stop(self):
        self.ended.set()
        self.keeper.join()
        if self.clear:
            self.clear.stop()
        for part in (self.control, self.server, self.shim, self.echo, self.uses, self.lanes,
                     self.steering):
            part.stop()

    def attach(self, lane):
        self.steering.add_lane(lane)
        self.echo.add_lane(lane)

    def box_uses(self, address, traffic, port):
        try:
            with self.lock:
                for lane in self.lanes.lanes.values():
                    if lane.port == port:
                        self.steering.box_uses(address, traffic, lane.index)
        except Failed as error:
            print(f"pop: {error}", file=sys.stderr)

    def learn_keys(self):
        self.echo.keys = {bytes.fromhex(box_id): (base64.b64decode(box["probe_key"]), box["address"])
                          for box_id, box in self.book.boxes.items()}

    def keep(self):
        while not self.ended.wait(KEEPER_SECONDS):
            try:
                with self.lock:
                    for lane in self.lanes.repair():
                        self.attach(lane)
                    self.follow()
            except Failed as error:
                print(f"pop: {error}", file=sys.stderr)

    def follow(self):
        """What starts at the compute side goes by the box's first lane, or by one with life."""
        for box_id, box in self.book.boxes.items():
            lanes = sorted(peer["lane"] for peer in box["peers"].values())
            key = bytes.fromhex(box_id)
            present = self.steering.main.get(box["address"])
            names = {n: self.lanes.lanes[n].name for n in lanes}
            alive = [n for n in lanes if self.is_alive(key, self.lanes.lanes[n].port)]
            if present in [names[n] for n in alive]:
                continue
            chosen = alive if self.steering.pinning and alive else lanes
            if chosen or present:
                self.steering.route_box(box["address"], names[chosen[0]] if chosen else None)

    def is_alive(self, box, port):
        age = self.witness.age(box, port)
        return age is not None and age < ALIVE_SECONDS

    # What boxes ask.

    def join(self, body):
        token, box = body.get("token"), body.get("box")
        name = box.get("name") if isinstance(box, dict) else None
        if not isinstance(token, str) or not isinstance(name, str) or not 1 <= len(name) <= 128:
            raise Refused(400, "request_bad", "token and box.name are needed")
        with self.lock:
            box_id, credential = self.book.join(token, name, self.settings.box_addresses())
            self.learn_keys()
        return {"box_id": box_id, "credential": credential, **self.box_answer(box_id)}

    def box_answer(self, box_id):
        for other in self.others:
            self.learn_pop(other)
        with self.lock:
            box = self.known(box_id)
            return {"network": {"name": self.settings.network["name"], "address": box["address"],
                                "prefixes": self.settings.network["prefixes"]},
                    "probe_key": box["probe_key"],
                    "pops": [self.settings.pop(), *self.book.pops.values()]}

    def learn_pop(self, other):
        """What another PoP says of itself; while it does not answer, what it said last."""
        try:
            told = other.pop()
        except Refused as error:
            print(f"pop: {other.url}: {error}", file=sys.stderr)
            return
        with self.lock:
            if self.book.pops.get(told["name"]) != told:
                self.book.pops[told["name"]] = told
                self.book.save()

    def check_box(self, box_id, credential):
        with self.lock:
            self.book.authentic(box_id, credential)

    def put_peers(self, box_id, body):
        other = self.other(body.get("pop"))
        peers = self.checked_peers(body.get("peers"))
        if other:
            with self.lock:
                box = self.book.boxes[box_id]
                own = {key: box[key] for key in ("name", "address", "probe_key")}
            return other.put(box_id, {"box": own, "peers": peers})
        return self.put_here(box_id, peers)

    def checked_peers(self, peers):
        if not isinstance(peers, list) or len(peers) > self.settings.lanes["count"]:
            raise Refused(400, "request_bad",
                          f"peers must be a list of at most {self.settings.lanes['count']}")
        for peer in peers:
            good = isinstance(peer, dict) and isinstance(peer.get("path"), str) \
                and NAME.match(peer["path"]) and peer.get("transport") in TRANSPORTS \
                and is_key(peer.get("public_key"))
            if not good:
                raise Refused(400, "request_bad", "a peer has path, transport (udp4, udp6, tcp443) "
                                                  "and public_key (base64 of 32 bytes)")
        if len({p["path"] for p in peers}) != len(peers) \
                or len({p["public_key"] for p in peers}) != len(peers):
            raise Refused(400, "request_bad", "every path has a name and a key of its own")
        return peers

    def other(self, name):
        """The PoP of this name that is not this one."""
        if name == self.settings.name:
            return None
        for other in self.others:
            if other.name is None:
                self.learn_pop(other)
            if other.name == name:
                return other
        raise Refused(404, "pop_unknown", "there is no such PoP")

    def put_here(self, box_id, peers):
        with self.lock:
            box = self.book.boxes[box_id]
            before = box["peers"]
            added, removed = self.book.put_peers(box, peers, self.settings.lanes["count"])
            try:
                self.change_lanes(box, added, removed)
            except Failed:
                box["peers"] = before  # so that it is all done when the box asks again
                self.book.save()
                raise
            self.follow()
            return {"peers": [self.peer_answer(p["path"], box["peers"][p["path"]]) for p in peers]}

    def change_lanes(self, box, added, removed):
        for _, peer in removed:
            self.lanes.lane(peer["lane"]).remove_peer(peer["public_key"])
        for _, peer in added:
            is_new = peer["lane"] not in self.lanes.lanes
            lane = self.lanes.lane(peer["lane"])
            if is_new:
                self.attach(lane)
            lane.add_peer(box["address"], peer)

    def peer_answer(self, path, peer):
        lane = self.lanes.lane(peer["lane"])
        return {"path": path, "public_key": lane.public_key, "port": lane.port,
                "tcp_port": self.settings.tcp_port, "preshared_key": peer["preshared_key"]}

    def readd(self, box_id, body):
        other = self.other(body.get("pop"))
        if other:
            return other.readd(box_id, {"public_key": body.get("public_key")})
        return self.readd_here(box_id, body.get("public_key"))

    def readd_here(self, box_id, public_key):
        with self.lock:
            box = self.known(box_id)
            _, peer = self.book.peer_of_key(box, public_key)
            lane = self.lanes.lane(peer["lane"])
            lane.remove_peer(public_key)
            lane.add_peer(box["address"], peer)
        return {}

    def remove(self, box_id):
        for other in self.others:
            other.remove(box_id)
        return self.remove_here(box_id)

    def remove_here(self, box_id):
        with self.lock:
            box = self.known(box_id)
            for peer in box["peers"].values():
                self.lanes.lane(peer["lane"]).remove_peer(peer["public_key"])
            if box["address"] in self.steering.main:
                self.steering.route_box(box["address"], None)
            del self.book.boxes[box_id]
            self.book.save()
            self.learn_keys()
            self.witness.forget(bytes.fromhex(box_id))
            self.uses.forget(box["address"])
            self.steering.forget_box(box["address"])
        return {}

    def known(self, box_id):
        if box_id not in self.book.boxes:
            raise Refused(404, "box_unknown", "there is no such box")
        return self.book.boxes[box_id]

    # What another PoP's endpoint commands.

    def check_agent(self, secret):
        if not self.agent_secret or not hmac.compare_digest(secret, self.agent_secret):
            raise Refused(401, "credential_wrong", "this is not the secret of this PoP")

    def agent_put(self, box_id, body):
        peers = self.checked_peers(body.get("peers"))
        own = body.get("box")
        if not isinstance(own, dict) or not is_key(own.get("probe_key")) \
                or own.get("address") not in self.settings.box_addresses():
            raise Refused(400, "request_bad", "box must have an address of the pool and a probe_key")
        with self.lock:
            box = self.book.boxes.setdefault(box_id, {"peers": {}, "credential": None})
            box.update({key: own.get(key) for key in ("name", "address", "probe_key")})
            self.learn_keys()
            return self.put_here(box_id, peers)

    # What the operator asks.

    def new_token(self, hours):
        with self.lock:
            return self.book.new_token(hours)

    def set_faults(self, wishes):
        with self.lock:
            self.faults.set(wishes)
            for name in ("pinning", "drop_handshakes", "drop_forward"):
                setattr(self.steering, name, self.faults.values[name])
            if {"pinning", "drop_handshakes", "drop_forward"} & set(wishes):
                self.steering.apply()
        return {"faults": self.faults.values, "at_us": time.monotonic_ns() // 1000}

    def status(self):
        """Everything but secrets."""
        with self.lock:
            shown = {n: lane.peers() for n, lane in self.lanes.lanes.items()}
            boxes = [self.box_status(box_id, box, shown) for box_id, box in self.book.boxes.items()]
            return {
                "name": self.settings.name, "boxes": boxes, "faults": self.faults.values,
                "lanes": [{"name": lane.name, "port": lane.port, "backend": lane.backend,
                           "public_key": lane.public_key} for lane in self.lanes.lanes.values()],
                "probes": dict(self.echo.counts),
                "shim": {**self.shim.counts, "connections": len(self.shim.connections)},
                "tokens": {"open": sum(not t["used"] and t["expires"] > time.time()
                                       for t in self.book.tokens.values())},
                "date": time.time() + self.faults.values["date_offset_s"]}

    def box_status(self, box_id, box, shown):
        key = bytes.fromhex(box_id)
        paths = []
        for path, peer in sorted(box["peers"].items()):
            lane = self.lanes.lane(peer["lane"])
            paths.append({"path": path, "transport": peer["transport"], "lane": lane.name,
                          "public_key": peer["public_key"],
                          "probe_age_s": self.witness.age(key, lane.port),
                          **shown[peer["lane"]].get(peer["public_key"], {})})
        return {"id": box_id, "name": box["name"], "address": box["address"],
                "used_twice": key in self.witness.clones
                and time.monotonic() - self.witness.clones[key] < 30,
                "route": self.steering.main.get(box["address"]), "paths": paths}

    def command(self, line):
        """A line of the control socket."""
        try:
            asked = json.loads(line)
            what = asked.pop("ask")
            if what == "token":
                return {"token": self.new_token(float(asked.get("hours", 24)))}
            if what == "status":
                return self.status()
            if what == "fault":
                return self.set_faults(asked)
            if what == "remove":
                return self.remove(str(asked["box"]))
            return {"error": f"{what} is no command"}
        except (ValueError, KeyError, TypeError, AttributeError, Refused, Failed) as error:
            return {"error": str(error)}
