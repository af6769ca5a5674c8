// What the first page must do, each against a stand-in box that the test moves by hand.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { FakeBox, accelerator, lost, node, source, status, tunnel } from './fake_box.mjs';

const kDist = new URL('../../firmware/web/ui/dist/', import.meta.url);
const kTotalBytesMax = 28672;
const kAxe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const kAxeTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const calm = () => status({ local: 12, done: [12, 0] });
const burst = () => status({ local: 35, cloud: 14, queue: 3, done: [12, 8] });
const failed = { state: 'down', why: 'connection refused', ttft_ms_p50: null, tpot_ms_p50: null, age_ms: null };

const sentence = (page, text) => page.locator('h1', { hasText: text }).waitFor({ timeout: 5000 });
const taken = (page) => page.locator('#share tbody td:last-child').first().textContent();
const over = (page) => page.locator('main').getAttribute('data-over');

async function no_barriers(page) {
  await page.evaluate(kAxe);
  const { violations } = await page.evaluate(
    (values) => axe.run({ runOnly: { type: 'tag', values } }), kAxeTags);
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes[0].html}`), []);
}

const tests = {
  'the page fits its budget and is flat': async () => {
    const names = readdirSync(kDist);
    assert.deepEqual(names.sort(), ['app.css', 'app.js', 'index.html']);
    const total = names.reduce((sum, name) => sum + statSync(new URL(name, kDist)).size, 0);
    assert.ok(total < kTotalBytesMax, `${total} bytes`);
  },

  'the lock files name no host to fetch from': async () => {
    for (const name of ['../../firmware/web/ui/package-lock.json', 'package-lock.json'])
      assert.doesNotMatch(readFileSync(new URL(name, import.meta.url), 'utf8'), /"resolved"/);
  },

  'the sentence and the picture change when the level crosses the line': async ({ box, open }) => {
    box.set(calm());
    const { page, complaints } = await open();
    await sentence(page, 'All requests are served here: 12.');
    assert.equal(await over(page), 'no');
    assert.match(await page.locator('#level .big').textContent(), /12 of 35/);
    box.set(burst());
    await sentence(page, 'The local engine is full; 8 of 20 requests go to the cloud.');
    assert.equal(await over(page), 'yes');
    assert.match(await page.locator('#level .big').textContent(), /35 of 35.*14/);
    assert.match(await page.locator('.note').textContent(), /3 waiting in the queue/);
    const path = await page.locator('path.cloud').getAttribute('d');
    assert.match(path, /^M[\d.]+,100L.*Z$/);
    box.set(calm());
    await sentence(page, 'All requests are served here');
    assert.equal(await over(page), 'no');
    assert.deepEqual(complaints, []);
  },

  'the share moves with requests, tokens and money': async ({ box, open }) => {
    box.set(calm());
    const { page, complaints } = await open();
    await sentence(page, 'served here');
    assert.equal(await taken(page), '0');
    box.set(burst());
    await sentence(page, 'full');
    assert.equal(await taken(page), '8');
    assert.match(await page.locator('#share').textContent(), /Local 60%.*Cloud 40%.*6,320.*CN¥0\.0328/);
    assert.equal(await page.locator('#share .local[width]').getAttribute('width'), '60%');
    assert.deepEqual(complaints, []);
  },

  'each way of having no local engine is said': async ({ box, open }) => {
    const local = node('gpu-server', 'local', failed);
    const cloud = node('cloud-east', 'cloud', { in_flight: 4 });
    const broken = node('cloud-east', 'cloud', failed);
    box.set(status({ line: 0, nodes: [] }));
    const { page, complaints } = await open();
    await sentence(page, 'No engine is connected yet.');
    box.set(status({ line: 0, cloud: 4, done: [0, 9], nodes: [cloud] }));
    await sentence(page, 'No local engine: everything goes to the cloud.');
    assert.equal(await page.locator('#level line').count(), 0);
    box.set(status({ cloud: 4, done: [0, 9], nodes: [local, cloud] }));
    await sentence(page, 'The local engine does not answer; everything goes to the cloud.');
    assert.match(await page.locator('#nodes').textContent(), /Down.*connection refused/);
    box.set(status({ nodes: [local, broken] }));
    await sentence(page, 'No engine answers.');
    box.set(status({ nodes: [local, cloud], overflow: 'off' }));
    await sentence(page, 'No engine answers.');
    box.set(status({ nodes: [node('gpu-server', 'local', { state: 'unknown' })] }));
    await sentence(page, 'Waiting for the first reading.');
    assert.deepEqual(complaints, []);
  },

  'the last decisions come first filled, then live, with reasons in the language': async ({ box, open }) => {
    box.set(calm());
    box.decide('local');
    const { page } = await open();
    const first = page.locator('#decisions li').first();
    await first.getByText('has room').waitFor();
    box.decide('cloud');
    await first.getByText('cloud-east answers in about 310 ms').waitFor();
    box.decide('cloud', { verdict: 'refuse', node: '', words: { en: '<b>no</b>', zh: '<b>否</b>' } });
    await first.getByText('Refused').waitFor();
    assert.match(await first.textContent(), /<b>no<\/b>/);
    await page.getByRole('button').click();
    await first.getByText('拒绝').waitFor();
    assert.equal(await page.locator('#decisions li').count(), 3);
  },

  'the language follows the browser, the switch, and is kept': async ({ box, open }) => {
    box.set(burst());
    const { page } = await open({ language: 'zh' });
    await sentence(page, '本地引擎已满，20 个请求中有 8 个溢出到云端。');
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    assert.match(await page.locator('#nodes').textContent(), /首字时延.*每字时延/);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await sentence(page, 'The local engine is full');
    await page.reload();
    await sentence(page, 'The local engine is full');
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  },

  'a screen reader hears a new sense, not every new figure': async ({ box, open }) => {
    box.set(calm());
    const { page } = await open();
    const told = page.getByRole('status');
    await told.getByText('served here: 12').waitFor();
    box.set(status({ local: 20, done: [20, 0] }));
    await sentence(page, 'served here: 20');
    assert.match(await told.textContent(), /served here: 12/);
    box.set(burst());
    await told.getByText('The local engine is full').waitFor();
  },

  'accelerators are shown in plain units, what is not told as a dash, what is lost in words': async ({ box, open }) => {
    box.set(calm());
    const { page, complaints } = await open();
    await sentence(page, 'served here');
    assert.equal(await page.locator('#accelerators').count(), 0);
    const derived = { value: 0.5, source: 'fdinfo of its users', age_ms: 900, confidence: 'derived' };
    const absent = { value: null, source: 'not supported by this device', age_ms: null, confidence: 'absent' };
    box.set({ ...calm(), accelerators: [
      source('host nvml', [accelerator(1), lost(2), accelerator(3, { busy: derived, power_w: absent })], { more: 4 }),
      source('rack-2', [], { driver: 'ascend', state: 'silent', why: 'connection refused', age_ms: null }),
    ] });
    const rows = page.locator('#accelerators tbody tr');
    await rows.nth(3).waitFor();
    const text = async (n) => (await rows.nth(n).locator('td').allTextContents()).join(' | ');
    assert.equal(await text(0), 'NVIDIA H100 80GB HBM3host nvml · GPU-5e0b7c1d-0000-4a11-9d11-000000000001 | ' +
      'Answers | 97 % | 72.0 / 80.0 GiB | 598 W | 61 °C | 400 ms ago');
    assert.match(await text(1), /Not wellthe device has fallen off the bus.* \| – \| – \/ – \| – \| – \| 400 ms ago/);
    assert.match(await text(2), /≈ 50 % \| 72\.0 \/ 80\.0 GiB \| – \| 61 °C/);
    assert.equal(await rows.nth(2).locator('td').nth(4).locator('span').getAttribute('title'), absent.source);
    assert.match(await text(3), /rack-2ascend \| Downconnection refused/);
    assert.match(await page.locator('#accelerators').textContent(), /and 4 more/);
    await page.getByRole('button').click();
    await page.getByText('加速卡').first().waitFor();
    assert.match(await text(1), /异常/);
    assert.match(await text(3), /无响应/);
    await no_barriers(page);
    assert.deepEqual(complaints, []);
  },

  'tunnels: which path carries what, what is wrong and what happened last': async ({ box, open }) => {
    box.set(calm());
    const { page, complaints } = await open();
    await sentence(page, 'served here');
    assert.equal(await page.locator('#tunnels').count(), 0);
    box.set({ ...calm(), tunnel: tunnel() });
    const rows = page.locator('#tunnels tbody tr');
    await rows.nth(1).waitFor();
    const text = async (n) => (await rows.nth(n).locator('td').allTextContents()).join(' | ');
    assert.equal(await text(0), 'fibre/hz1/udp4 | DeadThe uplink fibre has no carrier; check the cable and the modem. | – | – | 1420 | –');
    assert.equal(await text(1), 'lte/hz1/udp4 | Good | 48 ms | 1.3 / 0.0 % | 1412 | interactive');
    assert.match(await page.locator('#tunnels').textContent(), /Interactive traffic moved to lte\/hz1\/udp4/);
    await page.getByRole('button').click();
    await page.getByText('隧道').first().waitFor();
    assert.match(await text(1), /良好 \| 48 毫秒 .*交互/);
    assert.match(await page.locator('#tunnels').textContent(), /没有载波.*载波丢失/);
    await no_barriers(page);
    assert.deepEqual(complaints, []);
  },

  'what an engine tells no more, and what to set in it, is said in words': async ({ box, open }) => {
    const renamed = [{ field: 'kv_usage', name: 'vllm:kv_cache_usage_perc', gone_ms: 5000 }];
    const advice = { en: 'Set the chunk to 192 tokens.', zh: '请将分块设为 192 个词元。' };
    const scene = calm();
    scene.nodes = [node('gpu-1', 'local', { lost: renamed, advice }), node('gpu-2', 'local')];
    box.set(scene);
    const { page, complaints, shoot } = await open();
    const notes = page.locator('#nodes .advice');
    await notes.nth(1).waitFor();
    assert.match(await notes.nth(0).textContent(),
      /^gpu-1: vllm answers, but vllm:kv_cache_usage_perc is gone since \d{1,2}:\d\d/);
    assert.equal(await notes.nth(1).textContent(), 'gpu-1: Set the chunk to 192 tokens.');
    assert.equal(await notes.count(), 2);
    await page.getByRole('button').click();
    await page.getByText('请将分块设为').waitFor();
    assert.match(await notes.nth(0).textContent(), /^gpu-1：vllm 有响应，但 vllm:kv_cache_usage_perc 自 /);
    await shoot('notes');
    await no_barriers(page);
    assert.deepEqual(complaints, []);
  },

  'a lost box is shown plainly, and a found one too': async ({ box, open, port }) => {
    box.set(calm());
    const { page, shoot } = await open();
    await sentence(page, 'served here');
    await box.hang_up();
    await sentence(page, /No news from the box for \d+ s\./);
    assert.equal(await page.locator('.note').textContent(), 'What you see below is old.');
    assert.match(await page.locator('#share').evaluate((e) => getComputedStyle(e).filter), /grayscale/);
    await no_barriers(page);
    await shoot('lost');
    box.set(burst());
    await box.start(port);
    await page.locator('h1', { hasText: 'The local engine is full' }).waitFor({ timeout: 15000 });
    assert.equal(await page.locator('main.lost').count(), 0);
  },

  'nothing is wider than 320 px, nothing bars anyone, light or dark': async ({ box, open }) => {
    const scene = burst();
    scene.nodes[0].lost = [{ field: 'kv_usage', name: 'vllm:' + 'x'.repeat(60), gone_ms: 5000 }];
    scene.nodes.push(node('cloud-with-a-rather-long-name-indeed', 'cloud', { ...failed, why: 'x'.repeat(80) }));
    scene.accelerators = [
      source('host nvml', [accelerator(1), lost(2)]),
      source('rack-with-a-long-name-in-the-cellar', [], { state: 'unrecognised', why: 'x'.repeat(90), driver: '' }),
    ];
    scene.tunnel = tunnel();
    box.set(scene);
    box.decide('local');
    box.decide('cloud', { key: 'k'.repeat(60) });
    for (const language of ['zh', 'en'])
      for (const width of [1280, 320])
        for (const scheme of ['light', 'dark']) {
          const { page, complaints, shoot, close } = await open({ language, width, scheme });
          await page.locator('#decisions li').nth(1).waitFor();
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
          await no_barriers(page);
          await shoot('page');
          assert.deepEqual(complaints, []);
          await close();
        }
  },
};

export async function run_page_tests(open) {
  let failures = 0;
  for (const [name, test] of Object.entries(tests)) {
    const box = new FakeBox();
    const url = await box.start();
    const opened = [];
    const open_here = async (view) => {
      opened.push(await open(url, view));
      return opened.at(-1);
    };
    try {
      await test({ box, open: open_here, port: Number(new URL(url).port) });
      console.log('ok    ' + name);
    } catch (error) {
      failures++;
      console.log(`FAIL  ${name}\n      ${error.message.replaceAll('\n', '\n      ')}`);
    }
    for (const { close } of opened) await close();
    await box.hang_up();
  }
  console.log(failures ? `${failures} failed` : `all ${Object.keys(tests).length} passed`);
  return failures;
}
