// One EventSource for the whole page. The browser reconnects by itself after a broken connection;
// after a refused one, or when the line is silent, this does. A tab that nobody has looked at for a
// minute lets its connection go: a browser has only six to one box.
import type { Decision, Status } from './status';

const kDecisionsMax = 50;
const kSilenceMs = 5000;
const kHiddenTicksMax = 60;

export const feed = {
  status: null as Status | null,
  decisions: [] as Decision[],
  news_at: performance.now(), // when the last status came, on the browser's own clock
};

export function follow(on_status: () => void, on_change: () => void) {
  let source: EventSource | null = null;
  let opened_at = 0;
  let hidden_ticks = 0;

  const get = (what: string, take: (answer: any) => void) =>
    fetch('/api/v1/' + what).then(async (r) => r.ok && take(await r.json())).catch(() => {});
  const take_status = (s: Status) => {
    feed.status = s;
    feed.news_at = performance.now();
    on_status();
  };
  // An event may overtake the answer that was written before it.
  const take_decisions = (list: Decision[]) => {
    feed.decisions = [...feed.decisions.filter((d) => d.time_ms > list[0]?.time_ms), ...list];
    on_change();
  };
  const take_decision = (d: Decision) => {
    feed.decisions = [d, ...feed.decisions].slice(0, kDecisionsMax);
    on_change();
  };
  const tick = () => {
    const now = performance.now();
    hidden_ticks = document.hidden ? hidden_ticks + 1 : 0;
    const wanted = hidden_ticks < kHiddenTicksMax;
    if (source && (!wanted || now - Math.max(opened_at, feed.news_at) > kSilenceMs)) {
      source.close();
      source = null;
    }
    if (wanted && !source) {
      opened_at = now;
      get('status', take_status);
      source = new EventSource('/api/v1/events');
      source.onopen = () => get('decisions', (r) => take_decisions(r.decisions));
      source.addEventListener('status', (e) => take_status(JSON.parse(e.data)));
      source.addEventListener('decision', (e) => take_decision(JSON.parse(e.data)));
    }
    on_change();
  };
  document.onvisibilitychange = tick;
  setInterval(tick, 1000);
  tick();
}
