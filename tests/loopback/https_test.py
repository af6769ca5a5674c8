"""The box's own HTTPS: real clients (curl, openssl, Python, sslscan) at listen.tls."""

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from certificates import make_authority, make_certificate, make_ended
from programs import ask, patience, wait_until
from world import World, chat, local

SUITES = {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
          "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256",
          "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}
MANY = {"tls_handshakes_per_second_max": 10000,
        "tls_handshakes_per_second_per_address_max": 10000}


class Https(World):
    def start(self, *engine, listen=None, limits=None, **more):
        self.near = self.engine("near", *engine)
        at = {"tls": "127.0.0.1:0", "api": "127.0.0.1:0", **(listen or {})}
        self.start_box([local(self.near)], listen=at, limits={**MANY, **(limits or {})}, **more)
        self.trusted = self.box.state / "tls" / "certificate.pem"
        return self.box

    def port(self):
        return int(self.box.tls.rsplit(":", 1)[1])

    def curl(self, path, *options, trusted=None):
        return subprocess.run(
            ["curl", "-sS", "--max-time", str(patience(30)), "--cacert", trusted or self.trusted,
             f"https://localhost:{self.port()}{path}", *options], capture_output=True, text=True)

    def ask_chat(self, *options, trusted=None, tokens=5, stream=False):
        body = {"model": "demo", "max_tokens": tokens, "stream": stream,
                "messages": [{"role": "user", "content": "how high is the water?"}]}
        return self.curl("/v1/chat/completions", "-H", f"Authorization: Bearer {self.box.key}",
                         "-H", "Content-Type: application/json", "-d", json.dumps(body), *options,
                         trusted=trusted)

    def context(self, trusted=None):
        context = ssl.create_default_context(cafile=trusted or self.trusted)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def connect(self, context=None, session=None):
        plain = socket.create_connection(("127.0.0.1", self.port()), timeout=patience(20))
        try:
            return (context or self.context()).wrap_socket(plain, server_hostname="localhost",
                                                           session=session)
        except (OSError, ssl.SSLError):
            plain.close()
            raise

    def s_client(self, *options, said=""):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port()}", "-CAfile",
             self.trusted, "-servername", "localhost", *options], input=said, text=True,
            capture_output=True, timeout=patience(20))
        return done.stdout + done.stderr

    def shown(self):
        """The certificate that a new connection is shown."""
        return ssl.get_server_certificate(("127.0.0.1", self.port()))


