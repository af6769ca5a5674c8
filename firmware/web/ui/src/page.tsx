// The page: one sentence, one picture of the water, and the figures under it.
import { feed } from './feed';
import { area, past } from './history';
import { h, type ComponentChild as Child } from 'preact';
import {
  age_of, cloud_in_flight, is_down, is_over, is_stale, story,
  type Accelerator, type AcceleratorSource, type Decision, type Figure, type Node, type Path, type Place, type Status,
} from './status';
import { fill, type Language, type Words } from './words';

const kLostS = 3;
const kShownMax = 12;

interface Part {
  s: Status;
  w: Words;
  language: Language;
}

const dash = '–';
const of = (a: number, b: number, w: Words) => (b ? fill(w.of, { a, b }) : a);

function duration(ms: number | null, w: Words) {
  if (ms == null) return dash;
  const steps = [1000, 60, 60, 24];
  let i = 0;
  while (ms >= steps[i]) ms /= steps[i++];
  return (i == 1 && ms < 10 ? ms.toFixed(1) : Math.round(ms)) + w.units.split(',')[i];
}

const section = (id: string, title: string, ...children: Child[]) => (
  <section id={id}><h2>{title}</h2>{children}</section>
);

const row = (name: string, ...values: Child[]) => (
  <tr><th scope="row">{name}</th>{values.map((value) => <td>{value}</td>)}</tr>
);

const water = (kind: string, y: string, height: string) => <rect class={kind} width="100%" y={y} height={height} />;

function level({ s, w }: Part) {
  const { in_flight, line } = s.water;
  const cloud = cloud_in_flight(s);
  const top = past().reduce((most, p) => Math.max(most, p[2] * 1.1), Math.max(line * 1.25, 4));
  const tall = (n: number) => (n / top) * 100 + '%';
  const deep = (n: number) => tall(top - n);
  const figure = (kind: Place, value: string | number, name: string) => (
    <span><b class={kind}>{value}</b> {name}</span>
  );
  return section('level', w.level,
    <p class="big">
      {figure('local', of(in_flight, line, w), w.now_local)}
      {figure('cloud', cloud, w.now_cloud)}
    </p>,
    <svg class="basin" aria-hidden="true">
      <svg width="86%" viewBox="0 0 1000 100" preserveAspectRatio="none">
        {water('bed', '0', '100%')}
        <path class="cloud" d={area(2, top)} />
        <path class="local" d={area(1, top)} />
      </svg>
      <svg x="88%" width="12%">
        {water('bed', '0', '100%')}
        {water('cloud', deep(in_flight + cloud), tall(cloud))}
        {water('local', deep(in_flight), tall(in_flight))}
      </svg>
      {line > 0 && [
        <line x2="100%" y1={deep(line)} y2={deep(line)} />,
        <text x="8" y={deep(line)} dy="-7">{w.line} {line}</text>,
      ]}
    </svg>,
    <p class="ends"><span>{w.past}</span><span>{w.now}</span></p>,
  );
}

function share({ s: { share }, w, language }: Part) {
  const sum = share.local_requests + share.cloud_requests;
  const part = sum && Math.round((share.local_requests / sum) * 100);
  const number = (n: number, style?: Intl.NumberFormatOptions) => n.toLocaleString(language, style);
  const head = (place: Place, percent: number) => (
    <th scope="col" class={place}>{w[place]} {sum ? percent + '%' : ''}</th>
  );
  return section('share', fill(w.window, { s: share.window_s }),
    <svg class="bar">
      {water(sum ? 'cloud' : 'bed', '0', '100%')}
      <rect class="local" width={part + '%'} height="100%" />
    </svg>,
    <table>
      <thead><tr><td />{head('local', part)}{head('cloud', 100 - part)}</tr></thead>
      <tbody>
        {row(w.requests, number(share.local_requests), number(share.cloud_requests))}
        {row(w.tokens, number(share.local_tokens), number(share.cloud_tokens))}
        {row(w.cost, dash, number(share.cloud_cost, {
          style: 'currency',
          currency: share.currency,
          maximumFractionDigits: share.cloud_cost < 1 ? 4 : 2,
        }))}
      </tbody>
    </table>,
  );
}

