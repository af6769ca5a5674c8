"""An engine of a few lines that a test can have say anything, byte by byte, and that records what it
was asked. Probes are answered well; what asks for inference gets what the test wishes."""

import json
import socket
import threading

MODELS = json.dumps({"object": "list", "data": [{"id": "demo", "object": "model"}]})
GOOD = json.dumps({"id": "x", "object": "chat.completion", "model": "demo",
                   "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"},
                                "finish_reason": "stop"}],
                   "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}})


def whole(body, kind="application/json", status="200 OK", more=""):
    return (f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}").encode()


class Asked:
    def __init__(self, line, fields, body):
        self.line = line
        self.fields = fields  # name in small letters -> list of values
        self.body = body

    def field(self, name):
        return self.fields.get(name, [None])[0]


class RawEngine:
    """`answer(asked, connection)` sends what it likes and returns whether the connection goes on."""

    def __init__(self, name="raw", answer=None):
        self.name = name
        self.answer = answer or self.answer_well
        self.asked = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.url = f"http://{self.address}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # closed
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self, connection):
        try:
            with connection, connection.makefile("rb") as reader:
                while (asked := self.read(reader)) is not None:
                    if asked.line.startswith("GET "):
                        connection.sendall(self.page(asked.line.split(" ")[1]))
                        continue
                    self.asked.append(asked)
                    if not self.answer(asked, connection):
                        return
        except OSError:
            pass  # the box left

    def page(self, _path):
        """What a GET is answered."""
        return whole(MODELS)

    @staticmethod
    def read(reader):
        line = reader.readline()
        if not line:
            return None
        fields = {}
        while (field := reader.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode("latin-1").partition(":")
            fields.setdefault(name.lower(), []).append(value.strip())
        length = int(fields.get("content-length", ["0"])[0])
        return Asked(line.decode("latin-1").strip(), fields, reader.read(length))

    @staticmethod
    def answer_well(asked, connection):
        if b'"stream": true' in asked.body or b'"stream":true' in asked.body:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
            for text in (event("o"), event("k"), "data: [DONE]\n\n"):
                connection.sendall(chunk(text))
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.sendall(whole(GOOD))
        return True


def event(text):
    return "data: " + json.dumps({"object": "chat.completion.chunk", "model": "demo", "choices": [
        {"index": 0, "delta": {"content": text}}]}) + "\n\n"


def chunk(text):
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)
