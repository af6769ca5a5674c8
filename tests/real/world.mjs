// The box of the run: the engine, the stand-in for the cloud, the daemon between them and clients.
import { cpus } from 'node:os';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { Programs } from './programs.mjs';
import { admin, sluiced } from './observe.mjs';
import { setTimeout as wait } from 'node:timers/promises';

export const kModel = 'smollm2-135m';
export const kSlots = 4;
const kContextTokens = 2048 * kSlots;
const kCloudKey = 'key-of-the-stand-in';
// Its threads spin while they wait for each other: one processor is left to all the others.
const kThreads = Math.max(1, cpus().length - 1);
const kUpMsMax = 30_000;
const kLedgerRestMs = 600;  // three times metering.commit_ms

// A short path: that of a local socket is bounded.
export class World {
  constructor(options, folder) {
    this.options = options;
    this.folder = folder;
    this.config = `${folder}/sluice.yaml`;
    this.socket = `${folder}/state/admin.sock`;
    this.daemon = `${options.build}/sluiced`;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    this.programs = new Programs(folder);
  }

  async startEngine() {
    [, this.engine] = await this.programs.start('engine', this.options.engine, [
      '--model', this.options.model, '--alias', kModel, '--host', '127.0.0.1', '--port', '0',
      '--parallel', `${kSlots}`, '--ctx-size', `${kContextTokens}`, '--threads', `${kThreads}`,
      '--metrics', '--slots',
    ], /listening on (http:\/\/\S+)/, 120);
    for (const end = Date.now() + kUpMsMax; Date.now() < end; await wait(100)) {
      if ((await fetch(`${this.engine}/health`)).ok) return;
    }
    throw new Error('the engine listens but does not get ready');
  }

  async startCloud() {
    const [, address] = await this.programs.start('cloud', `${this.options.build}/testbed-engine`, [
      '--model', kModel, '--metrics', 'none', '--api-key', kCloudKey, '--base-ms', '12',
    ], /listening on (\S+)/, 10);
    this.cloud = `http://${address}`;
  }

  async startDaemon(level) {
    writeFileSync(this.config, settings(this, level));
    const made = await sluiced(this.daemon, this.config, 'key', 'add', 'real');
    if (made.code !== 0) throw new Error(`key add: ${made.text}`);
    this.key = made.text.trim();
    const [, address] = await this.programs.start('sluiced', this.daemon,
      ['--config', this.config, 'serve'], /ready api=(\S+)/, 10, { CLOUD_KEY: kCloudKey });
    this.api = `http://${address}`;
    for (const end = Date.now() + kUpMsMax; Date.now() < end; await wait(100)) {
      const { nodes } = await this.status();
      if (nodes.every((node) => node.state === 'up' && node.models.includes(kModel))) return;
    }
    throw new Error(`the nodes do not come up: ${JSON.stringify(await this.status())}`);
  }

  status() { return admin(this.socket, '/api/v1/status'); }

  async decisions() { return (await admin(this.socket, '/api/v1/decisions')).decisions; }

  // The ledger's rows by node, once it holds `attempts` of them and rests.
  async usage(attempts) {
    let before = '';
    for (const end = Date.now() + kUpMsMax; Date.now() < end; await wait(kLedgerRestMs)) {
      const { text } = await sluiced(this.daemon, this.config,
        'usage', '--by', 'node', '--format', 'json');
      const rows = JSON.parse(text).usage;
      if (text === before && rows.reduce((sum, row) => sum + row.attempts, 0) >= attempts) {
        return Object.fromEntries(rows.map((row) => [row.node, row]));
      }
      before = text;
    }
    throw new Error(`the ledger does not come to rest: ${before}`);
  }

  end() { return this.programs.endAll(); }

  remove() { rmSync(this.folder, { recursive: true, force: true }); }
}

const settings = (world, level) => `\
listen:
  api: 127.0.0.1:0
  tls: "off"
  page: "off"
  admin_socket: ${world.socket}
state_dir: ${world.folder}/state
service_levels:
  - { name: default, ttft_ms: ${level.ttftMs}, tpot_ms: ${level.tpotMs} }
nodes:
  - { name: home, place: local, engine: llamacpp, url: "${world.engine}" }
  - name: cloud
    place: cloud
    engine: openai
    url: ${world.cloud}
    credential: { env: CLOUD_KEY }
    price: { input_per_million: 1, output_per_million: 4 }
`;