const valve = ({ s, s: { valve, queue }, w }: Part) => section('valve', w.valve,
  <table>
    {row(w.state, valve.open || cloud_in_flight(s) ? w.open : w.closed)}
    {row(w.overflow, w[valve.overflow])}
    {row(w.holding, w[valve.hold])}
    {row(w.queue, of(queue.length, queue.length_max, w))}
  </table>,
);

const small = (text: string) => text && <small>{text}</small>;

type Column<Row> = [name: string, cell: (row: Row) => Child];

// Rows and cells get their roles again: shown as cards on a narrow screen, some browsers forget them.
const cards = <Row,>(id: string, title: string, columns: Column<Row>[], rows: Row[], after?: Child) =>
  section(id, title,
    <table class="cards">
      <thead><tr>{columns.map(([name]) => <th scope="col">{name}</th>)}</tr></thead>
      <tbody>
        {rows.map((row) => (
          <tr role="row">
            {columns.map(([name, cell]) => <td role="cell" data-name={name}><div>{cell(row)}</div></td>)}
          </tr>
        ))}
      </tbody>
    </table>,
    after,
  );

const clock = (ms: number, language: Language) =>
  new Date(ms).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });

const nodes = ({ s, w, language }: Part) =>
  cards<Node>('nodes', w.nodes, [
    [w.node, (n) => [<b>{n.name}</b>, small(n.engine)]],
    [w.place, (n) => <span class={n.place}>{w[n.place]}</span>],
    [w.state, (n) => [<span class={'dot ' + n.state}>{w[n.state]}</span>, small(n.why)]],
    [w.load, (n) => of(n.in_flight, n.line, w)],
    [w.ttft, (n) => duration(n.ttft_ms_p50, w)],
    [w.tpot, (n) => duration(n.tpot_ms_p50, w)],
    [w.age, (n) => n.age_ms == null ? dash : fill(w.ago, { t: duration(n.age_ms, w) })],
  ], s.nodes, s.nodes.map((n) => [
    (n.lost ?? []).map((lost) => (
      <p class="advice">
        {fill(w.gone, { node: n.name, engine: n.engine, name: lost.name, time: clock(s.time_ms - lost.gone_ms, language) })}
      </p>
    )),
    n.advice && <p class="advice">{n.name}: {n.advice[language]}</p>,
  ]));

// A device, or a source that has told of none.
interface Card {
  from: AcceleratorSource;
  a?: Accelerator;
}

function card_state({ from, a }: Card, w: Words) {
  const [dot, word, why] =
    from.state == 'waiting' ? ['unknown', w.unknown, '']
    : from.state == 'silent' ? ['down', w.down, from.why]
    : from.state != 'answers' ? ['down', w[from.state], from.why]
    : a?.health.value == 0 ? ['down', w.unwell, a.trouble]
    : a && is_stale(a) ? ['probing', w.stale, '']
    : ['up', w.well, ''];
  return [<span class={'dot ' + dot}>{word}</span>, small(why)];
}

function accelerators({ s, w }: Part) {
  const sources = s.accelerators ?? [];
  const rows = sources.flatMap((from): Card[] => from.devices.length ? from.devices.map((a) => ({ from, a })) : [{ from }]);
  const told = (f: Figure | undefined, show: (n: number) => string) =>
    f && <span title={f.source}>{f.value == null ? dash : (f.confidence == 'derived' ? '≈ ' : '') + show(f.value)}</span>;
  const gib = (n: number) => (n / 2 ** 30).toFixed(1);
  const more = sources.reduce((n, source) => n + source.more, 0);
  return rows.length > 0 && cards<Card>('accelerators', w.accelerators, [
    [w.device, ({ from, a }) => [<b>{a?.name || a?.id || from.source}</b>, small(a ? from.source + ' · ' + a.id : from.driver)]],
    [w.state, (card) => card_state(card, w)],
    [w.busy, ({ a }) => told(a?.busy, (n) => Math.round(n * 100) + ' %')],
    [w.memory, ({ a }) => a && [
      told(a.memory_used_bytes, gib), ' / ', told(a.memory_total_bytes, (n) => gib(n) + ' GiB'),
    ]],
    [w.power, ({ a }) => told(a?.power_w, (n) => Math.round(n) + ' W')],
    [w.temperature, ({ a }) => told(a?.temperature_c, (n) => Math.round(n) + ' °C')],
    [w.age, ({ a }) => a && (age_of(a) < Infinity ? fill(w.ago, { t: duration(age_of(a), w) }) : dash)],
  ], rows, more > 0 && <p>{fill(w.more, { n: more })}</p>);
}

