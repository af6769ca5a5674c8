"""Plain HTTP for boxes that ask whether a captive portal is in between: only the operator answers
GET /v1/clear with 204 and no body."""

import http.server
import sys
import threading

ASKED = ("GET", "/v1/clear")
SECONDS = 5


def answer(exchange):
    exchange.send_response(204)
    exchange.end_headers()


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sluice-pop", ""
    timeout = SECONDS

    def log_message(self, *_):
        pass

    def do_GET(self):
        if (self.command, self.path) == ASKED:
            answer(self)
        else:
            self.send_error(404)


class Clear(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, settings):
        self.address_family = 10 if ":" in settings.listen[0] else 2
        super().__init__((settings.listen[0], settings.clear_port), Exchange)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="clear",
                                       daemon=True)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


def start(settings):
    """None: not wanted, or another program has the port."""
    if not settings.clear_port:
        return None
    try:
        server = Clear(settings)
    except OSError as error:
        print(f"pop: port {settings.clear_port}: {error.strerror}; boxes cannot tell captive portals. "
              "Answer GET /v1/clear there with 204 and no body, or set clear_port", file=sys.stderr)
        return None
    server.thread.start()
    return server
