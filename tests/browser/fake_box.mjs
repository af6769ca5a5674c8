// A stand-in for the box: serves the committed page and plays the three endpoints it reads. Tests
// move it by hand (set, decide, hang_up); started as a program it plays a day's burst in a loop:
//   node fake_box.mjs [--port N]
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const kDist = new URL('../../firmware/web/ui/dist/', import.meta.url);
const kTypes = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };
const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
  "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";
const kBeatMs = 500;

export const node = (name, place, more = {}) => ({
  name, place, engine: place == 'local' ? 'vllm' : 'openai', state: 'up', why: '', in_flight: 0,
  line: place == 'local' ? 35 : 0, running: 0, waiting: 0, kv_usage: 0.2, ttft_ms_p50: 120.5,
  tpot_ms_p50: 42.1, age_ms: 230, models: ['qwen-72b'], ...more,
});

const told = (value, source, more = {}) => ({ value, source, age_ms: 400, confidence: 'told', ...more });
const absent = (why) => ({ value: null, source: why, age_ms: null, confidence: 'absent' });

export const accelerator = (n, more = {}) => ({
  id: `GPU-5e0b7c1d-0000-4a11-9d11-00000000000${n}`, name: 'NVIDIA H100 80GB HBM3', vendor: 'nvidia', trouble: '',
  busy: told(0.97, 'nvmlDeviceGetUtilizationRates'),
  memory_used_bytes: told(72 * 2 ** 30, 'nvmlDeviceGetMemoryInfo_v2'),
  memory_total_bytes: told(80 * 2 ** 30, 'nvmlDeviceGetMemoryInfo_v2'),
  power_w: told(598.412, 'nvmlDeviceGetPowerUsage'), temperature_c: told(61, 'nvmlDeviceGetTemperature'),
  health: told(1, 'nvml: it answers', { confidence: 'derived' }), ...more,
});

export const lost = (n) => {
  const why = 'the device has fallen off the bus (code 15)';
  const none = absent(why);
  return accelerator(n, {
    trouble: why, busy: none, memory_used_bytes: none, memory_total_bytes: none, power_w: none, temperature_c: none,
    health: told(0, 'nvml'),
  });
};

export const source = (name, devices, more = {}) => ({
  source: name, driver: 'nvml', state: 'answers', why: '', age_ms: 400, devices, more: 0, ...more,
});

const kNoCarrier = {
  en: 'The uplink fibre has no carrier; check the cable and the modem.', zh: '上行线路 fibre 没有载波；请检查网线和调制解调器。',
};

// Two paths, one of them cut a moment ago.
export const tunnel = (more = {}) => ({
  on: true, joined: true, backend: 'userspace', network: 'compute', address: '10.88.0.2', prefixes: ['10.88.0.0/24'],
  paths: [
    { name: 'fibre/hz1/udp4', uplink: 'fibre', pop: 'hz1', transport: 'udp4', interface: 'slw0', state: 'dead',
      since_ms: 3100, mtu: 1420, metered: false, trouble: kNoCarrier },
    { name: 'lte/hz1/udp4', uplink: 'lte', pop: 'hz1', transport: 'udp4', interface: 'slw1', state: 'good',
      since_ms: 86000, mtu: 1412, metered: true, proof_age_ms: 120,
      quality: { rtt_ms: 48.25, rtt_min_ms: 40, jitter_ms: 3, loss_out: 0.013, loss_back: 0, probes: 75 } },
  ],
  classes: [{ traffic: 'interactive', path: 'lte/hz1/udp4', carries: true, why: { en: '', zh: '' } }],
  switches: [{
    time_ms: Date.now() - 3000, traffic: 'interactive', from: 'fibre/hz1/udp4', to: 'lte/hz1/udp4', gap_ms: 104, packets_lost: 0,
    alternatives: [], why: { en: 'Interactive traffic moved to lte/hz1/udp4: its carrier was lost', zh: '交互流量切换到 lte/hz1/udp4：载波丢失' },
  }],
  switches_total: 2,
  findings: [kNoCarrier],
  ...more,
});

