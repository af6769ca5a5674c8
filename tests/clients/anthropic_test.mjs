// @anthropic-ai/sdk against /v1/messages: spoken by the engine itself, then made of chat completions.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { listOf, plain } from './same.mjs';
import { failureOf, kModel, kQuick, test, until, World } from './world.mjs';
import { promptTokens, wordsOf } from './words.mjs';

const kPrompt = 'how high is the water? é';
const ask = { model: kModel, max_tokens: 9, system: 'be kind',
  messages: [{ role: 'user', content: kPrompt }] };
const text = wordsOf(`be kind${kPrompt}`, 9);
const tools = ['level', 'gate'].map((name) => ({ name, input_schema: { type: 'object' } }));
const calling = { model: kModel, max_tokens: 40, tools,
  messages: [{ role: 'user', content: 'call level, and call gate' }] };

let world;
let client;
let direct;

before(async () => {
  world = await World.open();
  client = new Anthropic({ baseURL: world.api, apiKey: world.key, maxRetries: 0 });
  direct = new Anthropic({ baseURL: world.engine.url, apiKey: 'none', maxRetries: 0 });
});
after(() => world.close());
afterEach(async () => {
  await world.engine.heal();
  await world.settled();
});

test('a whole message is the engine\'s', async () => {
  const message = await client.messages.create(ask);
  assert.deepEqual(plain(message), plain(await direct.messages.create(ask)));
  assert.equal(message.content[0].text, text);
  assert.equal(message.stop_reason, 'max_tokens');
  assert.equal(message.usage.input_tokens, promptTokens(`be kind${kPrompt}`));
  assert.equal(message.usage.output_tokens, 9);
});

test('a stream has every event in its order, and its usage at the end', async () => {
  const events = await listOf(await client.messages.create({ ...ask, stream: true }));
  assert.deepEqual(events, await listOf(await direct.messages.create({ ...ask, stream: true })));
  assert.deepEqual([...new Set(events.map((e) => e.type))], ['message_start',
    'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta',
    'message_stop']);
  assert.equal(events.at(-2).usage.output_tokens, 9);
  const final = await client.messages.stream(ask).finalMessage();
  assert.equal(final.content[0].text, text);
  assert.equal(final.usage.output_tokens, 9);
});

test('tools are called, whole and in fragments, and their results go back', async () => {
  const whole = await client.messages.create(calling);
  assert.equal(whole.stop_reason, 'tool_use');
  assert.deepEqual(whole.content.map((c) => c.name), ['level', 'gate']);
  const built = await client.messages.stream(calling).finalMessage();
  assert.deepEqual(built.content.map((c) => c.input), whole.content.map((c) => c.input));
  const next = await client.messages.create({ ...calling, max_tokens: 5, messages: [
    ...calling.messages, { role: 'assistant', content: whole.content },
    { role: 'user', content: whole.content.map((c) => (
      { type: 'tool_result', tool_use_id: c.id, content: 'open' })) }] });
  assert.equal(next.content[0].text, wordsOf('call level, and call gateopenopen', 5));
});

test('tokens are counted by the engine', async () => {
  const { max_tokens: _, ...rest } = ask;
  assert.deepEqual(plain(await client.messages.countTokens(rest)),
    { input_tokens: promptTokens(`be kind${kPrompt}`) });
});

test('refusals are the errors that the client knows, in their own shape', async () => {
  const stranger = new Anthropic({ baseURL: world.api, apiKey: 'sk-wrong', maxRetries: 0 });
  const unknown = await failureOf(stranger.messages.create(ask));
  assert.ok(unknown instanceof Anthropic.AuthenticationError, `${unknown}`);
  assert.deepEqual([unknown.error.type, unknown.error.error.type],
    ['error', 'authentication_error']);
  const model = await failureOf(client.messages.create({ ...ask, model: 'none' }));
  assert.ok(model instanceof Anthropic.NotFoundError, `${model}`);
  assert.equal(model.error.error.type, 'not_found_error');
  await world.engine.faults({ status529: 1 });
  const busy = await failureOf(client.messages.create(ask));
  assert.equal(busy.status, 529);
  assert.equal(busy.error.error.type, 'overloaded_error');
});

test('a stream that breaks off or tells an error throws', async () => {
  for (const fault of ['cut', 'reset', 'error_event']) {
    await world.engine.faults({ [fault]: 1, seed: 11 });
    const error = await failureOf(client.messages.stream({ ...ask, max_tokens: 40 })
      .finalMessage());
    assert.ok(error instanceof Anthropic.AnthropicError, `${fault}: ${error}`);
    await world.engine.heal();
    await world.settled();
  }
});

test('who leaves frees its place', async () => {
  const counted = await world.engine.counters();
  const stream = await client.messages.create({ ...ask, max_tokens: 5000, stream: true });
  for await (const event of stream) {
    if (event.type === 'content_block_delta') stream.controller.abort();
  }
  await until(async () => {
    const now = await world.engine.counters();
    return now.open === 0 && now.aborted_by_client === counted.aborted_by_client + 1;
  }, 'the engine has cancelled it', 500);
});

test('an engine without Messages answers them as chat completions', async () => {
  const chatOnly = await World.open([{ args: [...kQuick, '--endpoints', 'chat_completions'],
    node: { endpoints: ['chat_completions'] } }]);
  try {
    const box = new Anthropic({ baseURL: chatOnly.api, apiKey: chatOnly.key, maxRetries: 0 });
    const whole = await box.messages.create(ask);
    assert.deepEqual([whole.content, whole.stop_reason],
      [[{ type: 'text', text }], 'max_tokens']);
    assert.equal(whole.usage.input_tokens, promptTokens(`be kind${kPrompt}`));
    assert.equal(whole.usage.output_tokens, 9);
    const final = await box.messages.stream(ask).finalMessage();
    assert.equal(final.content[0].text, text);
    assert.equal(final.usage.output_tokens, 9);
    const called = await box.messages.create(calling);
    assert.equal(called.stop_reason, 'tool_use');
    assert.deepEqual(called.content.map((c) => [c.type, c.name, c.input.call]),
      [['tool_use', 'level', 0], ['tool_use', 'gate', 1]]);
    const streamed = await box.messages.stream(calling).finalMessage();
    assert.deepEqual(streamed.content.map((c) => [c.name, c.input]),
      called.content.map((c) => [c.name, c.input]));
    const next = await box.messages.create({ ...calling, max_tokens: 5, messages: [
      ...calling.messages, { role: 'assistant', content: called.content },
      { role: 'user', content: called.content.map((c) => (
        { type: 'tool_result', tool_use_id: c.id, content: 'open' })) }] });
    assert.equal(next.content[0].text, wordsOf('call level, and call gateopenopen', 5));
    await chatOnly.engine.faults({ cut: 1, seed: 11 });
    const broken = await failureOf(box.messages.stream({ ...ask, max_tokens: 40 }).finalMessage());
    assert.ok(broken instanceof Anthropic.AnthropicError, `${broken}`);
  } finally {
    await chatOnly.close();
  }
});
