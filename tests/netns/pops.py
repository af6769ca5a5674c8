"""tests/testbed/pop as a program in a namespace."""

import json
import subprocess
import sys
from pathlib import Path

from spaces import Failed

PROGRAM = Path(__file__).resolve().parent.parent / "testbed" / "pop" / "pop.py"
sys.path.append(str(PROGRAM.parent))

import control  # noqa: E402

START_SECONDS = 20


class PopProgram:
    def __init__(self, space, folder, config):
        self.space, self.config = space, config
        self.file = Path(folder) / f"{config['name']}.json"
        self.err = Path(folder) / f"{config['name']}.err"
        self.process = None
        self.last_token = None
        self.statuses = []

    def start(self):
        self.file.write_text(json.dumps(self.config, indent=1))
        with open(self.err, "ab") as err:
            self.process = self.space.start(sys.executable, PROGRAM, "serve", "--config", self.file,
                                            stdout=subprocess.PIPE, stderr=err, text=True)
        if not self.process.stdout.readline().startswith("ready "):
            raise Failed(f"{self.config['name']} does not start: {self.log()[-2000:]}")
        return self

    def log(self):
        return self.err.read_text()

    def ask(self, **question):
        answer = control.ask(self.config["control"], **question)
        if "error" in answer:
            raise Failed(f"{self.config['name']}: {question}: {answer['error']}")
        return answer

    def token(self, hours=1):
        self.last_token = self.ask(ask="token", hours=hours)["token"]
        return self.last_token

    def status(self):
        self.statuses.append(self.ask(ask="status"))
        return self.statuses[-1]

    def fault(self, **wishes):
        """When it had taken effect, in microseconds (CLOCK_MONOTONIC)."""
        return self.ask(ask="fault", **wishes)["at_us"]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        self.process.terminate()
        code = self.process.wait(20)
        self.process.stdout.close()
        if code != 0:
            raise Failed(f"{self.config['name']} ended with {code}: {self.log()[-2000:]}")

    def kill(self):
        """As a power cut of the machine: what it carried is gone too."""
        if self.running():
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
