// ai with @ai-sdk/openai-compatible: a parser of its own over fetch.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { failureOf, kModel, test, until, World } from './world.mjs';
import { promptTokens, wordsOf } from './words.mjs';

const kPrompt = 'how high is the water? é';

let world;
let provider;
const of = (apiKey) => createOpenAICompatible(
  { name: 'box', baseURL: `${world.api}/v1`, apiKey, includeUsage: true });

before(async () => {
  world = await World.open();
  provider = of(world.key);
});
after(() => world.close());
afterEach(() => world.engine.heal());

const ask = (more = {}) => ({ model: provider(kModel), prompt: kPrompt, maxOutputTokens: 9,
  maxRetries: 0, ...more });

test('generated and streamed text agree, with their usage', async () => {
  const whole = await generateText(ask());
  assert.equal(whole.text, wordsOf(kPrompt, 9));
  assert.equal(whole.usage.outputTokens, 9);
  assert.equal(whole.usage.inputTokens, promptTokens(kPrompt));
  const streamed = streamText(ask());
  const pieces = [];
  for await (const piece of streamed.textStream) pieces.push(piece);
  assert.equal(pieces.join(''), whole.text);
  assert.equal(pieces.length, 9);
  assert.equal((await streamed.usage).outputTokens, 9);
  assert.equal(await streamed.finishReason, 'length');
});

test('tools run in steps to the end', async () => {
  const asked = [];
  const one = (name) => tool({ description: name,
    inputSchema: z.object({ query: z.string(), call: z.number() }),
    execute: async (input) => { asked.push([name, input.call]); return 'open'; } });
  const result = streamText(ask({ prompt: 'call level and call gate', maxOutputTokens: 40,
    tools: { level: one('level'), gate: one('gate') }, stopWhen: stepCountIs(3) }));
  const text = await result.text;
  assert.deepEqual(asked.sort(), [['gate', 1], ['level', 0]]);
  assert.equal((await result.steps).length, 2);
  assert.equal(text, wordsOf('call level and call gateopenopen', 40));
});

test('embeddings come in order', async () => {
  const { embeddings } = await embedMany(
    { model: provider.textEmbeddingModel(kModel), values: ['one', 'two'], maxRetries: 0 });
  assert.deepEqual(embeddings.map((e) => e.length), [16, 16]);
});

test('a stranger is told so', async () => {
  const error = await failureOf(generateText(ask({ model: of('sk-wrong')(kModel) })));
  assert.ok(APICallError.isInstance(error), `${error}`);
  assert.equal(error.statusCode, 401);
});

test('a stream that breaks off or tells an error does not end well', async () => {
  for (const fault of ['cut', 'reset', 'error_event']) {
    await world.engine.faults({ [fault]: 1, seed: 11 });
    const errors = [];
    const result = streamText(ask({ maxOutputTokens: 40,
      onError: ({ error }) => errors.push(error) }));
    await result.consumeStream({ onError: (error) => errors.push(error) });
    assert.ok(errors.length > 0, fault);
    await world.engine.heal();
    await world.settled();
  }
});

test('who leaves frees its place', async () => {
  const counted = await world.engine.counters();
  const controller = new AbortController();
  const result = streamText(ask({ maxOutputTokens: 5000, abortSignal: controller.signal }));
  for await (const piece of result.textStream) {
    assert.ok(piece);
    controller.abort();
  }
  await until(async () => {
    const now = await world.engine.counters();
    return now.open === 0 && now.aborted_by_client === counted.aborted_by_client + 1;
  }, 'the engine has cancelled it', 500);
});
