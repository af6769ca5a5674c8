// openai (Node): every endpoint through the box says what the engine says.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before } from 'node:test';
import OpenAI from 'openai';
import { listOf, plain } from './same.mjs';
import { failureOf, kModel, test, World } from './world.mjs';
import { promptTokens, wordsOf } from './words.mjs';

const kPrompt = 'how high is the water? é';
const messages = [{ role: 'user', content: kPrompt }];
const tool = (name) => ({ type: 'function',
  function: { name, parameters: { type: 'object', properties: { query: { type: 'string' } } } } });
const tools = [tool('level'), tool('gate')];
const calling = (text) => ({ model: kModel, tools, max_tokens: 40,
  messages: [{ role: 'user', content: text }] });

let world;
let client;  // through the box
let direct;  // to the engine

before(async () => {
  world = await World.open();
  const of = (url, apiKey) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
  client = of(world.api, world.key);
  direct = of(world.engine.url, 'none');
});
after(() => world.close());

// The same request to both; what both say, with nothing that is a request's own.
async function both(ask) {
  const [boxed, bare] = [await ask(client), await ask(direct)];
  assert.deepEqual(plain(boxed), plain(bare));
  return boxed;
}
const bothStream = (ask) => both(async (one) => listOf(await ask(one)));

test('a whole chat has the text, the usage and the request id', async () => {
  const { data, response } = await client.chat.completions.create(
    { model: kModel, messages, max_tokens: 9 }).withResponse();
  assert.equal(data.choices[0].message.content, wordsOf(kPrompt, 9));
  assert.equal(data.choices[0].finish_reason, 'length');
  assert.deepEqual(data.usage, { prompt_tokens: promptTokens(kPrompt), completion_tokens: 9,
    total_tokens: promptTokens(kPrompt) + 9 });
  assert.equal(response.headers.get('x-sluice-node'), 'gpu');
  assert.equal(data._request_id, response.headers.get('x-request-id'));
  await both((one) => one.chat.completions.create({ model: kModel, messages, max_tokens: 9 }));
});

test('a stream has the same text in pieces, and usage exactly when it is asked for', async () => {
  const ask = { model: kModel, messages, max_tokens: 30, stream: true };
  const chunks = await listOf(await client.chat.completions.create(ask));
  assert.equal(chunks.map((c) => c.choices[0]?.delta?.content ?? '').join(''),
    wordsOf(kPrompt, 30));
  assert.equal(chunks.filter((c) => c.usage || c.choices.length === 0).length, 0);
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'length');
  const asked = await bothStream((one) => one.chat.completions.create(
    { ...ask, stream_options: { include_usage: true } }));
  assert.equal(asked.filter((c) => c.usage).length, 1);
  assert.equal(asked.at(-1).usage.completion_tokens, 30);
});

test('several choices keep their index, whole and streamed', async () => {
  const ask = { model: kModel, messages, max_tokens: 7, n: 3 };
  const whole = await both((one) => one.chat.completions.create(ask));
  assert.deepEqual(whole.choices.map((c) => c.index), [0, 1, 2]);
  assert.equal(whole.usage.completion_tokens, 21);
  const chunks = await bothStream((one) => one.chat.completions.create({ ...ask, stream: true,
    stream_options: { include_usage: true } }));
  const texts = ['', '', ''];
  for (const { choices: [choice] } of chunks) {
    if (choice) texts[choice.index] += choice.delta.content;
  }
  assert.deepEqual(texts, whole.choices.map((c) => c.message.content));
});

test('what a vendor adds passes: logprobs, reasoning, tier, fingerprint, obfuscation', async () => {
  const ask = { model: kModel, messages, max_tokens: 8, logprobs: true, testbed_reasoning: 3,
    testbed_fields: { service_tier: 'default', system_fingerprint: 'fp_7', future: [1.5, null] } };
  const whole = await both((one) => one.chat.completions.create(ask));
  assert.equal(whole.service_tier, 'default');
  assert.ok(whole.choices[0].message.reasoning_content);
  assert.equal(whole.choices[0].logprobs.content.length, 5);
  const chunks = await bothStream((one) => one.chat.completions.create(
    { ...ask, stream: true, stream_options: { include_usage: true, include_obfuscation: true } }));
  assert.ok(chunks.every((c) => c.obfuscation && c.future && c.system_fingerprint === 'fp_7'));
  assert.ok(chunks.some((c) => c.choices[0]?.delta.reasoning_content));
});

