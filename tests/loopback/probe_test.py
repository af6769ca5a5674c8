"""sluiced probe: names what answers at an address by what it tells, shows each field, and suggests
settings that work. Every sample page is served by a static web server, all at the same port."""

import http.server
import json
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import programs
from programs import patience

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "metrics"

MODELS = b'{"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "me"}]}'
# Driver -> what its place serves: samples by path. Each line is a place of its own.
PLACES = [
    ("vllm", {"/metrics": "vllm-v0.prom"}),
    ("vllm", {"/metrics": "vllm-v1.prom", "/v1/models": "vllm-v1-models.json"}),
    ("vllm", {"/metrics": "vllm-v1-saturated.prom", "/load": "vllm-load.json"}),
    ("vllm", {"/metrics": "vllm-v1-dp2.prom", "/is_sleeping": "vllm-is-sleeping.json"}),
    ("vllm", {"/metrics": "vllm-0.9-transition.prom"}),
    ("vllm", {"/metrics": "vllm-ray-serve.prom"}),
    ("vllm", {"/metrics": "openmetrics-sample.om"}),
    ("vllm", {"/v1/models": "vllm-v1-models.json"}),
    ("vllm", {"/load": "vllm-load.json"}),
    ("vllm", {"/is_sleeping": "vllm-is-sleeping.json"}),
    ("openai", {"/v1/models": MODELS}),
    ("vllm-router", {"/metrics": "vllm-production-stack-router.prom"}),
    ("sglang", {"/metrics": "sglang.prom"}),
    ("sglang", {"/metrics": "sglang-tp2.prom", "/v1/loads": "sglang-v1-loads.json"}),
    ("sglang", {"/v1/loads": "sglang-v1-loads.json"}),
    ("sglang", {"/v1/loads": "sglang-v1-loads.prom"}),
    ("ktransformers", {"/metrics": "ktransformers-balance-serve.prom"}),
    ("tgi", {"/metrics": "tgi.prom", "/info": "tgi-info.json"}),
    ("tgi", {"/info": "tgi-info.json"}),
    ("llamacpp", {"/metrics": "llamacpp.prom", "/slots": "llamacpp-slots.json",
                  "/props": "llamacpp-props.json"}),
    ("llamacpp", {"/slots": "llamacpp-slots.json"}),
    ("llamacpp", {"/props": "llamacpp-props.json"}),
    ("llamacpp", {"/health": "llamacpp-health-loading.json"}),
    ("ollama", {"/api/ps": "ollama-api-ps.json"}),
    ("ollama", {"/api/ps": "ollama-api-ps-idle.json"}),
    ("lmdeploy", {"/metrics": "lmdeploy.prom"}),
    ("trtllm-serve", {"/prometheus/metrics": "trtllm-serve.prom"}),
    ("triton-trtllm", {"/metrics": "triton-trtllm.prom"}),
    ("mindie", {"/metrics": "mindie.prom"}),
    ("nim", {"/v1/metrics": "nim.prom"}),
    ("nim", {"/metrics": "nim.prom"}),
    ("xinference", {"/metrics": "xinference-supervisor.prom"}),
    ("xinference", {"/metrics": "xinference-worker.prom"}),
    ("ovms", {"/metrics": "ovms.prom"}),
    ("localai", {"/metrics": "localai.prom"}),
    ("mlc-llm", {"/metrics": "mlc-llm.prom"}),
    ("mlc-llm", {"/metrics": "mlc-llm-nonconforming.txt"}),
    ("nvidia-dcgm", {"/metrics": "nvidia-dcgm-exporter.prom"}),
    ("nvidia-dcgm", {"/metrics": "nvidia-dcgm-exporter-mig.prom"}),
    ("nvidia-dcgm", {"/metrics": "nvidia-dcgm-exporter-old.prom"}),
    ("nvidia-gpu-exporter", {"/metrics": "nvidia-gpu-exporter.prom"}),
    ("amd", {"/metrics": "amd-device-metrics-exporter-mi300.prom"}),
    ("amd", {"/metrics": "amd-device-metrics-exporter-mi210-prefixed.prom"}),
    ("intel-xpum-v1", {"/metrics": "intel-xpum-v1.prom"}),
    ("intel-xpumd-v2", {"/metrics": "intel-xpumd-v2.prom"}),
    ("intel-gaudi", {"/metrics": "intel-gaudi.prom"}),
    ("ascend", {"/metrics": "ascend-npu-exporter.prom"}),
    ("cambricon", {"/metrics": "cambricon-mlu-exporter.prom"}),
    ("iluvatar", {"/metrics": "iluvatar-ix-exporter.prom"}),
    ("metax", {"/metrics": "metax-mx-exporter.prom"}),
    ("enflame", {"/metrics": "enflame-gcu-exporter.prom"}),
    ("hygon", {"/metrics": "hygon-dcu-exporter.prom"}),
    ("moorethreads", {"/metrics": "moorethreads-mtgpu-exporter.prom"}),
    ("hami", {"/metrics": "hami-vgpumonitor.prom"}),
    ("hami", {"/metrics": "hami-scheduler.prom"}),
    ("hami", {"/metrics": "hami-legacy.prom"}),
    ("all-smi", {"/metrics": "all-smi.prom"}),
    ("rebellions", {"/metrics": "rebellions-rbln.prom"}),
]
# For the parser, or files of a host: nothing that a web server would show.
NOT_SERVED = {"parser-torture.prom", "parser-invalid-lines.txt", "amdgpu-sysfs.txt"}
STATUS = {"llamacpp-health-loading.json": 503}


