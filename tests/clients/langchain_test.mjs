// @langchain/openai (over openai 5): invoke, stream, tools, embeddings, leaving.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { failureOf, kModel, test, until, World } from './world.mjs';
import { promptTokens, wordsOf } from './words.mjs';

const kPrompt = 'how high is the water? é';

let world;
before(async () => { world = await World.open(); });
after(() => world.close());

const modelOf = (more = {}) => new ChatOpenAI({ model: kModel, apiKey: world.key, maxTokens: 9,
  maxRetries: 0, configuration: { baseURL: `${world.api}/v1` }, ...more });

const tool = (name) => ({ type: 'function', function: { name, description: name,
  parameters: { type: 'object', properties: { query: { type: 'string' } } } } });

test('invoke and stream give the same text and the same usage', async () => {
  const whole = await modelOf().invoke(kPrompt);
  assert.equal(whole.content, wordsOf(kPrompt, 9));
  assert.equal(whole.usage_metadata.output_tokens, 9);
  assert.equal(whole.usage_metadata.input_tokens, promptTokens(kPrompt));
  let streamed = null;
  let pieces = 0;
  for await (const chunk of await modelOf().stream(kPrompt)) {
    streamed = streamed ? streamed.concat(chunk) : chunk;
    pieces += chunk.content ? 1 : 0;
  }
  assert.equal(pieces, 9);
  assert.equal(streamed.content, whole.content);
  assert.deepEqual(streamed.usage_metadata.output_tokens, 9);
});

test('without streamUsage no usage comes', async () => {
  for await (const chunk of await modelOf({ streamUsage: false }).stream(kPrompt)) {
    assert.equal(chunk.usage_metadata, undefined);
  }
});

test('tools are called, in fragments too, and their results go back', async () => {
  const model = modelOf({ maxTokens: 40 }).bindTools([tool('level'), tool('gate')]);
  const asked = new HumanMessage('call level and call gate');
  const whole = await model.invoke([asked]);
  assert.deepEqual(whole.tool_calls.map((call) => call.name), ['level', 'gate']);
  let streamed = null;
  for await (const chunk of await model.stream([asked])) {
    streamed = streamed ? streamed.concat(chunk) : chunk;
  }
  assert.deepEqual(streamed.tool_calls.map(({ name, args }) => ({ name, args })),
    whole.tool_calls.map(({ name, args }) => ({ name, args })));
  const end = await model.invoke([asked, whole, ...whole.tool_calls.map((call) =>
    new ToolMessage({ content: 'open', tool_call_id: call.id }))]);
  assert.equal(end.content, wordsOf('call level and call gateopenopen', 40));
});

test('the Responses API answers alike', async () => {
  const whole = await modelOf({ useResponsesApi: true, maxTokens: undefined }).invoke(kPrompt);
  assert.equal(whole.text, wordsOf(kPrompt, 12));
  assert.equal(whole.usage_metadata.output_tokens, 12);
});

test('embeddings have their numbers', async () => {
  const embeddings = new OpenAIEmbeddings({ model: kModel, apiKey: world.key,
    configuration: { baseURL: `${world.api}/v1` }, maxRetries: 0 });
  const [one, two] = await embeddings.embedDocuments(['one', 'two']);
  assert.equal(one.length, 16);
  assert.notDeepEqual(one, two);
  assert.deepEqual(await embeddings.embedQuery('one'), one);
});

test('a stranger is told so, and who leaves frees its place', async () => {
  const error = await failureOf(modelOf({ apiKey: 'sk-wrong' }).invoke(kPrompt));
  assert.equal(error.status, 401);
  const counted = await world.engine.counters();
  const controller = new AbortController();
  await failureOf((async () => {
    const stream = await modelOf({ maxTokens: 5000 }).stream(kPrompt,
      { signal: controller.signal });
    for await (const chunk of stream) if (chunk.content) controller.abort();
  })());
  await until(async () => {
    const now = await world.engine.counters();
    return now.open === 0 && now.aborted_by_client === counted.aborted_by_client + 1;
  }, 'the engine has cancelled it', 500);
});