test('one tool call and parallel ones, whole and in fragments', async () => {
  for (const text of ['call gate', 'call level and call gate']) {
    const whole = await both((one) => one.chat.completions.create(calling(text)));
    assert.equal(whole.choices[0].finish_reason, 'tool_calls');
    const calls = whole.choices[0].message.tool_calls;
    assert.deepEqual(calls.map((c) => c.function.name),
      text.includes('level') ? ['level', 'gate'] : ['gate']);
    await bothStream((one) => one.chat.completions.create({ ...calling(text), stream: true,
      stream_options: { include_usage: true } }));
    const built = await client.beta.chat.completions.stream(
      { ...calling(text), stream: true }).finalChatCompletion();
    assert.deepEqual(built.choices[0].message.tool_calls.map((c) => c.function.arguments),
      calls.map((c) => c.function.arguments));
    for (const call of calls) assert.ok(JSON.parse(call.function.arguments).query);
  }
});

test('the client runs tools to the end', async () => {
  const asked = [];
  const runner = client.beta.chat.completions.runTools({ ...calling('call gate'), stream: true,
    tools: [{ type: 'function', function: { name: 'gate', parse: JSON.parse, description: 'a gate',
      parameters: { type: 'object', properties: {} },
      function: (args) => { asked.push(args); return 'it is open'; } } }] });
  const text = await runner.finalContent();
  assert.equal(asked.length, 1);
  assert.equal(text, wordsOf('call gateit is open', 40));
});

test('completions of the old kind, embeddings, models', async () => {
  const ask = { model: kModel, prompt: kPrompt, max_tokens: 6 };
  const whole = await both((one) => one.completions.create(ask));
  assert.equal(whole.choices[0].text, wordsOf(kPrompt, 6));
  await bothStream((one) => one.completions.create({ ...ask, stream: true, n: 2,
    stream_options: { include_usage: true } }));
  const embedded = await both((one) => one.embeddings.create(
    { model: kModel, input: ['one', 'two'] }));
  assert.deepEqual(embedded.data.map((d) => d.embedding.length), [16, 16]);
  await both((one) => one.embeddings.create(
    { model: kModel, input: 'one', encoding_format: 'float' }));
  const listed = await client.models.list();
  assert.deepEqual(listed.data.map((m) => m.id), [kModel]);
});

test('responses: whole, streamed, and the conversation by its id', async () => {
  const ask = { model: kModel, instructions: 'be kind', input: kPrompt };
  const whole = await both((one) => one.responses.create(ask));
  assert.equal(whole.status, 'completed');
  assert.equal(whole.output_text, wordsOf(`be kind${kPrompt}`, 12));
  assert.equal(whole.usage.output_tokens, 12);
  const events = await bothStream((one) => one.responses.create({ ...ask, stream: true }));
  assert.deepEqual(events.slice(0, 4).map((e) => e.type), ['response.created',
    'response.in_progress', 'response.output_item.added', 'response.content_part.added']);
  assert.equal(events.at(-1).type, 'response.completed');
  assert.equal(events.filter((e) => e.type === 'response.output_text.delta').length, 12);
  const next = await client.responses.create(
    { model: kModel, input: 'and now?', previous_response_id: whole.id });
  assert.equal(next.output_text, wordsOf(`be kind${kPrompt}${whole.output_text}and now?`, 12));
  const lost = await failureOf(client.responses.create(
    { model: kModel, input: 'x', previous_response_id: 'resp_of_somebody_else' }));
  assert.ok(lost instanceof OpenAI.NotFoundError, `${lost}`);
});

test('responses call functions, in fragments too', async () => {
  const ask = { model: kModel, input: 'call level and call gate', max_output_tokens: 40,
    tools: tools.map((one) => ({ type: 'function', strict: false, ...one.function })) };
  const whole = await both((one) => one.responses.create(ask));
  assert.deepEqual(whole.output.map((o) => [o.type, o.name]),
    [['function_call', 'level'], ['function_call', 'gate']]);
  const built = await client.responses.stream(ask).finalResponse();
  assert.deepEqual(plain(built.output.map((o) => o.arguments)),
    whole.output.map((o) => o.arguments));
});

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

test('speech and images pass their bytes', async () => {
  const speech = { model: kModel, voice: 'alloy', input: 'tell me of the water, please' };
  const [boxed, bare] = await Promise.all([client, direct].map(async (one) =>
    Buffer.from(await (await one.audio.speech.create(speech)).arrayBuffer())));
  assert.equal(boxed.length, 7000);
  assert.equal(sha256(boxed), sha256(bare));
  const image = await both((one) => one.images.generate({ model: kModel, prompt: 'a gate' }));
  assert.ok(image.data[0].b64_json.length > 5000);
});