// A whole status from the few figures that a scene is about.
export function status({ local = 0, cloud = 0, line = 35, queue = 0, done = [0, 0], nodes, overflow = 'auto' } = {}) {
  return {
    version: '0.1.0', time_ms: Date.now(), uptime_s: 7260,
    valve: { overflow, hold: 'auto', open: cloud > 0 },
    water: { level: line ? local / line : 0, in_flight: local, line },
    share: {
      window_s: 60, local_requests: done[0], cloud_requests: done[1], local_tokens: done[0] * 812,
      cloud_tokens: done[1] * 790, cloud_cost: done[1] * 0.0041, currency: 'CNY',
    },
    queue: { length: queue, length_max: 1000 },
    nodes: nodes ?? [
      node('gpu-server', 'local', { in_flight: local, running: local }),
      node('cloud-east', 'cloud', { in_flight: cloud, ttft_ms_p50: 310, tpot_ms_p50: 31.7, age_ms: 1200 }),
    ],
  };
}

const kReasons = {
  local_fits: { en: 'The local engine has room: 21 of 35 in flight.', zh: '本地引擎有余量：处理中 21，溢出线 35。' },
  local_full: {
    en: 'The local engine is full (35 of 35); cloud-east answers in about 310 ms.',
    zh: '本地引擎已满（35 / 35），cloud-east 首字时延约 310 毫秒。',
  },
};

export class FakeBox {
  #server = createServer((request, response) => this.#answer(request, response));
  #streams = new Set();
  #status = status();
  #decisions = [];
  #last_id = 0;
  #beat = null;

  async start(port = 0) {
    await new Promise((done) => this.#server.listen(port, '127.0.0.1', done));
    this.#beat = setInterval(() => this.#send('status', { ...this.#status, time_ms: Date.now() }), kBeatMs);
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  set(status) {
    this.#status = status;
    this.#send('status', status);
  }

  decide(place, more = {}) {
    const reason = place == 'local' ? 'local_fits' : 'local_full';
    const decision = {
      id: ++this.#last_id, time_ms: Date.now(), model: 'qwen-72b', key: 'reports', verdict: 'send',
      node: place == 'local' ? 'gpu-server' : 'cloud-east', place, reason, words: kReasons[reason], ...more,
    };
    this.#decisions = [decision, ...this.#decisions].slice(0, 50);
    this.#send('decision', decision);
  }

  // The box goes away: streams break, the port refuses.
  async hang_up() {
    clearInterval(this.#beat);
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    this.#streams.clear();
    await closed;
  }

  #send(event, value) {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  async #answer(request, response) {
    response.setHeader('content-security-policy', kPolicy);
    response.setHeader('cache-control', 'no-store');
    const path = new URL(request.url, 'http://box').pathname;
    if (path == '/api/v1/status') return json(response, this.#status);
    if (path == '/api/v1/decisions') return json(response, { decisions: this.#decisions });
    if (path == '/api/v1/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 500\n\n');
      this.#streams.add(response);
      response.on('close', () => this.#streams.delete(response));
      return;
    }
    const name = path == '/' ? 'index.html' : path.slice(1);
    try {
      if (!/^[a-z]+\.(html|js|css)$/.test(name)) throw new Error('no such page');
      response.setHeader('content-type', kTypes[name.split('.').pop()]);
      response.end(await readFile(new URL(name, kDist)));
    } catch {
      response.writeHead(404).end();
    }
  }
}

function json(response, value) {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

// A burst of four minutes: demand rises over the line, one node fails for a while, demand falls.
function play(box) {
  const begin = Date.now();
  setInterval(() => {
    const t = ((Date.now() - begin) / 1000) % 240;
    const wanted = Math.round(t < 60 ? 6 + t * 0.3 : t < 170 ? 24 + 38 * Math.sin(((t - 60) / 110) * Math.PI) : 10 + 4 * Math.sin(t / 7));
    const failed = t > 190 && t < 215;
    const local = failed ? 0 : Math.min(wanted, 35);
    const cloud = wanted - local;
    const scene = status({ local, cloud, queue: cloud > 20 ? cloud - 20 : 0, done: [local * 3 + 2, cloud * 2] });
    if (failed) Object.assign(scene.nodes[0], { state: 'down', why: 'connection refused', ttft_ms_p50: null, tpot_ms_p50: null, age_ms: (t - 190) * 1000 });
    box.set(scene);
    box.decide(cloud && Math.random() < 0.5 ? 'cloud' : 'local');
  }, 700);
}

if (import.meta.url == pathToFileURL(process.argv[1] ?? '').href) {
  const at = process.argv.indexOf('--port');
  const box = new FakeBox();
  console.log('stand-in box at ' + (await box.start(at > 0 ? Number(process.argv[at + 1]) : 0)));
  play(box);
}
