"""Large bodies: they arrive whole at the node, whatever their size; they wait on disk, are sent
again to another node, are bounded, and leave nothing behind."""

import hashlib
import json
import os
import socket
import subprocess
import threading

from programs import ask, patience, wait_until
from world import World, cloud, local, memory_kb

MIB = 1 << 20
PIECE = 256 * 1024
ANSWER = {"id": "c1", "object": "chat.completion", "model": "demo", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "seen"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}


class WeighingEngine:
    """Takes bodies of any size and keeps their digest. `moods` says what to do with each next
    request: "answer", "refuse" (503 after all of it), "leave" (after `leave_after` bytes)."""

    def __init__(self, name):
        self.name = name
        self.moods = []
        self.leave_after = 3 * MIB
        self.digests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.url = f"http://{self.address}"
        threading.Thread(target=self.accept, daemon=True).start()

    def log(self):
        return ""

    def kill(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                while self.one(connection, connection.makefile("rb", PIECE)):
                    pass
        except OSError:
            pass

    def one(self, connection, reader):
        """False: the connection is over."""
        first = reader.readline()
        if not first:
            return False
        size = 0
        while (line := reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        if first.startswith(b"GET"):
            self.answer(connection, 200, {"object": "list", "data": [{"id": "demo"}]})
            return True
        mood = self.moods.pop(0) if self.moods else "answer"
        digest = hashlib.sha256()
        left = size
        while left > 0:
            if mood == "leave" and size - left >= self.leave_after:
                return False
            piece = reader.read1(min(left, PIECE))
            if not piece:
                return False
            digest.update(piece)
            left -= len(piece)
        self.digests.append(digest.hexdigest())
        if mood == "refuse":
            self.answer(connection, 503, {"error": {"message": "busy"}})
        else:
            self.answer(connection, 200, ANSWER)
        return True

    @staticmethod
    def answer(connection, status, body):
        text = json.dumps(body).encode()
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (status, len(text), text))


class Sending:
    """A request whose body goes out piece by piece."""

    def __init__(self, box, key, size=None, chunked=False):
        host, port = box.api.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=patience(60))
        self.chunked = chunked
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        self.sock.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: {box.api}\r\n"
                          f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                          f"{length}\r\n\r\n".encode())

    def send(self, data):
        for at in range(0, len(data), PIECE):
            piece = data[at:at + PIECE]
            self.sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if self.chunked else piece)
        return self

    def end(self):
        if self.chunked:
            self.sock.sendall(b"0\r\n\r\n")
        return self

    def status(self):
        received = b""
        while b"\r\n" not in received:
            piece = self.sock.recv(4096)
            if not piece:
                raise AssertionError(f"no answer: {received!r}")
            received += piece
        return int(received.split(b" ")[1])

    def close(self):
        self.sock.close()


