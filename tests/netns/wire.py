"""testbed-wire between two namespaces, and what it is told."""

import json
import socket
import subprocess
import tempfile
import threading

from spaces import Failed


class Wire:
    """A cable from (space, interface) a to b; up, with these addresses ("10.1.0.2/24")."""

    def __init__(self, build, a, b, a_addresses=(), b_addresses=(), settings=(), watch=(), seed=1):
        self.folder = tempfile.TemporaryDirectory(prefix="wire-")
        self.control = f"{self.folder.name}/control"
        options = [f"--watch={prefix}" for prefix in watch] + [f"--set={s}" for s in settings]
        self.process = subprocess.Popen(
            [f"{build}/testbed-wire", "--a", f"{a[1]}@{a[0].path}", "--b", f"{b[1]}@{b[0].path}",
             "--control", self.control, "--seed", str(seed), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Failed("testbed-wire does not start")
        for (space, name), addresses in ((a, a_addresses), (b, b_addresses)):
            for address in addresses:
                quick = ("nodad",) if ":" in address else ()
                space.ip("addr", "add", address, "dev", name, *quick)
            space.ip("link", "set", name, "up")
        self.asker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.asker.bind("")
        self.asker.settimeout(10)
        self.lock = threading.Lock()

    def tell(self, command):
        """The answer; its at_us is when the command had taken effect."""
        with self.lock:
            self.asker.sendto(command.encode(), self.control)
            answer = json.loads(self.asker.recv(65536))
        if not answer["ok"]:
            raise Failed(f"testbed-wire: {command}: {answer['error']}")
        return answer

    def stats(self):
        return self.tell("stats")

    def watched(self):
        """Packets of the watched prefixes that were seen in clear, both ways."""
        stats = self.stats()
        return stats["a2b"]["watched"] + stats["b2a"]["watched"]

    def end(self):
        self.asker.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()
