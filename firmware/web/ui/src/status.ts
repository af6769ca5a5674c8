// The shapes of /api/v1 as the daemon writes them, and what follows from one status alone.

export type Place = 'local' | 'cloud';

export interface Node {
  name: string;
  place: Place;
  engine: string;
  state: 'up' | 'slow_start' | 'probing' | 'down' | 'unknown' | 'disabled';
  why: string;
  in_flight: number;
  line: number; // 0: no limit known
  running: number | null;
  waiting: number | null;
  kv_usage: number | null;
  ttft_ms_p50: number | null;
  tpot_ms_p50: number | null;
  age_ms: number | null;
  models: string[];
  advice?: { en: string; zh: string }; // what to set in the engine
  lost?: { field: string; name: string; gone_ms: number }[]; // what it told once
  step?: {
    base_us: number;
    per_seq_us: number;
    per_kv_token_us: number;
    prefill_us_per_token: number;
    chunk_tokens: number;
    sequences_max: number;
    spread: number;
  };
}

// One value of an accelerator; null: nobody tells it, and `source` says why.
export interface Figure {
  value: number | null;
  source: string;
  age_ms: number | null;
  confidence: 'told' | 'derived' | 'learnt' | 'stale' | 'absent';
}

const kFigures = ['busy', 'memory_used_bytes', 'memory_total_bytes', 'power_w', 'temperature_c', 'health'] as const;

export type Accelerator = { id: string; name: string; vendor: string; trouble: string } & Record<
  (typeof kFigures)[number],
  Figure
>;

export interface AcceleratorSource {
  source: string;
  driver: string;
  state:
    | 'waiting' | 'answers' | 'silent' | 'unrecognised' | 'no_device' | 'no_library' | 'library_too_old'
    | 'driver_not_running' | 'not_supported' | 'not_allowed' | 'broken';
  why: string;
  age_ms: number | null;
  devices: Accelerator[];
  more: number; // devices that are not listed
}

// Of the newest of its figures; infinite if nobody tells one.
export const age_of = (a: Accelerator) => Math.min(...kFigures.map((name) => a[name].age_ms ?? Infinity));

export const is_stale = (a: Accelerator) =>
  kFigures.every((name) => a[name].value == null || a[name].confidence == 'stale');

type Words = { en: string; zh: string };

export interface Path {
  name: string;
  state: 'down' | 'starting' | 'good' | 'degraded' | 'suspect' | 'dead';
  mtu: number;
  metered: boolean;
  trouble?: Words;
  quality?: { rtt_ms: number; jitter_ms: number; loss_out: number; loss_back: number };
}

export interface Switch {
  time_ms: number;
  traffic: 'interactive' | 'bulk';
  from: string;
  to: string;
  gap_ms: number;
  why: Words;
}

export interface Tunnel {
  on: boolean;
  network: string;
  paths: Path[];
  classes: { traffic: 'interactive' | 'bulk'; path: string; carries: boolean }[];
  switches: Switch[]; // newest last
  findings: Words[]; // what is wrong, and what to do
}

export interface Status {
  version: string;
  time_ms: number;
  uptime_s: number;
  valve: { overflow: 'auto' | 'off'; hold: 'auto' | 'off'; open: boolean };
  water: { level: number; in_flight: number; line: number }; // line 0: no local node
  share: {
    window_s: number;
    local_requests: number;
    cloud_requests: number;
    local_tokens: number;
    cloud_tokens: number;
    cloud_cost: number;
    currency: string;
  };
  queue: { length: number; length_max: number };
  nodes: Node[];
  tunnel?: Tunnel; // once the box has joined a compute network
  accelerators?: AcceleratorSource[]; // what the box's own page tells; an older box none
}

export interface Decision {
  id: number;
  time_ms: number;
  model: string;
  key: string;
  verdict: 'send' | 'hold' | 'refuse';
  node: string;
  place: Place;
  reason: string;
  words: { en: string; zh: string };
}

// What the sentence on top says; the words are in words.ts.
export type Story =
  | 'waiting' | 'empty' | 'cloud_only' | 'silent' | 'stuck'
  | 'full' | 'brim' | 'shared' | 'here' | 'idle';

export const at = (s: Status, place: Place) =>
  s.nodes.filter((n) => n.place == place && n.state != 'disabled');

export const is_down = (n: Node) => n.state == 'down' || n.state == 'probing';

export const cloud_in_flight = (s: Status) =>
  at(s, 'cloud').reduce((sum, n) => sum + n.in_flight, 0);

// The water stands at or over the line: either the local engines hold as much as they may, or what
// they hold together with what overflowed would be more than that.
export const is_over = (s: Status) =>
  s.water.line > 0 &&
  (s.water.level >= 1 || s.water.in_flight + cloud_in_flight(s) >= s.water.line);

export function story(s: Status): Story {
  const local = at(s, 'local');
  const cloud = at(s, 'cloud');
  const taken = s.share.cloud_requests > 0;
  if (!local.length) return cloud.length ? 'cloud_only' : 'empty';
  if (local.every((n) => n.state == 'unknown')) return 'waiting';
  if (local.every(is_down))
    return s.valve.overflow == 'auto' && cloud.some((n) => !is_down(n)) ? 'silent' : 'stuck';
  if (is_over(s)) return taken ? 'full' : 'brim';
  if (taken) return 'shared';
  return s.share.local_requests || s.water.in_flight ? 'here' : 'idle';
}
