// What the openai client makes of refusals, faults, limits, timeouts and its own leaving.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import OpenAI from 'openai';
import { failureOf, kModel, test, until, World } from './world.mjs';

const kPrompt = 'how high is the water?';
const ask = { model: kModel, messages: [{ role: 'user', content: kPrompt }], max_tokens: 10 };
const long = { ...ask, max_tokens: 5000, stream: true };
const kCancelMsMax = 500;

let world;

before(async () => {
  const far = { name: 'far', args: ['--base-ms', '1', '--prefill-tps', '0'] };
  world = await World.open([{}, far], { limits: { connect_ms_max: 1000 } });
});
after(() => world.close());
afterEach(async () => {
  await Promise.all(world.engines.map((engine) => engine.heal()));
  await world.settled();
});

const clientOf = (options = {}) => new OpenAI(
  { baseURL: `${world.api}/v1`, apiKey: world.key, maxRetries: 0, ...options });

async function received() {
  const counted = await Promise.all(world.engines.map((engine) => engine.counters()));
  return counted.map((counters) => counters.received);
}

// How many requests each engine saw while `doing`.
async function seenDuring(doing) {
  const before = await received();
  const result = await doing();
  const now = await received();
  return { result, seen: now.map((count, i) => count - before[i]) };
}

const allFail = (wish) => Promise.all(world.engines.map((engine) => engine.faults(wish)));

test('each refusal is the class of error that the client has for it', async () => {
  const unknown = await failureOf(clientOf({ apiKey: 'sk-wrong' }).chat.completions.create(ask));
  assert.ok(unknown instanceof OpenAI.AuthenticationError, `${unknown}`);
  assert.equal(unknown.code, 'invalid_api_key');
  const model = await failureOf(clientOf().chat.completions.create({ ...ask, model: 'none' }));
  assert.ok(model instanceof OpenAI.NotFoundError, `${model}`);
  assert.equal(model.code, 'model_not_found');
  const bad = await failureOf(clientOf().chat.completions.create({ ...ask, max_tokens: 0.5 }));
  assert.ok(bad instanceof OpenAI.BadRequestError, `${bad}`);
  for (const error of [unknown, model, bad]) assert.ok(error.request_id?.startsWith('req-') ||
    error.status === 401, `no request id: ${error}`);
});

test('a key over its limit is told when to come again', async () => {
  const apiKey = await world.addKey('slow', '--requests-per-minute', '1');
  const client = clientOf({ apiKey });
  await client.chat.completions.create(ask);
  const error = await failureOf(client.chat.completions.create(ask));
  assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
  assert.match(error.headers['retry-after'], /^[1-9]\d*$/);
});

test('the client does not multiply the attempts that the box has made', async () => {
  for (const fault of ['status503', 'status500', 'status429']) {
    await allFail({ [fault]: 1 });
    const { result, seen } = await seenDuring(() => failureOf(
      clientOf({ maxRetries: 2 }).chat.completions.create(ask)));
    assert.equal(result.headers['x-should-retry'], 'false');
    assert.deepEqual(seen, [1, 1], fault);
    await Promise.all(world.engines.map((engine) => engine.heal()));
    await world.settled();
  }
});

test('one node that fails costs the client nothing', async () => {
  for (const fault of ['status503', 'status500', 'status429', 'refuse']) {
    await world.engine.faults({ [fault]: 1 });
    const { result, seen } = await seenDuring(() => clientOf().chat.completions.create(ask));
    assert.equal(result.choices[0].finish_reason, 'length', fault);
    assert.equal(seen[1], 1, fault);
    await world.engine.heal();
    await world.settled();
  }
});

// With node-fetch 2, its default, this client waits for ever where the end comes with the last bytes.
test('an answer in one piece that breaks off throws, and at once', async () => {
  const client = clientOf({ fetch: globalThis.fetch });
  for (const fault of ['cut', 'reset']) {
    await allFail({ [fault]: 1, seed: 11 });
    const began = Date.now();
    const error = await failureOf(client.chat.completions.create(ask));
    assert.ok(!(error instanceof assert.AssertionError), `${fault}: ${error}`);
    assert.ok(Date.now() - began < 3000, `${fault}: the client waited ${Date.now() - began} ms`);
  }
});

