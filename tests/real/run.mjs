// The daemon in front of a real engine, asked by the official client. See README.md.
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import { clientOf } from './exchanges.mjs';
import { Report } from './report.mjs';
import { kModel, kSlots, World } from './world.mjs';
import { measure, plainAnswers, refusals } from './talk.mjs';
import { learn, overflow, returnHome } from './flood.mjs';
import { books, cancellation, replay } from './books.mjs';

const kRunSecondsMax = 350;

const { values: options } = parseArgs({
  options: {
    engine: { type: 'string' },
    model: { type: 'string' },
    build: { type: 'string' },
    folder: { type: 'string', default: '/tmp/sluice-real' },
    json: { type: 'string' },
  },
});

function introduce(report) {
  const version = JSON.parse(readFileSync(
    new URL('node_modules/openai/package.json', import.meta.url))).version;
  const machine = `${cpus().length} x ${cpus()[0].model.trim()}`;
  report.note('date', new Date().toISOString());
  report.note('machine', machine);
  report.note('load_before', loadavg()[0]);
  report.say(`${report.facts.date.slice(0, 10)}, ${machine}, load ${loadavg()[0].toFixed(1)} ` +
    'before the run');
  report.say(`engine: llama.cpp's server, ${kModel} (Q4_1), ${kSlots} slots, no accelerator; ` +
    `cloud: testbed-engine; client: openai ${version} on Node ${process.versions.node}`);
}

async function tell(world, report) {
  introduce(report);
  await world.startEngine();
  await world.startCloud();
  const level = await measure(world, report);
  await world.startDaemon(level);
  const client = clientOf(world.api, world.key);
  const tally = { answers: [] };  // every answer that ended well, for the books
  await plainAnswers(world, client, report, tally);
  await refusals(world, client, report, tally);
  await learn(world, client, report, tally);
  await overflow(world, client, report, tally, level);
  await returnHome(world, client, report, tally);
  const before = await books(world, report, tally);
  await cancellation(world, client, report, before);
  await replay(world, report);
}

async function main() {
  const report = new Report();
  const world = new World(options, `${options.folder}-${process.pid}`);
  const late = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`not done after ${kRunSecondsMax} s`)),
      kRunSecondsMax * 1000).unref();
  });
  try {
    await Promise.race([tell(world, report), late]);
  } catch (error) {
    report.check('the run comes to its end', false, error.stack);
  }
  await world.end();
  const code = report.end(options.json);
  if (code !== 0) report.say(`the programs' logs: ${world.folder}`);
  else world.remove();
  process.exit(code);
}

main();
