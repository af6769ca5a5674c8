"""What the box passes on is what independent servers read: nginx and Node behind it see exactly the
requests that the ledger has, each with the body that the client sent, whatever else was sent."""

import json
import shutil
import socket
import subprocess
import unittest

from programs import Program, ask, wait_until
from vectors import BODY, GROUPS, read_group, send, smuggled, split_answers
from world import World, local

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
NODE = shutil.which("node")
QUICK = {"head_ms_max": 700, "body_slow_ms_max": 700, "idle_ms_max": 1000, "body_bytes_max": 100000}
MODELS = json.dumps({"object": "list", "data": [{"id": "demo", "object": "model"}]})
GOOD = json.dumps({"id": "x", "object": "chat.completion", "model": "demo", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]})
NGINX_CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_body_buffer_size 256k; client_max_body_size 1m; keepalive_requests 100000;
  log_format seen escape=json '{{"line":"$request","id":"$http_x_request_id","host":"$http_host",'
    '"length":"$content_length","coding":"$http_transfer_encoding","body":"$request_body",'
    '"status":"$status"}}';
  server {{
    listen unix:{folder}/inner.sock; access_log off; default_type application/json;
    location = /v1/models {{ return 200 '{models}'; }}
    location / {{ return 200 '{good}'; }}
  }}
  server {{
    listen unix:{folder}/engine.sock; listen 127.0.0.1:{port}; access_log {folder}/seen.log seen;
    location / {{ proxy_pass http://unix:{folder}/inner.sock:; }}
  }}
}}
"""
NODE_SERVER = """
const http = require('http');
const fs = require('fs');
const [seen, models, good] = process.argv.slice(2);
const server = http.createServer({insecureHTTPParser: false}, (request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    fs.appendFileSync(seen, JSON.stringify({
      line: `${request.method} ${request.url} HTTP/${request.httpVersion}`,
      id: request.headers['x-request-id'] || '', host: request.headers.host,
      length: request.headers['content-length'] || '',
      coding: request.headers['transfer-encoding'] || '',
      body: Buffer.concat(parts).toString('utf8'), status: '200'}) + '\\n');
    response.setHeader('content-type', 'application/json');
    response.end(request.url === '/v1/models' ? models : good);
  });
});
server.on('clientError', (error, socket) => {
  fs.appendFileSync(seen, JSON.stringify({error: error.code}) + '\\n');
  socket.destroy();
});
server.listen(0, '127.0.0.1', () => console.log('ready 127.0.0.1:' + server.address().port));
"""


class Backend:
    """An independent server that writes down what it read."""

    def __init__(self, name, address, log):
        self.name = name
        self.url = f"http://{address}"
        self.log = log

    def seen(self):
        """What it read but for the box's own probes."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        read = [json.loads(line) for line in lines]
        return [r for r in read if r.get("line") != "GET /v1/models HTTP/1.1"]