test('a stream that breaks off throws, whatever breaks it', async () => {
  for (const fault of ['cut', 'reset', 'malformed', 'error_event']) {
    await allFail({ [fault]: 1, seed: 11 });
    const stream = await clientOf().chat.completions.create({ ...ask, max_tokens: 40,
      stream: true }).catch((error) => error);
    const error = stream instanceof Error ? stream : await failureOf((async () => {
      for await (const chunk of stream) assert.ok(chunk.choices);
    })());
    assert.ok(error instanceof OpenAI.APIError || error instanceof TypeError, `${fault}: ${error}`);
    assert.ok(!(error instanceof assert.AssertionError), `${fault}: ${error}`);
  }
});

test('who leaves in the middle of a stream frees its place at once', async () => {
  for (let round = 0; round < 3; ++round) {
    const controller = new AbortController();
    const counted = await world.engine.counters();
    const stream = await clientOf().chat.completions.create(long, { signal: controller.signal });
    let chunks = 0;
    for await (const chunk of stream) {
      assert.equal(chunk.object, 'chat.completion.chunk');
      if (++chunks === 5) controller.abort();
    }
    await until(async () => {
      const now = await world.engine.counters();
      return now.open === 0 && now.aborted_by_client === counted.aborted_by_client + 1;
    }, 'the engine has cancelled it', kCancelMsMax);
    await until(async () => (await world.nodes()).every((node) => node.in_flight === 0),
      'the box has nothing in flight', kCancelMsMax);
  }
});

test('who leaves before the answer begins frees its place too', async () => {
  const counted = await world.engine.counters();
  const controller = new AbortController();
  const asked = failureOf(clientOf().chat.completions.create(
    { ...ask, max_tokens: 5000 }, { signal: controller.signal }));
  await until(async () => (await world.engine.counters()).open === 1, 'it is being served');
  controller.abort();
  assert.ok(await asked instanceof OpenAI.APIUserAbortError);
  await until(async () => {
    const now = await world.engine.counters();
    return now.open === 0 && now.aborted_by_client === counted.aborted_by_client + 1;
  }, 'the engine has cancelled it', kCancelMsMax);
});

test('a client that waits no longer frees its place, and its own retries are as many as it says',
  async () => {
    await allFail({ hang: 1 });
    const { result, seen } = await seenDuring(() => failureOf(
      clientOf({ timeout: 400, maxRetries: 1 }).chat.completions.create(ask)));
    assert.ok(result instanceof OpenAI.APIConnectionTimeoutError, `${result}`);
    assert.equal(seen[0] + seen[1], 2);
    await until(async () => (await world.nodes()).every((node) => node.in_flight === 0),
      'the box has nothing in flight', kCancelMsMax);
  });

test('the ledger holds what the clients were told, to the token', async () => {
  const client = clientOf();
  const before = await world.ledger(1);
  const sum = (rows, member) => rows.reduce((total, row) => total + row[member], 0);
  const attempts = sum(before, 'attempts');
  const tokens = (await world.engine.counters()).tokens_generated;
  let out = 0;
  for (const more of [{}, { n: 2 }]) {
    out += (await client.chat.completions.create({ ...ask, ...more })).usage.completion_tokens;
    const stream = await client.chat.completions.create({ ...ask, ...more, stream: true });
    for await (const chunk of stream) assert.equal(chunk.usage ?? null, null);
    out += ask.max_tokens * (more.n ?? 1);
  }
  const now = await world.ledger(attempts + 4);
  assert.equal(sum(now, 'out_tokens') - sum(before, 'out_tokens'), out);
  assert.equal((await world.engine.counters()).tokens_generated - tokens, out);
});