def question(size, model="demo", last=b""):
    """A body of exactly `size` bytes; the model is told after the long part."""
    head = b'{"messages":[{"role":"user","content":"'
    tail = b'"}] , "model" : "' + model.encode() + b'"' + last + b'}'
    filling = (b"a picture as text \\u00e9 \\\" " * (size // 24 + 1))[:size - len(head) - len(tail) - 8]
    filling = filling.rsplit(b"\\", 1)[0]
    return head + filling + b"." * (size - len(head) - len(filling) - len(tail)) + tail


def scratch_files(box):
    """Sizes of open files without a name."""
    folder = f"/proc/{box.pid}/fd"
    sizes = []
    for entry in os.listdir(folder):
        try:
            if "/scratch/" in os.readlink(f"{folder}/{entry}"):
                sizes.append(os.stat(f"{folder}/{entry}").st_size)
        except FileNotFoundError:
            pass
    return sizes


class Bodies(World):
    def engines(self, **settings):
        gpu, far = WeighingEngine("gpu"), WeighingEngine("far")
        self.programs += [gpu, far]
        self.start_box([{**local(gpu), "engine": "openai"}, cloud(far)],
                       **{"breaker": {"failures": 1000}, **settings})
        self.box.wait_node("gpu", "up")
        self.box.wait_node("far", "up")
        return gpu, far

    def ask_with(self, data, **how):
        sending = Sending(self.box, how.pop("key", self.box.key), len(data), **how)
        self.addCleanup(sending.close)
        return sending.send(data).end()

    def test_rule_29_bodies_of_every_size_arrive_whole(self):
        gpu, _ = self.engines()
        for size in (1000, 32 * 1024, MIB - 1, MIB, MIB + 1, 5 * MIB, 100 * 1000 * 1000):
            for chunked in (False, True):
                with self.subTest(size=size, chunked=chunked):
                    data = question(size)
                    self.assertEqual(len(data), size)
                    self.assertEqual(self.ask_with(data, chunked=chunked).status(), 200)
                    self.assertEqual(gpu.digests.pop(), hashlib.sha256(data).hexdigest())
        self.assertEqual(scratch_files(self.box), [])
        self.stop_box()

    def test_rule_29_a_large_body_takes_disk_and_not_memory(self):
        gpu, _ = self.engines()
        data = question(60 * MIB)
        self.assertEqual(self.ask_with(question(2 * MIB)).status(), 200)
        before = memory_kb(self.box.pid)
        sending = [Sending(self.box, self.box.key, len(data)).send(data[:-1]) for _ in range(4)]
        wait_until(lambda: len(scratch_files(self.box)) == 4, "four bodies are on disk")
        self.assertLess(memory_kb(self.box.pid) - before, 12 * 1024)
        for each in sending:
            each.send(data[-1:])
            self.assertEqual(each.status(), 200)
            each.close()
        self.assertEqual(gpu.digests[1:], [hashlib.sha256(data).hexdigest()] * 4)
        wait_until(lambda: not scratch_files(self.box), "nothing stays on disk")

    def test_rule_29_a_body_is_sent_again_until_an_answer_has_begun(self):
        gpu, far = self.engines()
        data = question(20 * MIB)
        for moods in (["leave", "leave"], ["refuse"]):
            with self.subTest(moods=moods):
                gpu.moods = moods  # twice: a connection that was in use before is given a second try
                self.assertEqual(self.ask_with(data).status(), 200)
                self.assertEqual(far.digests.pop(), hashlib.sha256(data).hexdigest())
                gpu.moods = []
        self.assertEqual(scratch_files(self.box), [])

    def test_rule_33_in_a_large_body_too_only_the_models_value_changes(self):
        gpu = WeighingEngine("gpu")
        self.programs.append(gpu)
        self.start_box([{"name": "gpu", "place": "local", "url": gpu.url, "engine": "openai",
                         "models": [{"name": "demo", "upstream": "org/\"demo\"-7B"}]}])
        self.box.wait_node("gpu", "up")
        for size in (2000, 3 * MIB):
            data = question(size)
            self.assertEqual(self.ask_with(data).status(), 200)
            wanted = data.replace(b'"model" : "demo"', b'"model" : "org/\\"demo\\"-7B"')
            self.assertEqual(gpu.digests.pop(), hashlib.sha256(wanted).hexdigest())

    def test_bodies_are_bounded_each_per_key_and_in_all(self):
        self.engines(limits={"body_bytes_max": 4 * MIB, "bodies_per_key_bytes_max": 5 * MIB,
                             "bodies_bytes_max": 7 * MIB})
        other = self.box.add_key("other")
        third = self.box.add_key("third")
        self.assertEqual(Sending(self.box, self.box.key, 4 * MIB + 1).status(), 413)
        self.assertEqual(self.ask_with(question(4 * MIB + 1), chunked=True).status(), 413)
        data = question(4 * MIB)
        first = Sending(self.box, self.box.key, len(data)).send(data[:-1])
        wait_until(lambda: sum(scratch_files(self.box)) > 3 * MIB, "the first body is on disk")
        self.assertEqual(self.ask_with(question(2 * MIB)).status(), 429)
        second = Sending(self.box, other, 2 * MIB).send(question(2 * MIB)[:-1])
        wait_until(lambda: sum(scratch_files(self.box)) > 5 * MIB, "and a second one")
        self.assertEqual(self.ask_with(question(2 * MIB), key=third).status(), 503)
        self.assertEqual(self.ask_with(question(10_000), key=third).status(), 200)
        first.send(data[-1:])
        self.assertEqual(first.status(), 200)
        second.close()
        wait_until(lambda: not scratch_files(self.box), "what was left half way is gone")
        self.assertEqual(self.ask_with(data, key=third).status(), 200)

    def test_a_top_level_key_twice_is_refused_in_large_bodies_too(self):
        gpu, _ = self.engines()
        for size in (2000, 3 * MIB):
            for last in (b',"model":"other"', b',"mod\\u0065l":"other"', b',"messages":[]'):
                with self.subTest(size=size, last=last):
                    self.assertEqual(self.ask_with(question(size, last=last)).status(), 400)
        self.assertEqual(gpu.digests, [])

    def test_a_full_disk_refuses_the_body_and_nothing_else(self):
        small = self.folder / "small"
        small.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small],
            capture_output=True, check=False).returncode == 0
        if not mounted:
            self.skipTest("a small file system cannot be mounted: this needs root")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=True)
        gpu, _ = self.engines(state_dir=str(small / "state"))
        self.assertEqual(self.ask_with(question(2000)).status(), 200)
        self.assertEqual(self.ask_with(question(1 * MIB)).status(), 200)
        sending = Sending(self.box, self.box.key, 30 * MIB)
        self.addCleanup(sending.close)
        try:
            sending.send(question(30 * MIB))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all of it was sent
        self.assertEqual(sending.status(), 503)
        wait_until(lambda: not scratch_files(self.box), "the disk has room again")
        self.assertEqual(self.ask_with(question(3 * MIB)).status(), 200)
        self.assertEqual(len(gpu.digests), 3)
        self.assertEqual(ask(self.box.api, "GET", "/healthz")[0], 200)
