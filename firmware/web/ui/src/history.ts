// The level over the last two minutes, as the page itself saw it.
import { cloud_in_flight, type Status } from './status';

export const kHistoryMs = 120000;
const kGapMs = 5000; // a longer silence is a gap in the water, never a straight line
const kPointsMax = 1000;

// When (browser's clock), requests in flight here, and those together with the cloud's.
export type Point = [at_ms: number, local: number, all: number];

let points: Point[] = [];

export function remember(s: Status) {
  const now = performance.now();
  const here = s.water.in_flight;
  points.push([now, here, here + cloud_in_flight(s)]);
  points = points.filter((p) => now - p[0] < kHistoryMs + kGapMs).slice(-kPointsMax);
}

export const past = () => points;

// An SVG area in a box of 1000 x 100 whose right edge is now and whose top is `top` requests.
export function area(which: 1 | 2, top: number) {
  const now = points.length ? points[points.length - 1][0] : 0;
  let path = '';
  let x = 0;
  points.forEach((p, i) => {
    const before = x;
    x = Math.round(10000 * (1 - (now - p[0]) / kHistoryMs)) / 10;
    const gap = !i || p[0] - points[i - 1][0] > kGapMs;
    if (gap) path += (i ? `L${before},100Z` : '') + `M${x},100`;
    path += `L${x},${(100 - (p[which] / top) * 100).toFixed(1)}`;
  });
  return path && path + `L${x},100Z`;
}