class Serving(Https):
    def test_streams_and_whole_answers_come_through_and_other_authorities_do_not(self):
        self.start()
        whole = self.ask_chat()
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.assertEqual(json.loads(whole.stdout)["usage"]["completion_tokens"], 5)
        stream = self.ask_chat("-N", stream=True, tokens=20)
        self.assertEqual(stream.stdout.count("data: "), 22, stream.stdout)
        self.assertTrue(stream.stdout.rstrip().endswith("data: [DONE]"))
        make_authority(self.folder, "other")
        wrong = self.ask_chat(trusted=self.folder / "other.crt")
        self.assertEqual(wrong.returncode, 60, wrong.stderr)
        self.stop_box()
        self.assertEqual(len(self.box.attempts("outcome = 'served'")), 2)

    def test_each_word_comes_when_it_is_said(self):
        self.start(("--base-ms", 40, "--per-seq-ms", 0, "--prefill-tps", 0))
        client = self.connect()
        body = json.dumps({"model": "demo", "stream": True, "max_tokens": 20,
                           "messages": [{"role": "user", "content": "x"}]})
        client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                       f"Bearer {self.box.key}\r\nContent-Type: application/json\r\nContent-Length:"
                       f" {len(body)}\r\n\r\n{body}".encode())
        received, times = b"", []
        while not received.endswith(b"0\r\n\r\n"):
            piece = client.recv(65536)
            self.assertTrue(piece, received)
            times += [time.monotonic()] * piece.count(b"data: ")
            received += piece
        self.assertGreater(times[-1] - times[0], 0.4)
        self.assertGreater(len(set(times)), 10, "words were gathered on the way")
        client.close()
        self.stop_box()

    def test_a_stream_survives_an_upgrade_and_the_new_process_serves_the_same_certificate(self):
        self.start(("--base-ms", 20, "--per-seq-ms", 0, "--prefill-tps", 0))
        before = self.shown()
        client = self.connect()
        body = json.dumps({"model": "demo", "stream": True, "max_tokens": 100,
                           "messages": [{"role": "user", "content": "x"}]})
        client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                       f"Bearer {self.box.key}\r\nContent-Type: application/json\r\nContent-Length:"
                       f" {len(body)}\r\n\r\n{body}".encode())
        received = b""
        while b"data: " not in received:
            received += client.recv(65536)
        old = self.box.upgrade()
        old.send_signal(signal.SIGSTOP)  # what is answered now, the new one answers
        try:
            for _ in range(5):
                self.assertEqual(json.loads(self.ask_chat().stdout)["usage"]["completion_tokens"], 5)
            resumed = self.connect(client.context, session=client.session)
            self.assertEqual(resumed.version(), client.version())
            resumed.close()
            self.assertEqual(self.shown(), before)
        finally:
            old.send_signal(signal.SIGCONT)
        while not received.endswith(b"0\r\n\r\n"):
            piece = client.recv(65536)
            self.assertTrue(piece, received[-200:])
            received += piece
        self.assertEqual(received.count(b"data: "), 102)
        client.close()
        self.assertEqual(old.wait(patience(20)), 0)
        self.stop_box()
        self.assertEqual([r["outcome"] for r in self.box.attempts()], ["served"] * 6)

    def test_a_hundred_streams_at_once_have_every_byte(self):
        self.start()
        body = {"model": "demo", "stream": True, "max_tokens": 50, "seed": 1,
                "messages": [{"role": "user", "content": "tell me of the water"}]}
        pick = re.compile(r'"content":"([^"]*)"')
        plain = ask(self.box.api, "POST", "/v1/chat/completions", body,
                    {"Authorization": f"Bearer {self.box.key}", "Content-Type": "application/json"})
        wanted = len(pick.findall(plain[2]))
        self.assertGreaterEqual(wanted, 50)
        texts, context = [None] * 100, self.context()

        def one(number):
            client = self.connect(context)
            text = json.dumps(body)
            client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                           f"Authorization: Bearer {self.box.key}\r\nConnection: close\r\n"
                           f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
                           f"{text}".encode())
            received = b""
            while piece := client.recv(65536):
                received += piece
            texts[number] = received.decode()
            client.close()
        threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience(60))
        for text in texts:
            self.assertIsNotNone(text, "a client failed")
            self.assertTrue(text.endswith("0\r\n\r\n"), text[-100:])
            self.assertEqual(pick.findall(text), pick.findall(plain[2]))
        self.stop_box()

    def test_a_large_body_arrives_and_a_client_that_leaves_is_noticed(self):
        self.start(("--base-ms", 20, "--per-seq-ms", 0, "--prefill-tps", 0))
        body = {"model": "demo", "max_tokens": 2, "metadata": {"more": "water " * 300000},
                "messages": [{"role": "user", "content": "x"}]}
        (self.folder / "body").write_text(json.dumps(body))
        done = self.curl("/v1/chat/completions", "-H", f"Authorization: Bearer {self.box.key}",
                         "-H", "Content-Type: application/json", "--data-binary",
                         f"@{self.folder}/body", "-w", " %{http_code}")
        self.assertEqual((done.returncode, done.stdout[-4:]), (0, " 200"), done.stdout[-500:])
        client = self.connect()
        text = json.dumps({"model": "demo", "stream": True, "max_tokens": 4000,
                           "messages": [{"role": "user", "content": "x"}]})
        client.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                       f"Bearer {self.box.key}\r\nContent-Type: application/json\r\nContent-Length:"
                       f" {len(text)}\r\n\r\n{text}".encode())
        self.assertIn(b"200 OK", client.recv(65536))
        client.close()
        wait_until(lambda: self.near.counters()["aborted_by_client"] == 1, "cancelled there", 2)
        self.stop_box()

    def test_the_box_serves_without_plain_http(self):
        self.near = self.engine("near")
        self.start_box([local(self.near)], listen={"tls": "127.0.0.1:0", "api": "off"},
                       limits=MANY)
        self.trusted = self.box.state / "tls" / "certificate.pem"
        self.assertEqual(self.box.api, "off")
        self.assertEqual(self.ask_chat().returncode, 0)
        kept = self.trusted.read_text()
        self.assertEqual((self.box.state / "tls" / "key.pem").stat().st_mode & 0o777, 0o600)
        self.box.signal(15)
        self.assertEqual(self.box.wait(20), 0)
        self.box.start()
        self.assertEqual(self.trusted.read_text(), kept)
        self.assertEqual(self.ask_chat().returncode, 0)
        self.stop_box()


