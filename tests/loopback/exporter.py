"""An exporter of metrics that serves one page as long as a test wants."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "metrics"


class Exporter:
    def __init__(self, sample):
        self.page = (SAMPLES / sample).read_bytes()
        self.port = 0
        self.asked = 0
        self.open_now = 0
        self.open_most = 0
        self.lock = threading.Lock()
        self.server = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        exporter = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with exporter.lock:
                    exporter.asked += 1
                    exporter.open_now += 1
                    exporter.open_most = max(exporter.open_most, exporter.open_now)
                found = self.path == "/metrics"
                body = exporter.page if found else b"no such page\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                with exporter.lock:
                    exporter.open_now -= 1
                try:
                    self.wfile.write(body)
                except ConnectionError:  # the box has ended
                    pass

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Answer)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        self.server = None
