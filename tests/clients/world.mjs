// A box between clients and engines for one file of tests: stand-ins, the daemon, a key; all ended
// and removed by close().
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as nodeTest } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { sluiced, admin } from '../real/observe.mjs';
import { Programs } from '../real/programs.mjs';

export const kModel = 'demo';
const kUpMsMax = 15_000;
const kTestMsMax = 45_000;
export const kQuick = ['--base-ms', '1', '--per-seq-ms', '0.02', '--prefill-tps', '0',
  '--output-tokens', '12'];
export const kEndpoints = ['chat_completions', 'completions', 'embeddings', 'responses', 'messages',
  'messages_count_tokens', 'rerank', 'audio_transcriptions', 'audio_translations', 'audio_speech',
  'images_generations', 'images_edits'];

export const build = process.env.SLUICE_BUILD ??
  (() => { throw new Error('start these tests with tests/clients/run BUILD_DIR'); })();

// A client that waits for ever fails its own test only.
export const test = (name, what) => nodeTest(name, { timeout: kTestMsMax }, what);

// Once `condition` gives something true, that; an error when it never does.
export async function until(condition, what, msMax = 5000) {
  for (const end = Date.now() + msMax; ; await wait(10)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${msMax} ms: ${what}`);
  }
}

// What a promise fails with; an error if it does not.
export async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

class Engine {
  constructor(name, address) {
    this.name = name;
    this.address = address;
    this.url = `http://${address}`;
  }

  async counters() { return (await fetch(`${this.url}/testbed/counters`)).json(); }

  async faults(wish) {
    const answer = await fetch(`${this.url}/testbed/faults`,
      { method: 'POST', body: JSON.stringify({ clear: true, ...wish }) });
    if (!answer.ok) throw new Error(await answer.text());
  }

  heal() { return this.faults({}); }
}

export class World {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'sluice-clients-'));
    this.programs = new Programs(this.folder);
    this.config = join(this.folder, 'sluice.yaml');
    this.engines = [];
  }

  // engines: [{name, place, args, node}], the first of them local unless it says otherwise.
  static async open(engines = [{}], settings = {}) {
    const world = new World();
    try {
      for (const one of engines) await world.startEngine(one);
      await world.startBox(engines, settings);
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  get engine() { return this.engines[0]; }

  async startEngine({ name = 'gpu', args = kQuick }) {
    const [, address] = await this.programs.start(name, join(build, 'testbed-engine'),
      ['--model', kModel, '--name', name, ...args], /listening on (\S+)/, 10);
    this.engines.push(new Engine(name, address));
  }

  async startBox(engines, settings) {
    const nodes = engines.map((one, i) => ({
      name: this.engines[i].name, place: one.place ?? (i === 0 ? 'local' : 'cloud'),
      engine: 'vllm', url: this.engines[i].url, models: [{ name: kModel }],
      endpoints: kEndpoints, ...one.node,
    }));
    const state = join(this.folder, 'state');
    writeFileSync(this.config, JSON.stringify({
      listen: { api: '127.0.0.1:0', tls: 'off', page: 'off' }, state_dir: state,
      sense: { scrape_ms: 100, scrape_timeout_ms: 80, lease_ms: 300, probe_ms: 300 },
      breaker: { failures: 1000 }, nodes, ...settings,
    }));
    this.key = await this.addKey('clients');
    const [, api, socket] = await this.programs.start('sluiced', join(build, 'sluiced'),
      ['--config', this.config, 'serve'], /ready api=(\S+) .*admin=(\S+)/, 15);
    this.api = `http://${api}`;
    this.socket = socket;
    await this.settled();
  }

  async addKey(name, ...options) {
    const made = await sluiced(join(build, 'sluiced'), this.config, 'key', 'add', name, ...options);
    if (made.code !== 0) throw new Error(`key add: ${made.text}`);
    return made.text.trim();
  }

  nodes() { return admin(this.socket, '/api/v1/status').then((status) => status.nodes); }

  // Every node is up and nothing is in flight.
  settled() {
    return until(async () => (await this.nodes()).every(
      (node) => node.state === 'up' && node.in_flight === 0), 'the nodes are up and free', kUpMsMax);
  }

  // What the ledger holds, once it has so many attempts.
  ledger(attempts) {
    return until(async () => {
      const told = await sluiced(join(build, 'sluiced'), this.config,
        'usage', '--by', 'node', '--format', 'json');
      const rows = JSON.parse(told.text).usage;
      return rows.reduce((sum, row) => sum + row.attempts, 0) >= attempts ? rows : null;
    }, `the ledger has ${attempts} attempts`, kUpMsMax);
  }

  async close() {
    await this.programs.endAll();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