class Refusals(Https):
    def test_old_versions_weak_suites_and_renegotiation_are_refused_and_tickets_work(self):
        self.start()
        for options in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                        ("-tls1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1_3",),
                        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"),
                        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"),
                        ("-tls1_2", "-cipher", "ECDHE-ECDSA-ARIA128-GCM-SHA256"),
                        ("-tls1_2", "-alpn", "h2")):
            text = self.s_client(*options)
            self.assertIn("Cipher is (NONE)", text, options)
            self.assertRegex(text, r"protocol version|handshake failure|no application protocol",
                             options)
        text = self.s_client("-tls1_2", "-alpn", "http/1.1")
        self.assertIn("Verify return code: 0 (ok)", text)
        self.assertIn("ALPN protocol: http/1.1", text)
        self.assertIn("TLS session ticket", text)
        session = self.folder / "session"
        self.assertIn("New, TLSv1.2", self.s_client("-tls1_2", "-sess_out", session))
        self.assertIn("Reused, TLSv1.2", self.s_client("-tls1_2", "-sess_in", session))
        # openssl asks for a new handshake on a line with R, and says how it went
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port()}", "-tls1_2"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        client.stdin.write("R\n")
        client.stdin.flush()
        told, _ = client.communicate(timeout=patience(20))
        self.assertIn("RENEGOTIATING", told)
        self.assertIn("no renegotiation", told)
        self.assertEqual(ask(self.box.api, "GET", "/healthz")[0], 200)
        self.stop_box()

    @unittest.skipUnless(shutil.which("sslscan"), "sslscan is not installed")
    def test_sslscan_finds_only_what_is_meant(self):
        self.start()
        text = subprocess.run(["sslscan", "--no-colour", f"localhost:{self.port()}"], text=True,
                              capture_output=True, timeout=patience(60)).stdout
        for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.3"):
            self.assertRegex(text, rf"{re.escape(version)} +disabled")
        self.assertRegex(text, r"TLSv1.2 +enabled")
        self.assertIn("Session renegotiation not supported", text)
        self.assertIn("not vulnerable to heartbleed", text)
        found = set(re.findall(r"^(?:Preferred|Accepted) +TLSv1\.2 +\d+ bits +(\S+)", text, re.M))
        self.assertGreaterEqual(len(found), 3, text)
        self.assertLessEqual(found, SUITES)
        self.stop_box()

    def test_plain_http_is_told_to_use_https(self):
        self.start()
        status, _, body = ask(self.box.tls, "GET", "/healthz")
        self.assertEqual(status, 400)
        self.assertEqual(json.loads(body)["error"]["code"], "https_needed")
        with socket.create_connection(("127.0.0.1", self.port()), timeout=patience(10)) as noise:
            noise.sendall(b"\x80\x00" * 1000)
            try:
                self.assertEqual(noise.recv(100), b"")
            except ConnectionResetError:
                pass
        self.assertEqual(self.ask_chat().returncode, 0)
        self.stop_box()

    def test_slow_handshakes_are_cut_at_their_limit(self):
        self.start(limits={"tls_handshake_ms_max": 500})
        started = time.monotonic()
        clients = [socket.create_connection(("127.0.0.1", self.port()), timeout=patience(10))
                   for _ in range(3)]
        clients[1].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        for client in clients:
            self.assertEqual(client.recv(100), b"")
            self.assertGreater(time.monotonic() - started, 0.45)
            client.close()
        self.assertLess(time.monotonic() - started, patience(5))
        self.stop_box()

    def test_a_flood_of_handshakes_leaves_the_plain_port_serving(self):
        self.start(limits={"tls_handshakes_per_second_max": 20,
                           "tls_handshakes_per_second_per_address_max": 10})
        done, refused, end = [0], [0], time.monotonic() + 3

        def flood():
            context = self.context()
            while time.monotonic() < end:
                try:
                    self.connect(context).close()
                    done[0] += 1
                except OSError:  # ssl.SSLError is one
                    refused[0] += 1
        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        slowest = 0
        while time.monotonic() < end:
            began = time.monotonic()
            self.assertEqual(chat(self.box.api, self.box.key)[0], 200)
            slowest = max(slowest, time.monotonic() - began)
        for thread in threads:
            thread.join()
        self.assertGreater(refused[0], 20)
        self.assertLessEqual(done[0], 10 + 10 * (3 + 1))
        self.assertGreater(done[0], 9)
        self.assertLess(slowest, patience(1.5))
        self.assertIn("limits.tls_handshakes_per_second_max", self.box.log())
        wait_until(lambda: self.curl("/healthz").stdout == "ok\n", "handshakes go on", 5)
        self.stop_box()


