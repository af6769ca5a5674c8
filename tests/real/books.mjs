// Three books must agree: what clients were told, the ledger, and the engine's own counters.
import { readdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { performance } from 'node:perf_hooks';
import { streamed } from './exchanges.mjs';
import { busySlots, engineFigures, sluiced } from './observe.mjs';
import { kModel } from './world.mjs';

const kFreeMsMax = 2000;
const kStrayTokensMax = 8;  // made by the engine before it heard that the client had left

const growth = (now, before, name) => now[name] - before[name];

export async function books(world, report, tally) {
  report.say('books:');
  const rows = await world.usage(tally.answers.length);
  const figures = await engineFigures(world.engine);
  const engine = {
    out: growth(figures, world.figuresBefore, 'tokens_predicted_total'),
    prompt: growth(figures, world.figuresBefore, 'prompt_tokens_total'),
  };
  const { home, cloud } = rows;
  report.note('ledger', rows);
  report.note('engine_counters', engine);
  report.say(`  ledger, home: ${home.requests} requests in ${home.attempts} attempts, ` +
    `${home.in_tokens} prompt tokens (${home.cached_tokens} cached), ` +
    `${home.out_tokens} answer tokens`);
  report.say(`  engine:       ${engine.prompt} prompt tokens computed, ${engine.out} answer tokens`);
  report.say(`  ledger, cloud: ${cloud?.requests ?? 0} requests, ${cloud?.out_tokens ?? 0} answer ` +
    `tokens, ${((cloud?.cost_nano ?? 0) / 1e9).toFixed(6)} ${cloud?.currency ?? ''}`);
  report.check('the ledger\'s answer tokens are the engine\'s', home.out_tokens === engine.out,
    `${home.out_tokens} and ${engine.out}`);
  report.check('the ledger\'s prompt tokens, less the cached, are the engine\'s',
    home.in_tokens - home.cached_tokens === engine.prompt,
    `${home.in_tokens - home.cached_tokens} and ${engine.prompt}`);
  const told = tally.answers.filter((answer) => answer.node === 'cloud')
    .reduce((sum, answer) => sum + (answer.usage.completion_tokens ?? 0), 0);
  report.check('the ledger\'s cloud tokens are what clients were told',
    (cloud?.out_tokens ?? 0) === told, `${cloud?.out_tokens ?? 0} and ${told}`);
  return { rows, figures, requests: tally.answers.length };
}

// A client that leaves must cost the engine nothing more.
export async function cancellation(world, client, report, before) {
  report.say('a client leaves in the middle of its stream:');
  const pieces = 12;
  await streamed(client, kModel, 400, 1800, { leaveAfter: pieces });
  const left = performance.now();
  let free = null;
  while (free === null && performance.now() - left < kFreeMsMax) {
    if (await busySlots(world.engine) === 0) free = performance.now() - left;
    else await wait(10);
  }
  report.note('slot_free_ms', free);
  report.check('the engine\'s slot is free again', free !== null, `after ${Math.round(free)} ms`);
  const rows = await world.usage(before.requests + 1);
  const figures = await engineFigures(world.engine);
  const ledger = rows.home.out_tokens - before.rows.home.out_tokens;
  const engine = growth(figures, before.figures, 'tokens_predicted_total');
  report.note('cancelled_tokens', { client: pieces, ledger, engine });
  report.check('the ledger counts what passed before',
    ledger >= pieces && ledger - engine <= 0 && engine - ledger <= kStrayTokensMax,
    `client ${pieces}, ledger ${ledger}, engine ${engine} tokens`);
}

export async function replay(world, report) {
  report.say('replay:');
  const folder = `${world.folder}/state/decisions`;
  const journals = readdirSync(folder).sort().map((name) => `${folder}/${name}`);
  const { code, text } = await sluiced(world.daemon, world.config, 'replay', ...journals);
  report.check('every decision replays to the same plan', code === 0, text.trim());
}
