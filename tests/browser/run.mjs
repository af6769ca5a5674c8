// The first page in headless Chromium.
//   node run.mjs [--shots DIR]                              the committed page, served by a stand-in
//   node run.mjs --url URL [--limit SECONDS] [--shots DIR]  a running box under load: the level must
//                                                           cross the line and the cloud must take part
// --shots saves screenshots in both languages at 1280 and 320 px. CHROMIUM names another browser.
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { run_page_tests } from './page_test.mjs';
import { watch_box } from './watch_box.mjs';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    limit: { type: 'string', default: '120' },
    shots: { type: 'string' },
  },
});

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

// A page in a context of its own, with a note of everything it should not do.
async function open(url, { language = 'en', width = 1280, scheme = 'light' } = {}) {
  const context = await browser.newContext({
    locale: language == 'zh' ? 'zh-CN' : 'en-US',
    colorScheme: scheme,
    reducedMotion: 'reduce',
    viewport: { width, height: 900 },
  });
  const page = await context.newPage();
  const complaints = [];
  const origin = new URL(url).origin;
  page.on('pageerror', (error) => complaints.push('script: ' + error.message));
  page.on('console', (message) => {
    if (message.type() == 'error') complaints.push('console: ' + message.text());
  });
  page.on('request', (request) => {
    const target = request.url();
    if (!target.startsWith(origin + '/') && !target.startsWith('data:')) complaints.push('left the box: ' + target);
  });
  await page.goto(url);
  const shoot = async (name) => {
    if (!options.shots) return;
    mkdirSync(options.shots, { recursive: true });
    await page.screenshot({ path: `${options.shots}/${name}-${language}-${width}-${scheme}.png`, fullPage: true });
  };
  return { page, complaints, shoot, close: () => context.close() };
}

let failures = 0;
try {
  failures = options.url
    ? await watch_box(open, options.url, Number(options.limit) * 1000)
    : await run_page_tests(open);
} finally {
  await browser.close();
}
process.exit(failures ? 1 : 0);
