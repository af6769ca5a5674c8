"""check-config: the example is in order; what is wrong is told with its line and what to do."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import programs
from programs import patience

ROOT = Path(__file__).resolve().parent.parent.parent
NODE = """nodes:
  - name: gpu
    place: local
    url: http://127.0.0.1:8000
"""
# The file, its line, words of the advice.
WRONG = [
    ("listen:\n  api: 0.0.0.0:99999\n" + NODE, 2, "listen.api"),
    ("listen:\n  page: 0.0.0.0:8081\n" + NODE, 2, "no login"),
    ("listn: {}\n" + NODE, 1, "listen"),
    ("valve:\n  overflow: sometimes\n" + NODE, 2, "auto"),
    ("valve:\n  hysteresis_percent: 80\n" + NODE, 2, "50"),
    ("valve:\n  hysteresis_percent: 3\n  hysteresis: 4\n" + NODE, 3, "hysteresis_percent"),
    ("sense:\n  scrape_ms: fast\n" + NODE, 2, "number"),
    ("sense:\n  scrape_ms: 100\n  scrape_timeout_ms: 200\n" + NODE, 3, "scrape"),
    ("currency: yuan\n" + NODE, 1, "three capital letters"),
    ("state_dir: relative/path\n" + NODE, 1, "absolute"),
    ("access:\n  require_key: perhaps\n" + NODE, 2, "true"),
    (NODE.replace("local", "moon"), 3, "cloud"),
    (NODE.replace("http://", "gopher://"), 4, "http"),
    (NODE.replace("    url: http://127.0.0.1:8000\n", ""), 2, "url"),
    (NODE + NODE[7:], 5, "gpu"),
    (NODE + "    credential: sk-this-is-a-key\n", 5, "file"),
    (NODE + "    credential: {file: /a, env: B}\n", 5, "env"),
    (NODE + "    price: {currency: USD, input_per_million: 1}\n", 5, "exchange_rates"),
    (NODE + "    price: {input_per_million: -1}\n", 5, "input_per_million"),
    (NODE + "    data_classes: [secret]\n", 5, "home-only"),
    (NODE.replace("local", "cloud") + "    data_classes: [home-only]\n", 5, "home-only"),
    (NODE + "    models:\n      - upstream: x\n", 6, "name"),
    ("nodes:\n  - name: gpu\n   place: local\n", 3, ""),
    ("nodes: [\n", 2, ""),
    ("log: {level: info}\nlog: {level: debug}\n" + NODE, 2, "log"),
    ("locked: [no.such.key]\n" + NODE, 1, "no.such.key"),
    ("service_levels:\n  - ttft_ms: 5\n" + NODE, 2, "name"),
]


def check(path):
    return subprocess.run([programs.SETUP.build / "sluiced", "--config", path, "check-config"],
                          capture_output=True, text=True, timeout=patience(20))


class CheckConfig(unittest.TestCase):
    def check_text(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            return file.name, check(file.name)

    def test_the_example_is_in_order_and_says_what_is_exposed(self):
        done = check(ROOT / "overlay" / "etc" / "sluice" / "sluice.yaml")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("in order", done.stdout)
        self.assertIn("8080", done.stdout)

    def test_what_is_wrong_is_told_with_file_line_and_advice(self):
        for text, line, advice in WRONG:
            with self.subTest(text=text):
                path, done = self.check_text(text)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                self.assertIn(f"{path}:{line}:", done.stderr)
                self.assertIn(advice, done.stderr)
                self.assertNotIn("sk-this-is-a-key", done.stderr)

    def test_all_that_is_wrong_is_told_at_once(self):
        path, done = self.check_text("valve:\n  overflow: x\n  hold: y\nlistn: {}\n" + NODE)
        for line in (2, 3, 4):
            self.assertIn(f"{path}:{line}:", done.stderr)

    def test_a_file_that_is_not_there_is_told(self):
        done = check("/nonexistent/sluice.yaml")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/nonexistent/sluice.yaml", done.stderr)

    def test_a_wrong_file_does_not_start(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("valve: {overflow: x}\n")
            file.flush()
            done = subprocess.run([programs.SETUP.build / "sluiced", "--config", file.name,
                                   "serve"], capture_output=True, text=True, timeout=patience(20))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(":1:", done.stderr)
