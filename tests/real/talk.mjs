// One request at a time: what the engine can do, every kind of answer, every kind of refusal.
import OpenAI from 'openai';
import { burst, clientOf, failureOf, median, promptOf, streamed } from './exchanges.mjs';
import { engineFigures } from './observe.mjs';
import { fine, ms } from './report.mjs';
import { kModel, kSlots } from './world.mjs';

const kMeasureTokens = 64;
const kTpotSlack = 1.3;  // of the engine with every slot at work
const kTtftSlack = 3;
const kTtftMsMin = 300;
const kManyTimes = 6;  // breaker.failures and one more

// The engine alone, without the daemon: its pace decides which service level is fair.
export async function measure(world, report) {
  report.say('the engine alone:');
  const client = clientOf(world.engine, 'none', 3);
  await streamed(client, kModel, 0, 8);
  const one = await streamed(client, kModel, 1, kMeasureTokens);
  const full = await burst(client, kModel, 2, kSlots, kMeasureTokens);
  const tpot = median(full.map((answer) => answer.tpotMs));
  const ttft = median(full.map((answer) => answer.ttftMs));
  report.note('engine_alone', { one_tpot_ms: one.tpotMs, full_tpot_ms: tpot, full_ttft_ms: ttft },
    `one stream: TTFT ${ms(one.ttftMs)}, TPOT ${fine(one.tpotMs)}; ` +
    `${kSlots} streams: TTFT ${ms(ttft)}, TPOT ${fine(tpot)}`);
  world.figuresBefore = await engineFigures(world.engine);
  const level = {
    ttftMs: Math.round(Math.max(kTtftMsMin, kTtftSlack * ttft)),
    tpotMs: Math.ceil(kTpotSlack * tpot),
  };
  report.note('service_level', level,
    `service level from that: TTFT ${level.ttftMs} ms, TPOT ${level.tpotMs} ms`);
  return level;
}

export async function plainAnswers(world, client, report, tally) {
  report.say('answers:');
  const models = (await client.models.list()).data;
  report.check('the model list names the model once, at home',
    models.length === 1 && models[0].id === kModel && models[0].sluice_place === 'local',
    models.map((model) => model.id).join(' '));

  const { data: whole, response } = await client.chat.completions.create(
    { model: kModel, messages: promptOf(20), max_tokens: 24 }).withResponse();
  const node = response.headers.get('x-sluice-node');
  tally.answers.push({ node, usage: whole.usage });
  report.check('a chat in one piece is answered at home',
    node === 'home' && whole.choices[0].message.content.length > 0 &&
    whole.usage.completion_tokens === 24 && whole.choices[0].finish_reason === 'length',
    `"${whole.choices[0].message.content.replaceAll('\n', ' ').slice(0, 40)}..."`);

  const flow = await streamed(client, kModel, 21, 48);
  tally.answers.push(flow);
  report.check('a streamed chat arrives token by token, usage last',
    flow.node === 'home' && flow.pieces > 24 && flow.usage?.completion_tokens === 48,
    `${flow.pieces} pieces, TTFT ${ms(flow.ttftMs)}, TPOT ${fine(flow.tpotMs)}`);

  const bare = await client.chat.completions.create(
    { model: kModel, messages: promptOf(22), max_tokens: 16, stream: true }).withResponse();
  let usageSeen = false;
  let pieces = 0;
  for await (const chunk of bare.data) {
    usageSeen ||= Boolean(chunk.usage);
    pieces += chunk.choices[0]?.delta?.content ? 1 : 0;
  }
  tally.answers.push({ node: bare.response.headers.get('x-sluice-node'), usage: null });
  report.check('who does not ask for usage sees none', pieces > 8 && !usageSeen,
    `${pieces} pieces`);
}

export async function refusals(world, client, report, tally) {
  report.say('refusals:');
  const unknown = await failureOf(client.chat.completions.create(
    { model: 'no-such-model', messages: promptOf(23) }));
  report.check('an unknown model is a NotFoundError of the client',
    unknown instanceof OpenAI.NotFoundError && unknown.code === 'model_not_found',
    unknown?.message);

  const stranger = await failureOf(clientOf(world.api, 'sk-unknown').models.list());
  report.check('an unknown key is an AuthenticationError of the client',
    stranger instanceof OpenAI.AuthenticationError, stranger?.message);

  const ask = { model: kModel, input: 'water' };
  const engineSays = await failureOf(clientOf(world.engine, 'none', 3).embeddings.create(ask));
  let home = null;
  for (let i = 0; i < kManyTimes; ++i) {
    home = await failureOf(client.embeddings.create(ask,
      { headers: { 'x-sluice-data-class': 'home-only' } }));
  }
  report.check('embeddings that may not leave get the engine\'s own refusal',
    engineSays && home?.status === engineSays.status, `${home?.message}`);
  const state = (await world.status()).nodes.find((one) => one.name === 'home').state;
  report.check(`and after ${kManyTimes} of those the engine still counts as well`, state === 'up',
    state);
  const embedded = await client.embeddings.create(ask).withResponse().catch((error) => ({ error }));
  const node = embedded.response?.headers.get('x-sluice-node');
  report.note('embeddings', { node: node ?? null, status: embedded.error?.status ?? 200 },
    `embeddings that may leave: ${node ? `answered by ${node}` : embedded.error.message}`);
  if (node) tally.answers.push({ node, usage: embedded.data.usage });
}
