// The programs of the run: each is started, waited for until it says where it listens, and ended.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

const kPollMs = 50;
const kEndMsMax = 5000;

export class Programs {
  constructor(folder) {
    this.folder = folder;
    this.running = [];
  }

  // Resolves with the match of `ready` in what the program prints.
  async start(name, command, args, ready, secondsMax, env = {}) {
    const file = `${this.folder}/${name}.log`;
    const log = openSync(file, 'w');
    const child = spawn(command, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    const program = { name, child, failed: null };
    child.on('error', (error) => { program.failed = error.message; });
    this.running.push(program);
    const deadline = Date.now() + secondsMax * 1000;
    while (Date.now() < deadline) {
      const match = readFileSync(file, 'utf8').match(ready);
      if (match) return match;
      if (program.failed || child.exitCode !== null) break;
      await wait(kPollMs);
    }
    const end = readFileSync(file, 'utf8').split('\n').slice(-15).join('\n');
    throw new Error(`${name} did not start: ${program.failed ?? ''}\n${end}`);
  }

  // Asked to end in the order opposite to the start; after kEndMsMax ended.
  async endAll() {
    for (const { child } of this.running.reverse()) {
      if (child.exitCode !== null || child.pid === undefined) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), kEndMsMax);
      await gone;
      clearTimeout(late);
    }
    this.running = [];
  }
}
