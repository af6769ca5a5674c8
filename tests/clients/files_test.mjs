// Multipart through the box: boundary, fields and every byte of a file arrive as they were sent.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { listOf } from './same.mjs';
import { failureOf, kModel, test, World } from './world.mjs';
import { wordsOf } from './words.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const bytes = randomBytes(3 * 1024 * 1024 + 17);

let world;
let client;

before(async () => {
  world = await World.open();
  client = new OpenAI({ baseURL: `${world.api}/v1`, apiKey: world.key, maxRetries: 0 });
});
after(() => world.close());

const recording = () => toFile(bytes, 'water.wav', { type: 'audio/wav' });

test('a recording of some megabytes arrives to the byte, whole and streamed', async () => {
  const told = await client.audio.transcriptions.create(
    { model: kModel, file: await recording(), language: 'en', prompt: 'é' });
  assert.equal(told.text, wordsOf(`${sha256(bytes)}é`, 12));
  assert.deepEqual(told.testbed.files, [{ field: 'file', name: 'water.wav', type: 'audio/wav',
    bytes: bytes.length, sha256: sha256(bytes) }]);
  assert.equal(told.testbed.fields.language, 'en');
  const events = await listOf(await client.audio.transcriptions.create(
    { model: kModel, file: await recording(), stream: true }));
  assert.equal(events.at(-1).type, 'transcript.text.done');
  assert.equal(events.slice(0, -1).map((e) => e.delta).join(''), wordsOf(sha256(bytes), 12));
});

test('a translation and an edited picture too', async () => {
  const translated = await client.audio.translations.create(
    { model: kModel, file: await recording() });
  assert.equal(translated.text, wordsOf(sha256(bytes), 12));
  const edited = await client.images.edit({ model: kModel, prompt: 'wider',
    image: await toFile(bytes.subarray(0, 200_000), 'a.png', { type: 'image/png' }) });
  assert.equal(edited.testbed.files[0].sha256, sha256(bytes.subarray(0, 200_000)));
});

test('an unknown model in a form is told as in JSON', async () => {
  const error = await failureOf(client.audio.transcriptions.create(
    { model: 'no-such', file: await recording() }));
  assert.ok(error instanceof OpenAI.NotFoundError, `${error}`);
});
