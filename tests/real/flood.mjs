// Many requests at a time: what fits stays at home, the rest overflows, and afterwards it ends.
import { setTimeout as wait } from 'node:timers/promises';
import { burst, median, streamed } from './exchanges.mjs';
import { fine, ms } from './report.mjs';
import { kModel, kSlots } from './world.mjs';

const kTokens = 96;
const kBurst = 16;
const kHomeOnly = 2;  // of the burst: may not leave the site
const kSettleMs = 1500;

const counted = (answers, node) => answers.filter((answer) => answer.node === node);

// The daemon sees the engine under growing load and learns its pace.
export async function learn(world, client, report, tally) {
  report.say('growing load:');
  for (const [at, count] of [1, 2, 3, kSlots].entries()) {
    const answers = await burst(client, kModel, 100 + 10 * at, count, kTokens);
    tally.answers.push(...answers);
    const local = counted(answers, 'home');
    report.say(`  ${count} at once: ${local.length} at home, ` +
      `TPOT ${fine(median(local.map((answer) => answer.tpotMs)))}`);
    await wait(kSettleMs / 3);
  }
}

function describe(name, answers, level) {
  const kept = answers.filter((answer) =>
    answer.ttftMs <= level.ttftMs && (answer.tpotMs ?? 0) <= level.tpotMs).length;
  const facts = {
    requests: answers.length,
    tokens: answers.reduce((sum, answer) => sum + answer.usage.completion_tokens, 0),
    ttft_ms: median(answers.map((answer) => answer.ttftMs)),
    tpot_ms: median(answers.map((answer) => answer.tpotMs)),
    kept_level: kept,
  };
  const text = `${name.padEnd(9)} ${String(facts.requests).padStart(2)} streams, ` +
    `${String(facts.tokens).padStart(4)} tokens, TTFT ${ms(facts.ttft_ms)}, ` +
    `TPOT ${fine(facts.tpot_ms)}, ${kept} kept the service level`;
  return [facts, text];
}

function reasonsOf(decisions) {
  const reasons = {};
  for (const { node, verdict, reason } of decisions) {
    const name = `${verdict} ${node || '-'}: ${reason}`;
    reasons[name] = (reasons[name] ?? 0) + 1;
  }
  return reasons;
}

export async function overflow(world, client, report, tally, level) {
  await wait(kSettleMs);
  report.say(`${kBurst} streams at once, ${kHomeOnly} of them home-only:`);
  const last = Math.max(0, ...(await world.decisions()).map((decision) => decision.id));
  const flood = burst(client, kModel, 200, kBurst, kTokens, (i) =>
    (i < kBurst - kHomeOnly ? {} : { headers: { 'x-sluice-data-class': 'home-only' } }));
  await wait(kSettleMs / 3);
  const status = await world.status();
  const answers = await flood;
  tally.answers.push(...answers);
  const secret = answers.slice(kBurst - kHomeOnly);
  const open = answers.slice(0, kBurst - kHomeOnly);
  for (const [name, part] of [['home', counted(open, 'home')], ['cloud', counted(open, 'cloud')],
    ['home-only', secret]]) {
    const [facts, text] = describe(name, part, level);
    report.note(`burst_${name}`, facts, text);
  }
  report.note('water', status.water,
    `half a second in: ${status.water.in_flight} in flight at home, line ${status.water.line}, ` +
    `${status.queue.length} wait`);
  const decisions = (await world.decisions()).filter((decision) => decision.id > last);
  report.note('reasons', reasonsOf(decisions));
  for (const [reason, times] of Object.entries(reasonsOf(decisions))) {
    report.say(`  decided ${times} x ${reason}`);
  }
  const away = decisions.find((decision) => decision.place === 'cloud');
  if (away) report.note('words', away.words.en, `e.g. "${away.words.en}"`);

  report.check('every stream of the burst is whole',
    answers.every((answer) => answer.finish && answer.usage?.completion_tokens > 0),
    `${answers.length} streams`);
  report.check('home takes a part, the cloud the rest',
    counted(open, 'home').length > 0 && counted(open, 'cloud').length > 0);
  report.check('what is home-only never leaves', counted(secret, 'home').length === kHomeOnly);
  report.check('home is never asked for more than it can do',
    status.water.in_flight <= Math.max(status.water.line, kSlots));
}

export async function returnHome(world, client, report, tally) {
  await wait(kSettleMs);
  const answer = await streamed(client, kModel, 300, 32);
  tally.answers.push(answer);
  report.check('after the burst the next request is at home again', answer.node === 'home');
}
