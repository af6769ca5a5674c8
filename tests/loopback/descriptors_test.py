"""A process with few descriptors: it says so, refuses those whom it cannot serve, serves those whom it
has, and serves others again when some have left."""

import http.client
import json
import select

import programs
from programs import ask_on, patience, wait_until
from world import World, chat, local, open_stream, read_to_end

ALLOWED = 128
KNOCKING = 120
REFUSED = "sluice_connections_refused_total"
SLOW = ("--base-ms", 20, "--per-seq-ms", 0, "--prefill-tps", 0, "--max-num-seqs", 200)


class Descriptors(World):
    def start_with(self, allowed, **settings):
        """The daemon, allowed so many descriptors."""
        program = self.folder / "sluiced-few"
        program.write_text(f"#!/bin/sh\nulimit -n {allowed}\n"
                           f'exec {programs.SETUP.build}/sluiced "$@"\n')
        program.chmod(0o755)
        self.gpu = self.engine("gpu", SLOW)
        # A local engine has a line that says how many it takes; here the connections are tested.
        self.start_box([local(self.gpu, untried_concurrency=200)], program=program, **settings)
        self.box.wait_node("gpu", "up")

    def connect(self):
        host, port = self.box.api.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=patience(20))
        try:
            connection.connect()
        except ConnectionResetError:
            pass  # refused at once; it has no socket
        return connection

    def refused(self, connection):
        """Whether the box has ended it. Nothing else comes before a request."""
        if connection.sock is None:
            return True
        if not select.select([connection.sock], [], [], 0)[0]:
            return False
        try:
            self.assertEqual(connection.sock.recv(10), b"")
        except ConnectionResetError:
            pass
        return True

    def figure(self, connection, name):
        """Of /metrics, on a connection that is there already."""
        text = ask_on(connection, "GET", "/metrics")[2]
        line = next(x for x in text.splitlines() if x.startswith(f"{name} "))
        return float(line.split()[1])

    def lines_with(self, words):
        return [line for line in self.box.log().splitlines() if words in line]

    def fill(self, watcher):
        """Connects until one is refused: a node's connection may have left a descriptor free."""
        before, opened = self.figure(watcher, REFUSED), []
        while self.figure(watcher, REFUSED) == before:
            self.assertLess(len(opened), KNOCKING, "nobody is refused")
            opened.append(self.connect())
        return opened

    def ask_all_at_once(self, connections):
        body = json.dumps({"model": "demo", "max_tokens": 10,
                           "messages": [{"role": "user", "content": "how high is the water?"}]})
        for connection in connections:
            connection.request("POST", "/v1/chat/completions", body, {
                "Authorization": f"Bearer {self.box.key}", "Content-Type": "application/json"})
        statuses = []
        for connection in connections:
            answer = connection.getresponse()
            statuses.append(answer.status)
            answer.read()
        return statuses

    def test_who_finds_no_room_is_refused_and_all_others_are_served(self):
        self.start_with(ALLOWED, limits={"head_ms_max": 60000})  # those who only knock stay
        said = self.lines_with("LimitNOFILE")
        self.assertEqual(len(said), 1, self.box.log())
        for words in ("warning", str(ALLOWED), "limits.connections_max"):
            self.assertIn(words, said[0])
        watcher = self.connect()
        self.assertEqual(self.figure(watcher, REFUSED), 0)
        stream, begun = open_stream(self.box.api, self.box.key, tokens=100)
        knocking = [self.connect() for _ in range(KNOCKING)]

        def turned_away():
            """All that knocked, when the box has seen each of them."""
            away = [c for c in knocking if self.refused(c)]
            open_ones = self.figure(watcher, "sluice_connections")
            counted = self.figure(watcher, REFUSED)
            return away if counted == len(away) and counted + open_ones == KNOCKING + 2 else None
        away = wait_until(turned_away, "each who is refused is counted, and all others are there")
        inside = [c for c in knocking if c not in away]
        self.assertGreater(len(inside), 20)
        self.assertLess(len(inside), ALLOWED * 3 // 4)
        self.assertEqual(self.ask_all_at_once(inside), [200] * len(inside))
        self.assertIn(b"data: [DONE]", begun + read_to_end(stream))
        stream.close()
        knocking += self.fill(watcher)
        self.assertEqual(self.box.admin_ask("GET", "/api/v1/status")[0], 200)
        self.assertEqual(len(self.lines_with("connections refused")), 1, "a line for each is a flood")
        for connection in inside[:10]:
            connection.close()
        wait_until(self.is_served, "who comes after others have left is served")
        for connection in (watcher, *knocking):
            connection.close()
        self.stop_box()
        self.assertEqual({r["outcome"] for r in self.box.attempts()}, {"served"})

    def is_served(self):
        try:
            return chat(self.box.api, self.box.key)[0] == 200
        except OSError:
            return False

    def test_what_is_enough_for_a_site_is_told_without_a_warning(self):
        self.start_with(8192)
        said = self.lines_with("LimitNOFILE")
        self.assertEqual(len(said), 1, self.box.log())
        self.assertIn("info", said[0])
        self.stop_box()
