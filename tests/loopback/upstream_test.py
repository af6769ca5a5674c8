"""A broken or malicious engine: whatever it answers, the client gets a whole answer, a well-formed
error, or a transfer that visibly broke off, in time."""

import json
import socket
import time
from collections import Counter

from programs import patience, wait_until
from raw_engine import RawEngine, chunk, event
from vectors import BODY, read_group, split_answers, take_answer
from world import World, chat, local, memory_kb

# Failures in a row must not take the node away, nor a fault be tried again elsewhere.
PLAIN = {"breaker": {"failures": 1000}, "limits": {"stream_idle_ms_max": 1000},
         "valve": {"first_byte_ms_max": 1500, "attempts_max": 1}}

LARGE_MB = 24


class Upstream(World):
    def setUp(self):
        super().setUp()
        self.raw = RawEngine()
        self.addCleanup(self.raw.close)
        self.start_box([{**local(self.raw), "engine": "openai"}], **PLAIN)
        self.box.wait_node("raw", "up")

    def ask(self, body=BODY, close=True):
        """Everything the client receives, and how it ended."""
        host, port = self.box.api.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=patience(6)) as client:
            client.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                            f"Authorization: Bearer {self.box.key}\r\n"
                            f"{'Connection: close' + chr(13) + chr(10) if close else ''}"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            received = bytearray()
            ending = "end"
            try:
                while piece := client.recv(1024 * 1024):
                    received += piece
            except ConnectionResetError:
                ending = "reset"
            except socket.timeout:
                ending = "open"
            return bytes(received), ending

    def says(self, pieces):
        def answer(_asked, connection):
            for piece in pieces:
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    connection.sendall(piece.encode("latin-1"))
            return False
        self.raw.answer = answer

    def is_whole(self, received):
        try:
            answer, rest = take_answer(received)
        except (ValueError, KeyError):
            return None
        self.assertEqual(rest, b"")
        return answer

    def check_bad(self, vector, received, ending):
        self.assertNotEqual(ending, "open", "the client waits for ever")
        self.assertTrue(received, "not a word")
        answer = self.is_whole(received)
        if vector.get("served"):
            self.assertIn(answer.status, (200, 204))
            return
        if answer is None:
            return  # it broke off, and the client can see it
        self.assertIn(answer.status, (502, 504), received[:400])
        self.assertIn("message", json.loads(answer.body)["error"])

    def check_good(self, vector, received, ending):
        self.assertEqual(ending, "end")
        answer = self.is_whole(received)
        status = int(vector["events"][5:8])
        self.assertEqual(answer.status, status if status < 300 else 502)
        if status == 200:
            body = vector["events"].split("|end|")[0].split("|", 1)[1]
            self.assertEqual(answer.body.decode("latin-1"), body)

    def test_rule_26_answers_of_every_vector(self):
        count = 0
        for name, vector in read_group("upstream"):
            if vector.get("to_head"):
                continue  # the box asks nobody HEAD here; the parser's test has them
            with self.subTest(id=name, note=vector["note"]):
                count += 1
                self.says(vector["pieces"])
                check = self.check_good if "events" in vector else self.check_bad
                check(vector, *self.ask())
        self.assertEqual(len(self.raw.asked), count, "asked twice, or not at all")
        self.raw.answer = RawEngine.answer_well
        self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
        self.stop_box()
        # One that met a connection which was being closed was tried again: two rows, one request.
        requests = Counter(row["request"] for row in self.box.attempts())
        self.assertEqual(len(requests), count + 1)
        self.assertLessEqual(max(requests.values()), 2)

    def test_bytes_behind_an_answer_are_never_the_next_answer(self):
        hidden = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden"
        for good in ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"):
            for pieces in ([good + hidden], [good, 0.05, hidden]):
                self.says(pieces)
                received, _ = self.ask()
                self.assertEqual(self.is_whole(received).body, b"{}")
                time.sleep(0.1)  # what came late must be there before the next request
                self.raw.answer = RawEngine.answer_well
                received, _ = self.ask()
                self.assertEqual(json.loads(self.is_whole(received).body)["id"], "x")
        self.stop_box()

    def test_a_flood_of_interim_answers_is_cut_off(self):
        self.says(["HTTP/1.1 100 Continue\r\n\r\n" * 1000] * 100)
        received, ending = self.ask()
        self.assertEqual((ending, self.is_whole(received).status), ("end", 502))
        self.stop_box()

    def test_a_chunk_that_never_ends_holds_no_memory(self):
        def answer(_asked, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"7fffffffffffffff\r\n")
            for _ in range(LARGE_MB):
                connection.sendall(b"x" * 1024 * 1024)
            return False
        self.raw.answer = answer
        before = memory_kb(self.box.pid)
        received, ending = self.ask()
        self.assertIsNone(self.is_whole(received))
        self.assertNotEqual(ending, "open")
        self.assertLess(memory_kb(self.box.pid) - before, 16 * 1024)
        self.stop_box()

    def test_an_event_line_beyond_a_megabyte_is_passed_or_broken_off_but_never_kept(self):
        def answer(_asked, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n" + chunk(event("a")))
            connection.sendall(chunk("data: "))
            for _ in range(LARGE_MB):
                connection.sendall(chunk("y" * 1024 * 1024))
            connection.sendall(chunk("\n\ndata: [DONE]\n\n") + b"0\r\n\r\n")
            return False
        self.raw.answer = answer
        before = memory_kb(self.box.pid)
        asked = json.loads(BODY)
        asked["stream"] = True
        received, ending = self.ask(json.dumps(asked))
        self.assertEqual(ending, "end")
        self.assertIn(b'"a"', received)
        if self.is_whole(received):
            self.assertGreater(received.count(b"y"), LARGE_MB * 1024 * 1024 - 1)
        self.assertLess(memory_kb(self.box.pid) - before, 16 * 1024)
        self.stop_box()

    def test_a_packed_body_is_passed_as_it_is_and_never_unpacked(self):
        # The bomb of a proxy that unpacks; this one asks for identity and does not.
        packed = "\x1f\x8b\x08" + "\0" * 1000
        self.says([f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json"
                   f"\r\nContent-Length: {len(packed)}\r\n\r\n{packed}"])
        received, _ = self.ask()
        answer = self.is_whole(received)
        if answer.status == 200:
            self.assertEqual(answer.fields.get("content-encoding"), "gzip")
            self.assertEqual(answer.body, packed.encode("latin-1"))
        self.assertEqual(self.raw.asked[-1].field("accept-encoding"), "identity")
        self.stop_box()

    def test_rule_30_four_timeouts_are_four_values(self):
        """First byte, idle between bytes, and the whole; connect is the test after this."""
        def after(seconds, text):
            return self.timed(["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"] * bool(text)
                              + [text, seconds])
        status, seconds = self.timed([4.0])
        self.assertEqual(status, 504)
        self.assertAlmostEqual(seconds, 1.5, delta=patience(0.6))
        status, seconds = after(4.0, "x")
        self.assertIsNone(status)
        self.assertAlmostEqual(seconds, 1.0, delta=patience(0.6))
        drops = [item for _ in range(12) for item in ("x", 0.5)]
        status, seconds = self.timed(["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *drops])
        self.assertIsNone(status)
        self.assertGreater(seconds, 5.5, "a total was mistaken for an idle time")
        self.settings_again(limits={"stream_idle_ms_max": 1000, "request_ms_max": 2500})
        status, seconds = self.timed(["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *drops])
        self.assertIsNone(status)
        self.assertAlmostEqual(seconds, 2.5, delta=patience(0.6))
        self.stop_box()

    def timed(self, pieces):
        self.says(pieces)
        began = time.monotonic()
        received, ending = self.ask()
        self.assertNotEqual(ending, "open")
        answer = self.is_whole(received)
        return answer and answer.status, time.monotonic() - began

    def settings_again(self, **more):
        self.box.settings.update(more)
        self.box.write_settings()
        self.box.reload()

    def test_rule_30_the_time_to_connect_is_a_value_of_its_own(self):
        full = socket.socket()  # nobody accepts: its queue is filled, and no SYN is answered
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        nodes = [{**self.box.settings["nodes"][0], "url": "http://127.0.0.1:%d"
                  % full.getsockname()[1]}]
        self.settings_again(nodes=nodes, limits={"connect_ms_max": 700})
        began = time.monotonic()
        received, _ = self.ask()
        self.assertIn(split_answers(received)[0].status, (502, 503, 504))
        self.assertLess(time.monotonic() - began, patience(1.4))
        for one in (*waiting, full):
            one.close()
        self.stop_box()

    def test_rule_27_a_connection_that_the_engine_closes_as_it_is_used_costs_no_request(self):
        def once(asked, connection):
            RawEngine.answer_well(asked, connection)
            # Keep-alive was promised; the FIN and the next request pass each other.
            connection.shutdown(socket.SHUT_RDWR)
            return False
        self.raw.answer = once
        statuses = [chat(self.box.api, self.box.key)[0] for _ in range(60)]
        self.assertEqual(statuses, [200] * 60)

        seen = []

        def reset(asked, connection):
            """The second request on a connection is met with a reset before any byte."""
            seen.append(connection)
            if seen.count(connection) == 1:
                return RawEngine.answer_well(asked, connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return False
        self.raw.answer = reset
        statuses = [chat(self.box.api, self.box.key)[0] for _ in range(20)]
        self.assertEqual(statuses, [200] * 20)
        self.stop_box()

    def test_rule_24_an_engine_never_sees_one_id_twice_nor_a_clients(self):
        ids = set()
        for _ in range(30):
            status, fields, _ = chat(self.box.api, self.box.key,
                                     headers={"X-Request-Id": "same-for-all"})
            self.assertEqual(status, 200)
            self.assertNotEqual(fields["x-request-id"], "same-for-all")
            ids.add(fields["x-request-id"])
        self.assertEqual(len(ids), 30)
        sent = [asked.field("x-request-id") for asked in self.raw.asked]
        self.assertEqual(len(set(sent)), 30)
        self.assertFalse([one for one in sent if "same-for-all" in one])
        self.assertEqual({one.rsplit("-", 1)[0] for one in sent}, ids, "not to be found in a log")
        for asked in self.raw.asked:
            self.assertEqual(len(asked.fields["x-request-id"]), 1)
        self.stop_box()
        self.assertEqual({row["request"] for row in self.box.attempts()}, ids)

    def test_rule_25_fields_that_pass_and_fields_that_stay(self):
        passing = {"X-Stainless-Lang": "js", "X-Stainless-Retry-Count": "0",
                   "OpenAI-Organization": "org-1", "OpenAI-Project": "p", "OpenAI-Beta": "x=v1",
                   "anthropic-version": "2023-06-01", "anthropic-beta": "b", "User-Agent": "u/1",
                   "X-My-Own": "one, two", "Content-Type": "application/json; charset=utf-8"}
        staying = {"Cookie": "session=1", "X-Api-Key": "sk-other", "Api-Key": "other", "TE": "gzip",
                   "Keep-Alive": "timeout=5", "Proxy-Authorization": "Basic eDp5",
                   "X-Forwarded-For": "10.1.2.3", "Forwarded": "for=10.1.2.3", "X-Secret": "hop",
                   "Upgrade": "h2c", "X-Sluice-Priority": "low", "Expect": "100-continue",
                   "Connection": "X-Secret, close"}
        status, _, _ = chat(self.box.api, self.box.key, headers={**passing, **staying})
        self.assertEqual(status, 200)
        asked = self.raw.asked[-1]
        for name, value in passing.items():
            self.assertEqual(asked.fields.get(name.lower()), [value], name)
        for name in staying:
            self.assertNotIn(name.lower(), asked.fields)
        everything = asked.line + repr(asked.fields) + asked.body.decode()
        self.assertNotIn(self.box.key, everything, "the client's key left the box")
        self.assertNotIn("authorization", asked.fields)
        self.stop_box()

    def test_the_client_is_told_nothing_of_the_hop_to_the_engine(self):
        def answer(_asked, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n"
                               b"Keep-Alive: timeout=5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                               b"X-RateLimit-Remaining-Tokens: 7\r\nX-Request-Id: theirs\r\n\r\n{}")
            return True
        self.raw.answer = answer
        _, fields, _ = chat(self.box.api, self.box.key)
        self.assertEqual(fields["x-ratelimit-remaining-tokens"], "7")
        for name in ("set-cookie", "keep-alive", "x-hop"):
            self.assertNotIn(name, fields)
        self.assertTrue(fields["x-request-id"].startswith("req-"))
        self.stop_box()

    def test_a_node_that_never_reads_a_request_does_not_hold_its_client(self):
        def never(_asked, _connection):
            time.sleep(10)
            return False
        self.raw.answer = never
        began = time.monotonic()
        received, _ = self.ask()
        self.assertEqual(self.is_whole(received).status, 504)
        self.assertLess(time.monotonic() - began, patience(3))
        wait_until(lambda: self.box.node("raw")["in_flight"] == 0, "nothing is in flight")
        self.stop_box()
