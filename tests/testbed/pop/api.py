"""The HTTPS endpoint: what boxes ask, and what another PoP's endpoint commands (/v1/agent)."""

import http.server
import json
import re
import ssl
import sys
import threading
import time

import clear
from book import Refused

BODY_MAX = 64 * 1024
THREADS_MAX = 64
SECONDS = 10
BOX = re.compile(r"^/v1/boxes/([0-9a-f]{16})(/peers|/readd)?$")
AGENT = re.compile(r"^/v1/agent/boxes/([0-9a-f]{16})(/peers|/readd)?$")


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sluice-pop", ""
    timeout = SECONDS

    def setup(self):
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(SECONDS)
            self.request.do_handshake()  # here, not where connections are accepted
        super().setup()

    def log_message(self, *_):  # request lines hold no secrets, but nobody needs them either
        pass

    def body(self):
        size = self.headers.get("Content-Length", "0")
        if not size.isdigit() or int(size) > BODY_MAX:
            self.close_connection = True
            raise Refused(413, "request_too_large", f"a body has at most {BODY_MAX} bytes")
        data = self.rfile.read(int(size))
        try:
            value = json.loads(data) if data else {}
        except ValueError:
            raise Refused(400, "request_bad", "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Refused(400, "request_bad", "the body must be an object")
        return value

    def bearer(self):
        kind, _, secret = self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not secret:
            raise Refused(401, "credential_missing", "Authorization: Bearer is missing")
        return secret

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        pop = self.server.pop
        if (self.command, self.path) == clear.ASKED:
            clear.answer(self)
            return
        time.sleep(pop.faults.values["slow_ms"] / 1000)
        try:
            body = self.body()
            if pop.faults.values["refuse_api"]:
                raise Refused(503, "unavailable", "not now")
            self.answer(200, self.done(pop, body))
        except Refused as refused:
            self.answer(refused.status,
                        {"error": {"code": refused.code, "message": str(refused)}})
        except Exception as error:  # one exchange may not end the endpoint
            print(f"pop: {self.command} failed: {type(error).__name__}: {error}", file=sys.stderr)
            self.answer(500, {"error": {"code": "failed", "message": "the PoP could not do it"}})

    def done(self, pop, body):
        if self.path == "/v1/join" and self.command == "POST":
            return pop.join(body)
        box = BOX.match(self.path)
        if box:
            return self.of_box(pop, box.group(1), box.group(2) or "", body)
        if self.path.startswith("/v1/agent"):
            pop.check_agent(self.bearer())
        if self.path == "/v1/agent" and self.command == "GET":
            return pop.settings.pop()
        box = AGENT.match(self.path)
        if box:
            return self.of_agent(pop, box.group(1), box.group(2) or "", body)
        raise Refused(404, "not_found", "there is nothing here")

    def of_box(self, pop, box_id, what, body):
        pop.check_box(box_id, self.bearer())
        asked = (self.command, what)
        if asked == ("GET", ""):
            return pop.box_answer(box_id)
        if asked == ("PUT", "/peers"):
            return pop.put_peers(box_id, body)
        if asked == ("POST", "/readd"):
            return pop.readd(box_id, body)
        if asked == ("DELETE", ""):
            return pop.remove(box_id)
        raise Refused(404, "not_found", "there is nothing here")

    def of_agent(self, pop, box_id, what, body):
        asked = (self.command, what)
        if asked == ("PUT", "/peers"):
            return pop.agent_put(box_id, body)
        if asked == ("POST", "/readd"):
            return pop.readd_here(box_id, body.get("public_key"))
        if asked == ("DELETE", ""):
            return pop.remove_here(box_id)
        raise Refused(404, "not_found", "there is nothing here")

    do_GET = do_POST = do_PUT = do_DELETE = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, settings, pop):
        self.pop = pop
        self.free = threading.Semaphore(THREADS_MAX)
        self.address_family = 10 if ":" in settings.listen[0] else 2
        super().__init__(settings.listen, Exchange)
        if settings.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(settings.certificate, settings.certificate_key)
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="api",
                                       daemon=True)

    def process_request(self, request, client_address):
        if not self.free.acquire(blocking=False):
            request.close()
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ssl.SSLError)):
            super().handle_error(request, client_address)

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()