class Differential(World):
    def nginx(self):
        for attempt in range(5):  # somebody may take the port in between
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
            config = self.folder / "engine.conf"
            config.write_text(NGINX_CONFIG.format(folder=self.folder, port=port, models=MODELS,
                                                  good=GOOD))
            server = Program(self.folder, f"engine-{attempt}",
                             [NGINX, "-c", config, "-p", self.folder, "-e",
                              self.folder / "start.log"])
            self.programs.append(server)
            server.start()

            def answers():
                try:
                    return ask(f"127.0.0.1:{port}", "GET", "/v1/models")[0] == 200
                except OSError:
                    return not server.running()
            wait_until(answers, "nginx answers")
            if server.running():
                return Backend("nginx", f"127.0.0.1:{port}", self.folder / "seen.log")
        raise AssertionError("nginx does not start")

    def node(self):
        script = self.folder / "engine.js"
        script.write_text(NODE_SERVER)
        log = self.folder / "seen.log"
        server = Program(self.folder, "node", [NODE, script, log, MODELS, GOOD])
        self.programs.append(server)
        server.start()
        return Backend("node", server.first_line().split(" ")[1], log)

    def check(self, backend):
        self.start_box([{**local(backend), "engine": "openai"}], limits=QUICK)
        self.box.wait_node(backend.name, "up")
        key = self.box.key
        sent = [body for body in self.odd_but_valid(key)]
        self.hidden = 0
        for group in GROUPS:
            if group == "slow":
                continue  # pauses only: the chapter of the vectors has them
            for _, vector in read_group(group):
                self.send_with_one_hidden(vector, key)
                # On the connection that the box keeps to the server, after each of them: whatever
                # had been left there would be read as the beginning of this one.
                sent.append(self.plain(key, vector["id"]))
        self.box.wait_quiet()
        self.stop_box()
        self.compare(backend.seen(), sent)

    def send_with_one_hidden(self, vector, key):
        """Behind a good vector it is a request like any other, behind a refused one it is not."""
        received, _ = send(self.box.api, vector, key,
                           b"" if vector.get("end") else smuggled(key).encode())
        served = sum(a.status == 200 and b"chat.completion" in a.body
                     for a in split_answers(received))
        alone = "status" in vector or vector.get("closes") or vector.get("end")
        self.assertEqual(served, 0 if alone else 1, vector["id"])
        self.hidden += served

    def compare(self, seen, sent):
        self.assertEqual([r for r in seen if "error" in r], [], "it could not read the box")
        rows = {row["request"]: row for row in self.box.attempts()}
        for request in seen:
            self.assertEqual(request["line"], "POST /v1/chat/completions HTTP/1.1")
            self.assertEqual(request["coding"], "")
            self.assertEqual(int(request["length"]), len(request["body"].encode()))
        seen_ids = [request["id"].rsplit("-", 1)[0] for request in seen]
        self.assertEqual(sorted(seen_ids), sorted(rows), "the ledger and the server disagree")
        self.assertEqual(len(seen_ids), len(set(seen_ids)))
        self.assertEqual(sorted(request["body"] for request in seen),
                         sorted(sent + [BODY] * self.hidden))

    def plain(self, key, mark):
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": mark}]})
        status, _, _ = ask(self.box.api, "POST", "/v1/chat/completions", body,
                           {"Authorization": f"Bearer {key}"})
        self.assertEqual(status, 200, mark)
        return body

    def odd_but_valid(self, key):
        """Requests that many parsers stumble over; each body is its own."""
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
        old = head.replace("HTTP/1.1", "HTTP/1.0")
        for number, (begin, framing) in enumerate((
                (head, "Content-Length: {n}\r\n\r\n{b}"),
                (head, "content-length:{n}\r\n\r\n{b}"),
                (head, "Content-Length: 000{n}\r\n\r\n{b}"),
                (head, "Transfer-Encoding: chunked\r\n\r\n{x}\r\n{b}\r\n0\r\n\r\n"),
                (head, "Transfer-Encoding: CHUNKED\r\n\r\n000{x};a=\"b;c\"\r\n{b}\r\n00\r\n"
                       "X-T: 1\r\n\r\n"),
                (head, "Transfer-Encoding:\tchunked\t\r\n\r\n1\r\n{{\r\n{y}\r\n{r}\r\n0\r\n\r\n"),
                (old, "Content-Length: {n}\r\n\r\n{b}"),
                (old, "Connection: keep-alive\r\nContent-Length: {n}\r\n\r\n{b}"),
                ("\r\n" + head, "Content-Length: {n}\r\n\r\n{b}"),
                (head, "Connection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: {n}\r\n\r\n{b}"),
                (head, "Expect: 100-continue\r\nContent-Length: {n}\r\n\r\n{b}"),
                (head, "X-Empty:\r\nX-Tab:\ta\tb\t\r\nX-Obs: \xe4\xbd\xa0\r\n"
                       "Content-Length: {n}\r\n\r\n{b}"),
                (head, "Content-Type: text/plain\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                       "Connection: upgrade\r\nContent-Length: {n}\r\n\r\n{b}"),
                (head, "X-Big: " + "x" * 7000 + "\r\nContent-Length: {n}\r\n\r\n{b}"),
                (head, "Content-Length: {n}\r\n\r\n{b}"))):
            content = f"odd {number} " + ("z" * 50000 if number == 14 else "GET / HTTP/1.1")
            body = json.dumps({"model": "demo",
                               "messages": [{"role": "user", "content": content}]})
            text = begin + framing.format(n=len(body), b=body, x=f"{len(body):x}",
                                          y=f"{len(body) - 1:x}", r=body[1:])
            received, _ = send(self.box.api, {"pieces": [text]}, key)
            self.assertEqual([a.status for a in split_answers(received)], [200], number)
            yield body

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_nginx_sees_what_the_ledger_has_and_nothing_else(self):
        self.check(self.nginx())

    @unittest.skipUnless(NODE, "node is not installed")
    def test_node_sees_what_the_ledger_has_and_nothing_else(self):
        version = subprocess.run([NODE, "--version"], capture_output=True, text=True, timeout=30)
        print(f"node {version.stdout.strip()}")
        self.check(self.node())
