"""What the PoP remembers: boxes, join tokens, its own lane keys, in one JSON file that only its
owner may read. A change is on disk before it is answered."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time

TOKENS_MAX = 1000
HOUR = 3600


class Refused(Exception):
    """An answer that is no: HTTP status, code, words."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def hashed(secret):
    return hashlib.sha256(secret.encode()).hexdigest()


def key_text():
    return base64.b64encode(os.urandom(32)).decode()


class Book:
    def __init__(self, path):
        self.path = path
        self.lanes = {}   # index as text -> private key
        self.boxes = {}   # id -> name, address, credential (hashed; None: another's), probe_key, peers
        self.tokens = {}  # hashed -> expires, used
        self.pops = {}    # name -> what another PoP last said of itself
        if os.path.exists(path):
            with open(path) as file:
                stored = json.load(file)
            for part in ("lanes", "boxes", "tokens", "pops"):
                setattr(self, part, stored.get(part, {}))

    def save(self):
        fresh = f"{self.path}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"lanes": self.lanes, "boxes": self.boxes, "tokens": self.tokens,
                       "pops": self.pops}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)

    def new_token(self, hours):
        now = time.time()
        self.tokens = {t: entry for t, entry in self.tokens.items() if entry["expires"] > now - HOUR}
        if len(self.tokens) >= TOKENS_MAX:
            raise Refused(409, "tokens_full", f"there are {TOKENS_MAX} tokens already")
        token = secrets.token_urlsafe(24)
        self.tokens[hashed(token)] = {"expires": now + hours * HOUR, "used": False}
        self.save()
        return token

    def join(self, token, name, addresses):
        """A new box for a token: (its id, its credential)."""
        entry = self.tokens.get(hashed(token))
        if entry is None:
            raise Refused(403, "token_unknown", "this token is not one of ours")
        if entry["used"]:
            raise Refused(403, "token_used", "this token has been used; ask for another")
        if entry["expires"] <= time.time():
            raise Refused(403, "token_expired", "this token has expired; ask for another")
        taken = {box["address"] for box in self.boxes.values()}
        free = [a for a in addresses if a not in taken]
        if not free:
            raise Refused(409, "network_full", "no address is free; remove a box or widen the pool")
        box_id, credential = secrets.token_hex(8), secrets.token_urlsafe(32)
        entry["used"] = True
        self.boxes[box_id] = {"name": name, "address": free[0], "credential": hashed(credential),
                              "probe_key": key_text(), "peers": {}}
        self.save()
        return box_id, credential

    def authentic(self, box_id, credential):
        box = self.boxes.get(box_id)
        known = box and box["credential"]
        if not known or not hmac.compare_digest(known, hashed(credential)):
            raise Refused(401, "credential_wrong", "box or credential is not known; join again")
        return box

    def put_peers(self, box, wanted, lanes):
        """Makes the box's peers those; tells (added, removed) as lists of (path, peer). A path keeps
        its lane; with another key it gets another preshared key."""
        before, after = box["peers"], {}
        names = {peer["path"] for peer in wanted}
        lane_of = {path: old["lane"] for path, old in before.items() if path in names}
        for peer in wanted:
            path = peer["path"]
            old = before.get(path)
            if path not in lane_of:
                free = [n for n in range(lanes) if n not in lane_of.values()]
                if not free:
                    raise Refused(409, "lanes_full", f"a box has at most {lanes} paths to this PoP")
                lane_of[path] = free[0]
            kept = old and old["public_key"] == peer["public_key"]
            after[path] = {"transport": peer["transport"], "public_key": peer["public_key"],
                           "lane": lane_of[path],
                           "preshared_key": old["preshared_key"] if kept else key_text()}
        box["peers"] = after
        removed = [(path, old) for path, old in before.items()
                   if after.get(path, {}).get("public_key") != old["public_key"]]
        added = [(path, peer) for path, peer in after.items()
                 if before.get(path, {}).get("public_key") != peer["public_key"]]
        self.save()
        return added, removed

    def peer_of_key(self, box, public_key):
        for path, peer in box["peers"].items():
            if peer["public_key"] == public_key:
                return path, peer
        raise Refused(404, "peer_unknown", "this box has no path with this key; put its peers first")