class StaticSite:
    """A web server whose files can be exchanged while it stays at its port."""

    def __init__(self):
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece

            def do_GET(self):
                site.asked.append(self.path)
                file = site.files.get(self.path.split("?")[0])
                body = file if isinstance(file, bytes) else b"no such page\n"
                if isinstance(file, str):
                    body = (SAMPLES / file).read_bytes()
                self.send_response(STATUS.get(file, 200) if file else 404)
                is_json = body.lstrip()[:1] in (b"{", b"[")
                kind = "application/json" if is_json else "text/plain"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.files, self.asked = {}, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def show(self, files):
        self.files, self.asked = files, []

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def sluiced(*arguments):
    return subprocess.run([programs.SETUP.build / "sluiced", *map(str, arguments)],
                          capture_output=True, text=True, timeout=patience(60))


class Probe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = StaticSite()
        cls.url = f"http://127.0.0.1:{cls.site.port}"

    @classmethod
    def tearDownClass(cls):
        cls.site.close()

    def probe(self, *more, code=0):
        done = sluiced("probe", self.url, *more)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_every_sample_names_its_driver(self):
        served = set()
        for driver, files in PLACES:
            with self.subTest(driver=driver, files=files):
                served |= {file for file in files.values() if isinstance(file, str)}
                self.site.show(files)
                found = json.loads(self.probe("--json").stdout)
                self.assertEqual(found["driver"], driver)
                self.assertTrue(found["because"])
                self.assertEqual(len(self.site.asked), len(set(self.site.asked)))
        files = {file.name for file in SAMPLES.iterdir() if file.is_file()}
        left = {name for name in files - served - NOT_SERVED
                if not name.startswith("drm-fdinfo") and not name.endswith(".md")}
        self.assertEqual(left, set())

    def test_what_a_person_reads(self):
        self.site.show({"/metrics": "vllm-v1-saturated.prom", "/v1/models": "vllm-v1-models.json"})
        text = self.probe().stdout
        for words in ("driver vllm, because it has vllm:", "running            64 ",
                      "vllm:num_requests_running", "kv_usage           95.4 %", "limit              absent",
                      "Answered: /metrics, /v1/models; 11 x status 404",
                      "models: qwen3-32b", "engine: vllm", "It does not tell how many requests"):
            self.assertIn(words, text)
        self.assertNotIn("why not another", text)
        self.assertIn("sglang", self.probe("--all").stdout)
        self.site.show({"/metrics": "metax-mx-exporter.prom"})
        text = self.probe().stdout
        self.assertIn("accelerators:", text)
        self.assertIn(" W", text)
        self.site.show({"/metrics": "vllm-production-stack-router.prom"})
        self.assertIn("probe the engines behind it", self.probe().stdout)

    def test_the_settings_to_paste_are_in_order(self):
        for files in ({"/metrics": "vllm-v1.prom"}, {"/metrics": "mindie.prom"},
                      {"/metrics": "nvidia-dcgm-exporter.prom"}):
            self.site.show(files)
            paste = json.loads(self.probe("--json").stdout)["settings"]
            if "nodes:" not in paste:
                paste += "nodes:\n  - {name: gpu, place: local, url: 'http://127.0.0.1:1'}\n"
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(paste)
                file.flush()
                done = sluiced("--config", file.name, "check-config")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_metrics_at_a_port_of_their_own_are_not_suggested_as_the_api(self):
        self.site.show({"/metrics": "mindie.prom"})
        paste = json.loads(self.probe("--json").stdout)["settings"]
        self.assertIn(f"url: {self.url}  # no API answers here: write where it does", paste)
        self.assertIn(f"metrics_url: {self.url}/metrics", paste)
        self.site.show({"/metrics": "mindie.prom", "/v1/models": MODELS})
        self.assertNotIn("metrics_url", json.loads(self.probe("--json").stdout)["settings"])

    def test_what_a_stranger_calls_his_models_does_not_move_the_terminal(self):
        self.site.show({"/v1/models": MODELS.replace(b'"m"', b'"m\\u001b[2J\\nn"')})
        text = self.probe().stdout
        self.assertIn("models: m?[2J?n", text)
        self.assertNotIn("\x1b", text)

    def test_the_address_of_the_page_itself_will_do(self):
        self.site.show({"/metrics": "nvidia-dcgm-exporter.prom"})
        found = json.loads(sluiced("probe", self.url + "/metrics", "--json").stdout)
        self.assertEqual((found["driver"], found["url"]), ("nvidia-dcgm", self.url))

    def test_what_nobody_knows_is_said_with_what_to_do(self):
        self.site.show({})
        self.assertIn("No driver fits", self.probe(code=1).stdout)
        with StaticSiteGone() as url:
            done = sluiced("probe", url)
            self.assertEqual(done.returncode, 1)
            self.assertIn("Check address, port and firewall", done.stdout)
        self.assertEqual(sluiced("probe").returncode, 106)  # the command line was wrong
        self.assertIn("http://", sluiced("probe", "gpu-1:8000").stderr)

    def test_a_subnet_is_asked_at_the_named_port(self):
        self.site.show({"/metrics": "vllm-v1.prom"})
        done = sluiced("probe", "--subnet", "127.0.0.1/32", "--port", self.site.port)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{self.url}", done.stdout)
        self.assertIn("24 running, 0 waiting", done.stdout)
        self.assertIn("1 places asked, 1 known", done.stdout)
        self.assertIn("too large a subnet", sluiced("probe", "--subnet", "10.0.0.0/8").stderr)
        refused = sluiced("probe", "--subnet", "127.0.0.0/30", "--key-file", "/etc/hostname")
        self.assertNotEqual(refused.returncode, 0)


class StaticSiteGone:
    """An address at which nothing listens."""

    def __enter__(self):
        site = StaticSite()
        site.close()
        return f"http://127.0.0.1:{site.port}"

    def __exit__(self, *_):
        return False
