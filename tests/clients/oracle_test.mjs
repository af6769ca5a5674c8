// Two parsers that belong to no provider: undici for HTTP, eventsource-parser for events.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { createParser } from 'eventsource-parser';
import { Agent, request } from 'undici';
import { plain } from './same.mjs';
import { kModel, test, World } from './world.mjs';

let world;
let agent;
before(async () => {
  world = await World.open();
  agent = new Agent({ connections: 1, pipelining: 1 });  // one connection, used again and again
});
after(async () => {
  await agent.close();
  await world.close();
});

async function eventsOf(origin, path, body) {
  const answer = await request(`${origin}${path}`, { method: 'POST', dispatcher: agent,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${world.key}` },
    body: JSON.stringify(body) });
  const events = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const parsed = data.startsWith('{') ? plain(JSON.parse(data)) : data;
      events.push({ event, data: parsed });
    },
    onError: (error) => { throw error; },
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const piece of answer.body) parser.feed(decoder.decode(piece, { stream: true }));
  decoder.decode();
  return { status: answer.statusCode, type: answer.headers['content-type'], events };
}

const messages = [{ role: 'user', content: 'tell me of the water' }];

test('every kind of stream has the events that the engine sent, on one connection', async () => {
  const asks = {
    '/v1/chat/completions': { model: kModel, messages, n: 2, stream: true, max_tokens: 60,
      stream_options: { include_usage: true } },
    '/v1/completions': { model: kModel, prompt: 'x', stream: true, max_tokens: 60,
      stream_options: { include_usage: true } },
    '/v1/responses': { model: kModel, input: 'tell', stream: true, max_output_tokens: 60 },
    '/v1/messages': { model: kModel, messages, stream: true, max_tokens: 60 },
  };
  for (const [path, body] of Object.entries(asks)) {
    for (let round = 0; round < 3; ++round) {
      const [boxed, bare] = [await eventsOf(world.api, path, body),
        await eventsOf(world.engine.url, path, body)];
      assert.equal(boxed.status, 200);
      assert.ok(boxed.events.length > 60, path);
      assert.deepEqual(boxed, bare);
    }
  }
});
