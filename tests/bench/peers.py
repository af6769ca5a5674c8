"""The daemon and what it is measured against, as processes with one listening address each."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from box import Failure

START_S = 15
STOP_S = 10
HERE = Path(__file__).resolve().parent
MODEL = "stand-in"
DESCRIPTORS = 20000  # of each process, as far as the machine allows
HAPROXY = """global
  nbthread 1
  maxconn 9000
defaults
  mode http
  option http-keep-alive
  http-reuse always
  option http-no-delay
  timeout connect 5s
  timeout client 10m
  timeout server 10m
frontend front
  bind {listen}
  default_backend engine
backend engine
  server engine {engine}
"""
NGINX = """daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections {descriptors}; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream engine {{ server {engine}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen {listen} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 10m;
    }}
  }}
}}
"""


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def cpu_clock(pid):
    """Seconds of processor time of a whole process, to the nanosecond: its CPU clock."""
    return time.clock_gettime(((~pid) << 3) | 2)


class Peer:
    """A program that listens on `address`; `headers` are what a request through it needs."""

    name = ""
    headers = ()
    key_file = None

    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.run / self.name
        self.folder.mkdir(exist_ok=True)
        self.address = None
        self.process = None

    @staticmethod
    def missing():
        """What is not installed, or None."""

    def launch(self, command, ready=None, environment=None):
        """The match of `ready` in the first line; without it, waits until the address answers."""
        with open(self.folder / "errors", "ab") as errors:
            out = subprocess.PIPE if ready else subprocess.DEVNULL
            self.process = subprocess.Popen(self.bench.pinned(command, self.bench.PROXY_CPU),
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                            text=True, env=environment)
        if not ready:
            return self.wait_until_open()
        line = self.process.stdout.readline()
        found = re.search(ready, line)
        if not found:
            raise Failure(f"{self.name} did not start: {line.strip()} {self.words()}")
        return found

    def wait_until_open(self):
        host, port = self.address.split(":")
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection((host, int(port)), 1).close()
            except OSError:
                time.sleep(0.05)
        raise Failure(f"{self.name} did not start: {self.words()}")

    def words(self):
        return (self.folder / "errors").read_text(errors="replace")[-1500:].strip()

    def pids(self):
        """The process and its children (nginx has a master and a worker)."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]

    def cpu_s(self):
        return sum(cpu_clock(pid) for pid in self.pids())

    def rss_bytes(self):
        found = (re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
                 for pid in self.pids())
        return sum(int(match[1]) * 1024 for match in found)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None


class Box(Peer):
    """sluiced with key, decision, metering and journals on; the stand-in as local and cloud node."""

    name = "sluiced"
    READY = r"^sluiced ready api=(\S+) "

    def __init__(self, bench, state="state"):
        super().__init__(bench)
        self.state = self.folder / state
        self.config = self.folder / f"{state}.yaml"
        self.program = bench.build / "sluiced"
        engine = "http://" + bench.engine
        models = [{"name": MODEL}]
        self.config.write_text(json.dumps({
            "listen": {"api": "127.0.0.1:0", "tls": "off", "page": "127.0.0.1:0"},
            "state_dir": str(self.state),
            "limits": {"connections_max": DESCRIPTORS, "connections_per_address_max": DESCRIPTORS},
            "nodes": [{"name": "gpu-1", "place": "local", "url": engine, "models": models,
                       "untried_concurrency": 4096},
                      {"name": "cloud-1", "place": "cloud", "url": engine, "models": models,
                       "price": {"input_per_million": 1, "output_per_million": 4}}]}, indent=1))
        self.key_file = self.folder / f"{state}.key"
        if not self.key_file.exists():
            self.make_key()

    def make_key(self):
        key = subprocess.run([self.program, "--config", self.config, "key", "add", "bench"],
                             capture_output=True, text=True)
        if key.returncode != 0:
            raise Failure("no API key: " + key.stderr.strip())
        self.key_file.touch(0o600)
        self.key_file.write_text(key.stdout)

    def start(self):
        ready = self.launch([self.program, "--config", self.config, "serve"], self.READY)
        self.address = ready[1]
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None


class HAProxy(Peer):
    name = "haproxy"

    @staticmethod
    def missing():
        return None if shutil.which("haproxy") else "haproxy is not installed"

    def start(self):
        self.address = free_address()
        config = self.folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(listen=self.address, engine=self.bench.engine))
        self.launch(["haproxy", "-db", "-f", config])
        return self


class Nginx(Peer):
    name = "nginx"

    @staticmethod
    def missing():
        return None if shutil.which("nginx") else "nginx is not installed"

    def start(self):
        self.address = free_address()
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(listen=self.address, engine=self.bench.engine,
                                       folder=self.folder, descriptors=DESCRIPTORS))
        self.launch(["nginx", "-c", config, "-e", self.folder / "nginx.log"])
        return self


class Portkey(Peer):
    """The gateway of npm's package @portkey-ai/gateway, at the version of portkey/package-lock.json."""

    name = "portkey"

    @staticmethod
    def missing():
        found = shutil.which("node") and shutil.which("npm")
        return None if found else "node and npm are not installed"

    def fetch(self):
        """The folder with the installed package."""
        place = self.bench.work / "portkey"
        place.mkdir(exist_ok=True)
        lock = (HERE / "portkey" / "package-lock.json").read_text()
        mark = place / "installed"
        if not mark.exists() or mark.read_text() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / "portkey" / name, place)
            npm = subprocess.run(["npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit",
                                  "--no-fund"], cwd=place, capture_output=True, text=True)
            if npm.returncode != 0:
                raise Failure("npm ci: " + npm.stderr.strip())
            mark.write_text(lock)
        return place / "node_modules/@portkey-ai/gateway/build/start-server.js"

    def start(self):
        self.address = free_address()
        self.headers = ("x-portkey-provider: openai", "authorization: Bearer none",
                        f"x-portkey-custom-host: http://{self.bench.engine}/v1")
        port = self.address.split(":")[1]
        environment = {**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
        self.launch(["node", self.fetch(), f"--port={port}", "--headless"], environment=environment)
        return self
