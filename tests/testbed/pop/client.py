"""A box's side of the protocol in firmware/tunnel/README.md, as small as can be: for tests of the PoP."""

import base64
import http.client
import json
import os
import select
import socket
import ssl
import time

import packets


class Client:
    """`space` is the box's namespace (tests/netns/spaces.py), `endpoint` the PoP's (host, port)."""

    def __init__(self, space, endpoint, ca_file=None):
        self.space, self.endpoint = space, endpoint
        self.context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self.box = self.credential = self.key = None
        self.instance = os.urandom(8)
        self.keys = {}      # path -> private key
        self.sequence = {}
        self.start = time.monotonic_ns()

    def ask(self, method, path, body=None, credential=None):
        """(status, answer)"""
        connection = http.client.HTTPConnection(*self.endpoint, timeout=20)
        connection.sock = self.connect(self.endpoint)
        headers = {"Content-Type": "application/json"}
        if credential or self.credential:
            headers["Authorization"] = f"Bearer {credential or self.credential}"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def connect(self, target):
        sock = self.space.socket(kind=socket.SOCK_STREAM)
        sock.settimeout(20)
        sock.connect(target)
        if self.context and target == self.endpoint:
            return self.context.wrap_socket(sock, server_hostname=target[0])
        return sock

    def join(self, token, name="test box"):
        status, answer = self.ask("POST", "/v1/join", {"token": token, "box": {"name": name}})
        if status == 200:
            self.box, self.credential = answer["box_id"], answer["credential"]
            self.key = base64.b64decode(answer["probe_key"])
            self.network, self.pops = answer["network"], answer["pops"]
        return status, answer

    def new_key(self, path):
        self.keys[path] = self.space.run("wg", "genkey").stdout.strip()
        return self.space.run("wg", "pubkey", given=self.keys[path] + "\n").stdout.strip()

    def put(self, pop, paths):
        """{path: (transport, public key)}; {path: what the PoP answers}"""
        status, answer = self.ask(
            "PUT", f"/v1/boxes/{self.box}/peers",
            {"pop": pop, "peers": [{"path": path, "transport": transport, "public_key": key}
                                   for path, (transport, key) in paths.items()]})
        if status != 200:
            return status, answer
        return status, {peer["path"]: peer for peer in answer["peers"]}

    def probe(self, kind, lane=0, traffic=0, **more):
        stream = (kind, lane, traffic)
        self.sequence[stream] = self.sequence.get(stream, 0) + 1
        fields = {"instance": self.instance, "start": self.start, **more}
        return packets.Probe(kind, traffic=traffic, lane=lane, box=bytes.fromhex(self.box),
                             sequence=self.sequence[stream], sent=time.monotonic_ns() // 1000,
                             **fields).packed(self.key)

    def exchange(self, sock, data, target, seconds=1.0):
        """The authentic answer to a probe and its round trip in ms, or (None, None)."""
        began = time.monotonic()
        try:
            sock.sendto(data, target)
        except OSError:
            return None, None
        left = seconds
        while left > 0 and select.select([sock], [], [], left)[0]:
            answer = packets.read(sock.recv(65536), self.key)
            if answer is not None:
                return answer, (time.monotonic() - began) * 1000
            left = seconds - (time.monotonic() - began)
        return None, None

    def echo(self, interface, pop, lane, seconds=1.0, **more):
        with self.space.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            sock.bind((self.network["address"], 0))
            return self.exchange(sock, self.probe(packets.ECHO, lane, **more),
                                 (pop["probe_address"], pop["probe_port"]), seconds)

    def where(self, pop, port_offset=0, host=None, seconds=1.0):
        host = host or pop["hosts"][0]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with self.space.socket(family) as sock:
            answer, _ = self.exchange(sock, self.probe(packets.WHERE),
                                      (host, pop["where_port"] + port_offset), seconds)
            return answer, sock.getsockname()[1]
