"""The operator's socket: a unix stream on which each line is a question in JSON and each answer a line."""

import json
import os
import socket
import threading

LINE_MAX = 64 * 1024
SECONDS = 30


class Control:
    """A thread; one connection at a time."""

    def __init__(self, path, pop):
        self.path, self.pop = path, pop
        if os.path.exists(path):
            os.unlink(path)  # of an earlier run that was killed
        mask = os.umask(0o177)
        try:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
        finally:
            os.umask(mask)
        self.listener.listen(16)
        self.stopping = False
        self.thread = threading.Thread(target=self.run, name="control", daemon=True)

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            if self.stopping:
                connection.close()
                return
            connection.settimeout(SECONDS)
            with connection, connection.makefile("rb") as lines:
                try:
                    while line := lines.readline(LINE_MAX):
                        connection.sendall(json.dumps(self.pop.command(line)).encode() + b"\n")
                except OSError:
                    continue

    def stop(self):
        self.stopping = True
        with socket.socket(socket.AF_UNIX) as waker:
            waker.connect(self.path)
        self.thread.join()
        self.listener.close()
        os.unlink(self.path)


def ask(path, **question):
    """One question; the answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(path)
        sock.sendall(json.dumps(question).encode() + b"\n")
        with sock.makefile("rb") as lines:
            return json.loads(lines.readline())
