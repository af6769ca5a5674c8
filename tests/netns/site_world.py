"""A site, the internet and the compute network, in namespaces:

    box --wire wan1-- isp --- pop1 --- node (10.88.0.50)
        --wire wan2--     --- pop2 ---

The daemon runs in `box`. `isp` routes between the uplinks and the PoPs. `node` stands for the compute
network: reached through both PoPs, it answers by the one that a connection's last packet came from."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "loopback"))

import certificates  # noqa: E402
from pops import PopProgram  # noqa: E402
from spaces import Failed, Space  # noqa: E402
from wire import Wire  # noqa: E402

NODE = "10.88.0.50"
ENGINE_PORT, FLOW_PORT, CHECK_PORT = 8000, 7000, 80
PREFIX = "10.88.0.0/24"
UPLINKS = {"wan1": ("198.51.100.2", "198.51.100.1"), "wan2": ("203.0.113.2", "203.0.113.1")}
POPS = {"pop1": ("192.0.2.10", "192.0.2.9", "10.88.0.1"),
        "pop2": ("192.0.2.14", "192.0.2.13", "10.88.0.33")}
UPLINKS6 = {"wan1": ("2001:db8:1::2", "2001:db8:1::1"), "wan2": ("2001:db8:2::2", "2001:db8:2::1")}
POPS6 = {"pop1": ("2001:db8:11::2", "2001:db8:11::1"), "pop2": ("2001:db8:12::2", "2001:db8:12::1")}
DELAY_MS = {"wan1": 10, "wan2": 15}  # each way


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s: {what}")
        time.sleep(0.02)
    return value


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Site:
    def __init__(self, build, pops=1, uplinks=2, settings=None, engine=(), seed=1, ipv6=False,
                 backend="auto", slow=1.0):
        self.build = Path(build).resolve()
        self.settings = settings or {}
        self.engine_options = engine
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-netns-"))
        self.ends = []  # what to do at the end, last first
        self.daemon = None
        self.pop_count, self.uplink_count, self.seed = pops, uplinks, seed
        self.ipv6 = ipv6  # beside IPv4, up to the PoPs
        self.pop_backend, self.slow = backend, slow

    def __enter__(self):
        try:
            self.build_networks()
            self.start_pops()
            self.start_node()
            return self
        except BaseException:
            self.end()
            raise

    def __exit__(self, *_):
        self.end()

    def end(self):
        while self.ends:
            try:
                self.ends.pop()()
            except (Failed, OSError, subprocess.TimeoutExpired) as error:
                print(f"cleaning up: {error}", file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def space(self, name):
        space = Space(name)
        self.ends.append(space.end)
        return space

    def veth(self, a, b):
        """((space, interface, address/length), the same): both up."""
        a[0].ip("link", "add", a[1], "type", "veth", "peer", "name", b[1], "netns",
                str(b[0].keeper.pid))
        for space, name, address in (a, b):
            space.ip("addr", "add", address, "dev", name)
            space.ip("link", "set", name, "up")

    # Networks.

    def build_networks(self):
        self.box, self.isp, self.node = (self.space(n) for n in ("box", "isp", "node"))
        self.pop_spaces = {name: self.space(name) for name in list(POPS)[:self.pop_count]}
        for space in (self.box, self.isp, self.node, *self.pop_spaces.values()):
            for name in ("all", "default"):
                space.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
        self.isp.sysctl("net/ipv4/ip_forward", 1)
        if self.ipv6:
            self.isp.sysctl("net/ipv6/conf/all/forwarding", 1)
        self.node.sysctl("net/ipv4/ip_forward", 0)
        self.wires = {}
        for number, (name, (own, router)) in enumerate(list(UPLINKS.items())[:self.uplink_count]):
            wire = Wire(self.build, (self.box, name), (self.isp, f"to-{name}"), [f"{own}/24"],
                        [f"{router}/24"], [f"both delay_ms={DELAY_MS[name]}"], [PREFIX],
                        self.seed * 10 + number)
            self.ends.append(wire.end)
            self.wires[name] = wire
            self.box.sysctl(f"net/ipv4/conf/{name}/promote_secondaries", 1)
            self.default_route(name, router)
            if self.ipv6:
                own, router = UPLINKS6[name]
                self.address6((self.box, name), f"{own}/64")
                self.address6((self.isp, f"to-{name}"), f"{router}/64")
                self.default_route(name, router)
        for number, (name, space) in enumerate(self.pop_spaces.items(), 1):
            own, router, _ = POPS[name]
            self.veth((self.isp, f"to-{name}", f"{router}/30"), (space, "wan0", f"{own}/30"))
            space.ip("route", "add", "default", "via", router)
            if self.ipv6:
                own, router = POPS6[name]
                self.address6((self.isp, f"to-{name}"), f"{router}/64")
                self.address6((space, "wan0"), f"{own}/64")
                space.ip("route", "add", "default", "via", router)
            self.veth((space, "cp0", f"10.77.{number}.1/30"),
                      (self.node, f"cp{number}", f"10.77.{number}.2/30"))
            space.ip("route", "add", f"{NODE}/32", "via", f"10.77.{number}.2")
        self.pin_node()

    def address6(self, place, address):
        place[0].ip("addr", "add", address, "dev", place[1], "nodad")

    def default_route(self, uplink, router):
        metric = 100 * (1 + list(UPLINKS).index(uplink))
        self.box.ip("route", "replace", "default", "via", router, "dev", uplink, "metric", metric)

    def pin_node(self):
        self.node.ip("addr", "add", f"{NODE}/32", "dev", "lo")
        marks = ""
        for number in range(1, self.pop_count + 1):
            marks += f'iifname "cp{number}" ct mark set {number}\n'
            self.node.ip("rule", "add", "fwmark", str(number), "lookup", str(100 + number))
            self.node.ip("route", "add", PREFIX, "via", f"10.77.{number}.1", "table",
                         str(100 + number))
        self.node.ip("route", "add", PREFIX, "via", "10.77.1.1")
        self.node.run("nft", "-f", "-", given=f"""table inet pin {{
          chain i {{ type filter hook prerouting priority mangle
            {marks}
          }}
          chain o {{ type route hook output priority mangle
            ct mark != 0 meta mark set ct mark
          }}
        }}
        """)

    # Programs.

    def program(self, space, name, *arguments, ready=None, **options):
        """Started in a space; its output in files. `ready`: how its first line begins."""
        out = self.folder / f"{name}.out"
        with open(out, "wb") as stdout, open(self.folder / f"{name}.err", "ab") as stderr:
            process = space.start(*arguments, stdout=stdout, stderr=stderr, **options)
        self.ends.append(lambda: end_process(process))
        if ready is not None:
            def first_line():
                if process.poll() is not None:
                    raise Failed(f"{name} ended with {process.returncode}: {self.log(name)[-3000:]}")
                text = out.read_text()
                return text if text.startswith(ready) and "\n" in text else None
            wait_until(first_line, f"first line of {name}", 30 * self.slow)
        return process

    def log(self, name):
        return (self.folder / f"{name}.err").read_text(errors="replace")

    def pop_config(self, name):
        own, _, probe = POPS[name]
        config = {
            "name": name, "region": "lab", "backend": self.pop_backend,
            "hosts": [own, POPS6[name][0]] if self.ipv6 else [own],
            "state": str(self.folder / f"{name}.state"),
            "control": str(self.folder / f"{name}.sock"),
            "endpoint": {"listen": "0.0.0.0:8443", "certificate": str(self.folder / f"{name}.crt"),
                         "key": str(self.folder / f"{name}.key")},
            "network": {"name": "compute", "prefixes": [PREFIX],
                        "pool": ["10.88.0.2", "10.88.0.30"]},
            "probe": {"address": probe, "port": 51900}, "compute_interface": "cp0",
            "agent_secret_file": str(self.folder / "agent.secret")}
        if name == "pop1" and self.pop_count > 1:
            config["others"] = [{"url": f"https://{POPS['pop2'][0]}:8443",
                                 "secret_file": str(self.folder / "agent.secret"),
                                 "ca_file": str(self.folder / "authority.crt")}]
        return config

    def start_pops(self):
        certificates.make_authority(self.folder, "authority")
        (self.folder / "agent.secret").write_text(os.urandom(16).hex())
        self.pops = {}
        for name, space in self.pop_spaces.items():
            certificates.make_certificate(self.folder, name, "authority", address=POPS[name][0])
            self.pops[name] = PopProgram(space, self.folder, self.pop_config(name))
            self.ends.append(self.pops[name].kill)
        for name in reversed(list(self.pops)):  # the endpoint last: it asks the other
            self.pops[name].start()

    def start_node(self):
        self.program(self.node, "echo", self.build / "testbed-flow", "--echo", f"{NODE}:{FLOW_PORT}",
                     ready="ready")
        self.program(self.node, "engine", self.build / "testbed-engine", "--listen",
                     f"{NODE}:{ENGINE_PORT}", "--model", "demo", "--name", "cloud", "--prefill-tps",
                     "0", *self.engine_options, ready="listening")

    # The daemon.

    def settings_of_daemon(self):
        tunnel = {
            "failover": "auto", "step_clock": "off",  # the date of this machine is not ours to set
            "uplinks": [{"name": name, "interface": name} for name in self.wires],
            **self.settings.get("tunnel", {})}
        node = {"name": "cloud", "place": "cloud", "url": f"http://{NODE}:{ENGINE_PORT}",
                "models": [{"name": "demo"}], "engine": "openai",
                "price": {"input_per_million": 1, "output_per_million": 4}}
        rest = {k: v for k, v in self.settings.items() if k != "tunnel"}
        return {"listen": {"api": "127.0.0.1:8080", "tls": "off", "page": "127.0.0.1:8081"},
                "state_dir": str(self.folder / "state"), "nodes": [node], "tunnel": tunnel, **rest}

    def write_settings(self, tunnel=None, nodes=None):
        """With these of `tunnel` besides, or other nodes than the one in the compute network."""
        settings = self.settings_of_daemon()
        settings["tunnel"].update(tunnel or {})
        settings["nodes"] = settings["nodes"] if nodes is None else nodes
        self.config = self.folder / "sluice.yaml"
        self.config.write_text(json.dumps(settings, indent=1))

    def reconfigure(self, **changes):
        """While it runs."""
        self.write_settings(**changes)
        status, text = self.ask("POST", "/api/v1/reload")
        if status != 200:
            raise Failed(f"the settings are not taken: {status} {text}")

    def start_daemon(self, **changes):
        self.write_settings(**changes)
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        self.daemon = self.program(self.box, "sluiced", self.build / "sluiced", "--config",
                                   self.config, "serve", ready="sluiced ready", env=environment)
        line = (self.folder / "sluiced.out").read_text().split("\n")[0]
        self.admin = line.rsplit("admin=", 1)[1]
        return self.daemon

    def restart_daemon(self, anew=False):
        """As a service is: what it remembers of paths' failures is gone, tunnels stay up. `anew`: they do
        not, nor which path was in use; what keeps packets from leaving in clear stays."""
        end_process(self.daemon)
        if anew:
            self.remove_tunnels()
        return self.start_daemon()

    def remove_tunnels(self):
        for link in json.loads(self.box.ip("-j", "link", "show").stdout):
            if link["ifname"].startswith("slw"):
                for pid in self.carriers(link["ifname"]):
                    os.kill(pid, signal.SIGKILL)
                self.box.ip("link", "del", link["ifname"], check=False)
        self.box.ip("nexthop", "flush", "protocol", "199")

    def reboot(self):
        """Nothing of the daemon is in the kernel; its files are there. It runs again."""
        self.end_daemon_wholly()
        return self.start_daemon()

    def end_daemon_wholly(self):
        end_process(self.daemon)
        self.remove_tunnels()
        self.box.run("nft", "flush", "ruleset")
        self.box.run("sh", "-c", "while ip rule del protocol 199; do :; done; "
                                 "ip route flush table all protocol 199", check=False)

    def command(self, *arguments, check=True, seconds=60):
        return self.box.run(self.build / "sluiced", "--config", self.config, *arguments, check=check,
                            seconds=seconds * self.slow)

    def join(self):
        token = self.folder / "token"
        token.write_text(self.pops["pop1"].token() + "\n")
        token.chmod(0o600)
        return self.command("tunnel", "join", "--url", f"https://{POPS['pop1'][0]}:8443",
                            "--token-file", token, "--ca-file", self.folder / "authority.crt")

    def ask(self, method, path, body=None):
        """(status, text) of the daemon over its admin socket."""
        connection = UnixConnection(self.admin)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def node_status(self, name="cloud"):
        _, text = self.ask("GET", "/api/v1/status")
        return next(n for n in json.loads(text)["nodes"] if n["name"] == name)

    def status(self):
        status, text = self.ask("GET", "/api/v1/tunnel")
        if status != 200:
            raise Failed(f"GET /api/v1/tunnel: {status} {text}")
        return json.loads(text)

    def client_key(self):
        file = self.folder / "client.key"
        if not file.exists():
            file.write_text(self.command("key", "add", "client").stdout)
        return file.read_text().strip()

    def chat_status(self, key):
        """The HTTP status of a request to the model of the cloud node; None: no answer in time, or no daemon."""
        with self.box.socket(kind=socket.SOCK_STREAM) as sock:
            sock.settimeout(2)
            connection = http.client.HTTPConnection("127.0.0.1:8080")
            connection.sock = sock
            try:
                sock.connect(("127.0.0.1", 8080))
                connection.request("POST", "/v1/chat/completions", json.dumps(
                    {"model": "demo", "max_tokens": 4, "messages": [{"role": "user", "content": "hi"}]}),
                    {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return None

    def clear_wires(self):
        for name, wire in self.wires.items():
            wire.tell("clear")
            wire.tell(f"both delay_ms={DELAY_MS[name]}")

    def watched(self):
        """Packets of the compute network that were seen in clear on an uplink."""
        return sum(wire.watched() for wire in self.wires.values())

    def kill_daemon(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(10)

    # States to wait for.

    def paths(self, *states):
        return [p for p in self.status()["paths"] if not states or p["state"] in states]

    def active(self, traffic="interactive"):
        """The path that carries this class, or None."""
        status = self.status()
        name = next((c["path"] for c in status["classes"] if c["traffic"] == traffic
                     and c["carries"]), None)
        return next((p for p in status["paths"] if p["name"] == name), None)

    def wait_settled(self, good=None, seconds=60):
        """All paths (or so many) are good, and one carries."""
        def settled():
            paths = self.paths()
            count = sum(p["state"] == "good" for p in paths)
            wanted = len(paths) if good is None else good
            return paths and count >= wanted and self.active()
        try:
            return wait_until(settled, "every path is good", seconds * self.slow)
        except Failed as error:
            raise Failed(f"{error}: {self.command('tunnel', 'status').stdout}") from None

    def carriers(self, interface):
        """Process ids of the program that carries this interface."""
        return [pid for pid in self.box.pids()
                if interface.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
                and b"wireguard" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def end_process(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