const dots = { good: 'up', degraded: 'slow_start', suspect: 'probing', starting: 'unknown', dead: 'down', down: 'down' };

function tunnels({ s: { tunnel }, w, language }: Part) {
  if (!tunnel) return null;
  const percent = (n: number) => (n * 100).toFixed(1);
  const last = tunnel.switches.slice(-1)[0];
  return cards<Path>('tunnels', w.tunnels, [
    [w.path, (p) => <b>{p.name}</b>],
    [w.state, (p) => [<span class={'dot ' + dots[p.state]}>{w[p.state]}</span>, p.trouble && small(p.trouble[language])]],
    [w.rtt, (p) => duration(p.quality ? p.quality.rtt_ms : null, w)],
    [w.loss, (p) => p.quality ? percent(p.quality.loss_out) + ' / ' + percent(p.quality.loss_back) + ' %' : dash],
    ['MTU', (p) => p.mtu || dash],
    [w.carries, (p) => tunnel.classes.filter((c) => c.path == p.name).map((c) => w[c.traffic]).join(', ') || dash],
  ], tunnel.paths, [
    tunnel.findings.map((finding) => <p class="advice">{finding[language]}</p>),
    last && <p>{fill(w.moved, { time: clock(last.time_ms, language), words: last.why[language] })}</p>,
  ]);
}

function decisions(list: Decision[], { w, language }: Part) {
  const chip = (kind: Place | 'hold' | 'refuse') => <b class={kind}>{w[kind]}</b>;
  return section('decisions', w.decisions,
    <ol>
      {list.slice(0, kShownMax).map((d) => (
        <li>
          <time>{new Date(d.time_ms).toTimeString().slice(0, 8)}</time>
          {chip(d.verdict == 'send' ? d.place : d.verdict)}
          <span>{d.words[language]}</span>
          <small>{[d.node, d.model, d.key].filter(Boolean).join(' · ')}</small>
        </li>
      ))}
    </ol>,
    !list.length && w.none,
  );
}

function headline(w: Words) {
  const s = feed.status;
  const silent_s = Math.floor((performance.now() - feed.news_at) / 1000);
  if (silent_s >= kLostS)
    return { what: 'lost', text: fill(w.lost, { s: silent_s }), note: s && w.old };
  if (!s) return { what: 'waiting', text: w.waiting };
  const what = story(s);
  const { local_requests: local, cloud_requests: cloud } = s.share;
  const bad = what == 'silent' || what == 'stuck';
  const values = { local, cloud, all: local + cloud || s.water.in_flight, queue: s.queue.length };
  return {
    what,
    text: fill(w[what], values),
    note:
      (s.queue.length ? fill(w.queued, values) : '') +
      (bad ? '' : s.nodes.filter(is_down).map((n) => fill(w.no_answer, n)).join('')),
  };
}

// The sentence changes its figures all the time; a screen reader is told only when its sense changes.
let told = '';
let telling = '';

export function page(w: Words, language: Language, switch_language: () => void) {
  const s = feed.status;
  const { what, text, note } = headline(w);
  if (told != language + what) {
    told = language + what;
    telling = text;
  }
  const part = { s: s!, w, language };
  return [
    <header>
      <span><b>Sluice</b> {s?.version}</span>
      <button lang={language == 'en' ? 'zh' : 'en'} onClick={switch_language}>{w.other}</button>
    </header>,
    <main class={what} data-over={s && is_over(s) ? 'yes' : 'no'}>
      <h1>{text}</h1>
      <p class="note">{note}</p>
      <p class="told" role="status">{telling}</p>
      {s && [level(part), share(part), valve(part), nodes(part), tunnels(part), accelerators(part), decisions(feed.decisions, part)]}
    </main>,
  ];
}
