"""A cloud behind TLS: a real nginx with a certificate made for the test, reached through libcurl."""

import shutil
import socket
import subprocess
import unittest

from programs import Program, wait_until
from world import World, chat, cloud, open_stream, read_to_end

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/node.crt; ssl_certificate_key {folder}/node.key;
    location / {{
      proxy_pass {engine}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 60s;
    }}
  }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@unittest.skipUnless(NGINX and shutil.which("openssl"), "nginx or openssl is not installed")
class Tls(World):
    def make_certificates(self):
        """An authority of the test, a certificate from it for 127.0.0.1, another authority."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.folder, check=True,
                           capture_output=True)
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
        for name in ("ca", "other"):
            openssl("req", "-x509", *new, "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                    "-out", f"{name}.crt")
        openssl("req", *new[:-2], "-subj", "/CN=127.0.0.1", "-keyout", "node.key", "-out",
                "node.csr")
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "node.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "node.crt")

    def start_nginx(self, engine):
        self.make_certificates()
        for attempt in range(5):  # somebody may take the port in between
            port = free_port()
            config = self.folder / "nginx.conf"
            config.write_text(CONFIG.format(folder=self.folder, port=port, engine=engine.url))
            nginx = Program(self.folder, f"nginx-{attempt}",
                            [NGINX, "-c", config, "-p", self.folder, "-e",
                             self.folder / "nginx.log"])
            self.programs.append(nginx.start())

            def answers(nginx=nginx, port=port):
                if not nginx.running():
                    return "ended"
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    return "up"
                except OSError:
                    return None
            if wait_until(answers, "nginx listens") == "up":
                return f"https://127.0.0.1:{port}"
        raise AssertionError((self.folder / "nginx.log").read_text())

    def start_tls(self, ca, *others):
        self.far = self.engine("far")
        url = self.start_nginx(self.far)
        node = cloud(self.far, ca_file=str(self.folder / ca))
        node["url"] = url
        self.start_box([node, *others])

    def test_streams_and_whole_answers_through_tls_have_every_byte(self):
        self.start_tls("ca.crt")
        report = self.load(concurrency=10, requests=200, mix=True, usage="mix",
                           max_tokens=20).report()
        self.assertEqual(report["outcomes"], {"ok": 200})
        self.assertEqual(report["tokens"], 4000)
        self.assertEqual(self.far.counters()["completed"], 200)
        self.stop_box()
        self.assertEqual(len(self.box.attempts("outcome = 'served'")), 200)

    def test_words_come_through_tls_as_they_are_said(self):
        self.far = self.engine("far", ("--base-ms", 30, "--per-seq-ms", 0, "--prefill-tps", 0))
        node = cloud(self.far, ca_file=str(self.folder / "ca.crt"))
        node["url"] = self.start_nginx(self.far)
        self.start_box([node])
        client, begun = open_stream(self.box.api, self.box.key, tokens=40)
        self.assertLess(begun.count(b"data: "), 20, "the stream was gathered on the way")
        self.assertIn(b"[DONE]", begun + read_to_end(client))
        client, _ = open_stream(self.box.api, self.box.key, tokens=4000)
        client.close()
        wait_until(lambda: self.far.counters()["aborted_by_client"] == 1, "cancelled there", 2)
        self.stop_box()

    def test_a_node_with_the_wrong_certificate_gets_nothing_and_the_next_one_serves(self):
        near = self.engine("near")
        self.start_tls("other.crt", cloud(near))
        for _ in range(4):
            status, fields, body = chat(self.box.api, self.box.key)
            self.assertEqual((status, fields["x-sluice-node"]), (200, "near"), body)
        report = self.load(concurrency=8, requests=60, mix=True, max_tokens=5).report()
        self.assertEqual(report["outcomes"], {"ok": 60})
        self.assertEqual(self.far.counters()["received"], 0)
        self.assertEqual(near.counters()["completed"], 64)
        self.stop_box()

    def test_a_wrong_certificate_alone_is_told_plainly(self):
        self.start_tls("other.crt")
        status, _, body = chat(self.box.api, self.box.key)
        self.assertIn(status, (502, 503), body)
        self.assertRegex(body, r"(?i)certificate|no node|far")
        self.assertEqual(self.far.counters()["received"], 0)
        told = [line for line in self.box.log().splitlines() if "proxy: request" in line]
        self.assertRegex(told[0], r"node far: https://127\.0\.0\.1:\d+: its certificate is not")
        self.stop_box()
