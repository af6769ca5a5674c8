// The text that testbed-engine must have written for a prompt: tests/testbed/words.h told once more,
// so that a client's whole text can be compared with what it should be.
const kMask = (1n << 64n) - 1n;

function mix(value) {
  let v = (value + 0x9e3779b97f4a7c15n) & kMask;
  v = ((v ^ (v >> 30n)) * 0xbf58476d1ce4e5b9n) & kMask;
  v = ((v ^ (v >> 27n)) * 0x94d049bb133111ebn) & kMask;
  return v ^ (v >> 31n);
}

function seedOf(text) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & kMask;
  }
  return hash;
}

function word(seed, index) {
  const chance = mix(seed ^ mix(BigInt(index)));
  const hex = (chance >> 48n).toString(16);
  switch (chance % 32n) {
    case 0n: return ` \u00e9\u6f22${hex}`;
    case 1n: return ` \u{1F680}${hex}`;
    case 2n: return ` "q\\${hex}\n`;
    case 3n: return `\t\x01${hex}</\u2028>`;
    default: return ` w${hex}`;
  }
}

// Of the first choice; prompt is the text of all messages, in order.
export function wordsOf(prompt, count) {
  const seed = seedOf(prompt);
  return Array.from({ length: count }, (_, i) => word(seed, i)).join('');
}

export const promptTokens = (prompt) => Math.max(1, Math.floor(Buffer.byteLength(prompt) / 4));
