// Watches a running box while someone else drives it: within the limit the water must cross the line
// and the cloud must have taken requests, on a page without a single complaint.
import assert from 'node:assert/strict';

const kViews = [
  { language: 'zh', width: 1280 }, { language: 'en', width: 1280 },
  { language: 'zh', width: 320 }, { language: 'en', width: 320 },
];

// The pictures wait a little for an overflow that can be seen.
const kPicturedPercentMin = 15;
const kPicturedWaitMs = 20000;

export async function watch_box(open, url, limit_ms) {
  const views = [];
  for (const view of kViews) views.push(await open(url, view));
  const { page } = views[1];
  try {
    await page.locator('#level').waitFor({ timeout: limit_ms });
    const begin = Date.now();
    await page.waitForFunction(
      () => {
        const taken = document.querySelector('#share tbody td:last-child')?.textContent ?? '';
        return document.querySelector('main[data-over=yes]') && Number(taken.replace(/\D/g, '')) > 0;
      },
      null,
      { timeout: limit_ms },
    );
    console.log(`over the line after ${Math.round((Date.now() - begin) / 1000)} s of watching`);
    console.log(await page.locator('h1').textContent());
    console.log((await page.locator('#level .big').textContent()).trim());
    await page.waitForFunction(
      (percent_min) => {
        const share = document.querySelector('#share thead .cloud').textContent;
        return Number(share.replace(/\D/g, '')) >= percent_min;
      },
      kPicturedPercentMin,
      { timeout: kPicturedWaitMs },
    ).catch(() => {}); // a small overflow is pictured as it is
    for (const view of views) await view.shoot('box');
    for (const view of views) {
      assert.deepEqual(view.complaints, []);
      assert.equal(await view.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    }
    return 0;
  } catch (error) {
    console.error('the box did not overflow as expected: ' + error.message);
    console.error('the page said: ' + (await page.locator('h1').textContent().catch(() => 'nothing')));
    for (const view of views) await view.shoot('box-failed');
    return 1;
  }
}