class Certificates(Https):
    def start_with(self, name):
        make_authority(self.folder, "ca")
        for one in ("first", "second"):
            make_certificate(self.folder, one, "ca")
        self.place(name)
        self.start(tls={"certificate_file": str(self.folder / "box.crt"),
                        "key_file": str(self.folder / "box.key")})
        self.trusted = self.folder / "ca.crt"

    def place(self, name, key=None):
        (self.folder / "box.crt").write_text((self.folder / f"{name}.crt").read_text())
        (self.folder / "box.key").write_text((self.folder / f"{key or name}.key").read_text())

    def test_a_reload_takes_new_files_under_an_open_stream_and_leaves_bad_ones(self):
        self.start_with("first")
        self.assertFalse((self.box.state / "tls").exists())
        first = self.shown()
        client = self.connect()
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200 OK", client.recv(65536))
        self.place("second")
        self.assertIn("loaded again", self.box.reload())
        second = self.shown()
        self.assertNotEqual(first, second)
        self.assertEqual(self.ask_chat().returncode, 0)

        self.place("first", key="second")
        self.assertIn("is not the key of the first certificate", self.box.reload())
        (self.folder / "box.crt").write_text("nothing")
        self.assertIn("no certificate can be read", self.box.reload())
        (self.folder / "box.crt").unlink()
        self.assertIn("box.crt", self.box.reload())
        make_ended(self.folder, "old", "ca")
        self.place("old")
        self.assertIn("ended on 2021-01-01", self.box.reload())
        self.assertEqual(self.shown(), second)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b"200 OK", client.recv(65536))
        client.close()
        secret = (self.folder / "second.key").read_text().split("\n")[2]
        self.assertNotIn(secret, self.box.log())
        self.stop_box()

    def test_check_config_tells_what_is_wrong_with_the_files(self):
        self.start_with("first")
        self.assertIn("HTTPS with the certificate in", self.box.command("check-config").stdout)
        make_ended(self.folder, "old", "ca")
        for place, words in ((("old",), "ended on 2021-01-01"),
                             (("first", "second"), "is not the key of the first certificate")):
            self.place(*place)
            done = self.box.command("check-config", check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(words, done.stderr)
        self.place("first")
        self.stop_box()

    def test_an_rsa_certificate_serves_too(self):
        make_authority(self.folder, "ca")
        make_certificate(self.folder, "first", "ca", new=("-newkey", "rsa:2048", "-nodes"))
        self.place("first")
        self.start(tls={"certificate_file": str(self.folder / "box.crt"),
                        "key_file": str(self.folder / "box.key")})
        self.trusted = self.folder / "ca.crt"
        self.assertEqual(self.ask_chat().returncode, 0)
        self.assertIn("ECDHE-RSA-AES128-GCM-SHA256", self.s_client("-tls1_2"))
        self.stop_box()
