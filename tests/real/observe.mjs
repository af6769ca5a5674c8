// What the engine and the daemon say of themselves, apart from the answers to clients.
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';

const run = promisify(execFile);

// The figures of a Prometheus page that stand without labels.
export function figuresOf(page) {
  const figures = {};
  for (const line of page.split('\n')) {
    const match = line.match(/^([a-z_:]+) ([-+0-9.e]+)$/i);
    if (match) figures[match[1].replace(/^llamacpp:/, '')] = Number(match[2]);
  }
  return figures;
}

export async function engineFigures(origin) {
  const answer = await fetch(`${origin}/metrics`);
  if (!answer.ok) throw new Error(`the engine's /metrics answers ${answer.status}`);
  return figuresOf(await answer.text());
}

// How many of the engine's slots are at work, by its own page of slots.
export async function busySlots(origin) {
  const slots = await (await fetch(`${origin}/slots`)).json();
  return slots.filter((slot) => slot.is_processing).length;
}

// GET on the daemon's admin socket, as JSON.
export function admin(socketPath, path) {
  return new Promise((resolve, reject) => {
    const ask = request({ socketPath, path, headers: { host: 'localhost' } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => { text += part; });
      answer.on('error', reject);
      answer.on('end', () => {
        if (answer.statusCode === 200) return resolve(JSON.parse(text));
        return reject(new Error(`${path}: ${answer.statusCode} ${text}`));
      });
    });
    ask.on('error', reject);
    ask.end();
  });
}

// The command line of the daemon: {code, text}.
export async function sluiced(program, config, ...args) {
  try {
    const { stdout } = await run(program, ['--config', config, ...args]);
    return { code: 0, text: stdout };
  } catch (error) {
    return { code: error.code, text: `${error.stdout ?? ''}${error.stderr ?? ''}` };
  }
}
