"""An engine whose every byte is written by the test, and a client that shows every byte it gets.

A script is a list of steps: bytes are sent at once, a Gate is waited for, CUT ends the connection
(FIN), RESET aborts it, HANG keeps it open until the other side leaves. Each POST takes the next
script; GETs are answered as a healthy engine does."""

import json
import socket
import struct
import threading

from programs import patience

CUT, RESET, HANG = object(), object(), object()
DONE = b"data: [DONE]\n\n"
STREAM = b"Content-Type: text/event-stream\r\n"
MOST_BYTES = 1 << 24


class Gate(threading.Event):
    """Opened by the test when it has seen what came before."""


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta, finish=None, **more):
    """A chat chunk as an engine writes it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1,
                                   "model": "demo", "choices": [choice], **more},
                                  ensure_ascii=False).encode() + b"\n\n"


def words(*texts):
    return [event({"content": text}) for text in texts]


def head(status=200, fields=STREAM, reason="X"):
    return f"HTTP/1.1 {status} {reason}\r\n".encode() + fields


def stream(*pieces, end=True, fields=STREAM):
    """A chunked stream; each piece of bytes is a chunk and a write of its own."""
    steps = [head(fields=fields) + b"Transfer-Encoding: chunked\r\n\r\n"]
    steps += [chunk(p) if isinstance(p, bytes) else p for p in pieces]
    return steps + ([b"0\r\n\r\n"] if end else [])


def whole(body, status=200, fields=b"Content-Type: application/json\r\n"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [head(status, fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body]


class Message:
    """One HTTP message: first line, fields (last one wins, and all), body without its framing."""

    def __init__(self, first, lines):
        self.first = first
        self.lines = lines
        self.fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.fields[name.strip().lower()] = value.strip()
        self.body = b""
        self.framed = b""  # the body as it came over the wire
        self.complete = False

    @property
    def status(self):
        return int(self.first.split(" ")[1])

    def json(self):
        return json.loads(self.body)


class Reader:
    """Reads messages from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.kept = b""

    def more(self):
        try:
            piece = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self.kept += piece
        assert len(self.kept) < MOST_BYTES
        return bool(piece)

    def until(self, end):
        while end not in self.kept:
            if not self.more():
                return None
        before, self.kept = self.kept.split(end, 1)
        return before

    def head(self):
        text = self.until(b"\r\n\r\n")
        if text is None:
            return None
        first, *lines = text.decode("latin-1").split("\r\n")
        return Message(first, lines)

    def body(self, message):
        """The rest of the message; `complete` tells whether its framing ended well."""
        if message.fields.get("transfer-encoding") == "chunked":
            while self.chunk(message):
                pass
        elif "content-length" in message.fields:
            size = int(message.fields["content-length"])
            while len(self.kept) < size and self.more():
                pass
            message.body, self.kept = self.kept[:size], self.kept[size:]
            message.complete = len(message.body) == size
        return message

    def chunk(self, message):
        """One chunk more; false after the last one, or when it never comes."""
        size = self.until(b"\r\n")
        if size is None:
            return False
        count = int(size, 16)
        while len(self.kept) < count + 2:
            if not self.more():
                message.body += self.kept[:count]
                return False
        message.body += self.kept[:count]
        message.framed += size + b"\r\n" + self.kept[:count + 2]
        self.kept = self.kept[count + 2:]
        message.complete = count == 0
        return count > 0


class ScriptedEngine:
    """Stands where an Engine stands; see world.node()."""

    def __init__(self, name, models=("demo",)):
        self.name = name
        self.models = models
        self.scripts = []
        self.requests = []
        self.gone = threading.Event()  # a scripted connection was left by the other side
        self.lock = threading.Lock()
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.url = f"http://{self.address}"
        threading.Thread(target=self.accept, daemon=True).start()

    def then(self, *scripts):
        self.scripts += scripts
        return self

    def log(self):
        return ""

    def kill(self):
        with self.lock:
            for each in [self.listener, *self.connections]:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                reader = Reader(connection)
                while request := reader.head():
                    reader.body(request)
                    if not self.answer(connection, request):
                        return
        except OSError:
            self.gone.set()

    def answer(self, connection, request):
        """False: the connection is over."""
        method, path, _ = request.first.split(" ")
        if method == "GET":
            models = {"object": "list", "data": [{"id": m, "object": "model"} for m in self.models]}
            connection.sendall(whole(models if path == "/v1/models" else {})[0])
            return True
        with self.lock:
            self.requests.append(request)
            script = self.scripts.pop(0) if self.scripts else whole(
                {"error": {"message": "no script is left"}}, 500)
        return all(self.step(connection, step) for step in script)

    def step(self, connection, step):
        if isinstance(step, Gate):
            assert step.wait(patience(20)), "the gate was never opened"
        elif step is CUT:
            return False
        elif step is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif step is HANG:
            while connection.recv(4096):
                pass
            self.gone.set()
            return False
        else:
            connection.sendall(step)
        return True


class ByteClient:
    """Asks on a connection of its own, and keeps every byte of the answer's body."""

    def __init__(self, address, key, body, path="/v1/chat/completions", fields=()):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=patience(20))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: {address}", f"Authorization: Bearer {key}",
                 f"Content-Length: {len(data)}", *fields]
        if not any(line.lower().startswith("content-type:") for line in lines):
            lines.append("Content-Type: application/json")
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        self.reader = Reader(self.sock)
        self.answer = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def begin(self):
        """The answer's head."""
        self.answer = self.reader.head()
        assert self.answer, "the connection ended without an answer"
        return self.answer

    def until(self, text):
        """Reads whole chunks until the body has `text`."""
        while text not in self.answer.body:
            assert self.reader.chunk(self.answer), self.answer.body
        return self.answer.body

    def finish(self):
        if self.answer is None:
            self.begin()
        return self.reader.body(self.answer)
