// Requests by the official client, timed from outside.
import OpenAI from 'openai';
import { performance } from 'node:perf_hooks';

const kTopics = ['rivers', 'locks and weirs', 'harbours', 'windmills', 'bridges', 'lighthouses',
  'canals', 'wells', 'glaciers', 'tides', 'dams', 'springs', 'lakes', 'rain', 'ferries', 'swamps'];

// A prompt of its own for each number, so that the engine's prompt cache helps little.
export function promptOf(number) {
  return [{
    role: 'user',
    content: `(${number}) Tell a long story about ${kTopics[number % kTopics.length]}, ` +
      'with many details, and do not stop early.',
  }];
}

// Retries would hide what the daemon does; the engine alone closes connections that are kept.
export function clientOf(origin, apiKey, maxRetries = 0) {
  return new OpenAI({ baseURL: `${origin}/v1`, apiKey, maxRetries, timeout: 120_000 });
}

// One streamed chat. TPOT is the time between tokens after the first, on average.
// `leaveAfter`: hang up after so many pieces of text.
export async function streamed(client, model, number, tokens, { headers, leaveAfter } = {}) {
  const start = performance.now();
  const { data: stream, response } = await client.chat.completions.create({
    model,
    messages: promptOf(number),
    max_tokens: tokens,
    stream: true,
    stream_options: { include_usage: true },
  }, { headers }).withResponse();
  const seen = {
    node: response.headers.get('x-sluice-node'),
    text: '', pieces: 0, finish: null, usage: null, ttftMs: null, tpotMs: null,
  };
  let last = start;
  for await (const chunk of stream) {
    if (chunk.usage) seen.usage = chunk.usage;
    const choice = chunk.choices[0];
    if (choice?.finish_reason) seen.finish = choice.finish_reason;
    if (!choice?.delta?.content) continue;
    last = performance.now();
    seen.ttftMs ??= last - start;
    seen.text += choice.delta.content;
    if (++seen.pieces === leaveAfter) {
      stream.controller.abort();
      break;
    }
  }
  const count = (seen.usage?.completion_tokens ?? seen.pieces) - 1;
  if (count > 0) seen.tpotMs = (last - start - seen.ttftMs) / count;
  return seen;
}

// `count` streams at once, numbered from `first`.
export function burst(client, model, first, count, tokens, options = () => ({})) {
  return Promise.all(Array.from({ length: count }, (_, i) =>
    streamed(client, model, first + i, tokens, options(i))));
}

export async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return null;
}

export function median(values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
