// Comparing what came through the box with what the engine says when asked directly: all but what
// differs from one request to the next.
const kOwn = new Set(['id', 'created', 'created_at', 'item_id', 'previous_response_id', 'boundary',
  '_request_id', 'request_id', 'response_metadata', 'responseId']);

export function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value)
    .filter(([key]) => !kOwn.has(key)).map(([key, inner]) => [key, plain(inner)]));
}

export async function listOf(stream) {
  const list = [];
  for await (const one of stream) list.push(plain(one));
  return list;
}
