// Long lists, and names that contain markup.

import { check, equal, holds, reads, row } from '../checks.mjs';
import { limited } from '../demo.mjs';

const MARKUP = '<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>';

check('many: a thousand models scroll, and one that changes leaves the others', async (demo, { page, open }) => {
  const [sample] = demo.sample.models;
  const models = Array.from({ length: 1000 }, (_, n) => ({ ...sample, rank: n + 1, id: `vendor/model-${n}:free`, name: `Model ${n}` }));
  await demo.situation({ models: { 'vendor/model-0:free': limited(60) } }, models);
  await open();
  await reads(page, '#models-count', /^1,?000$|^1,?001$/);
  const slowest = await page.evaluate(async () => {
    const frame = () => new Promise((done) => { requestAnimationFrame(done); });
    let worst = 0;
    let before = await frame();
    for (let n = 0; n < 60; n += 1) {
      scrollBy({ top: 900, behavior: 'instant' });
      const now = await frame();
      worst = Math.max(worst, now - before);
      before = now;
    }
    return worst;
  });
  // Generous, as the machine may be busy; a page that lays out all rows takes seconds.
  holds(slowest < 400, `the slowest frame took ${slowest} ms`);
  await page.locator(row('vendor/model-999:free')).scrollIntoViewIfNeeded();
  holds(await page.locator(row('vendor/model-999:free')).isVisible(), 'the last is reached');
  await page.evaluate(() => { window.kept = document.querySelectorAll('.rows .row')[500]; });
  await demo.ask();
  await page.waitForSelector(`${row('vendor/model-0:free')}[data-state=resting]`);
  equal(await page.evaluate(() => document.querySelectorAll('.rows .row')[500] === window.kept), true, 'the others stay');
  await page.fill('#filter', 'model-77');
  await reads(page, '#models-count', /^11 \//);
});

check('many: names and messages with markup in them are text', async (demo, { page, open, allow }) => {
  allow(/40\d|50\d/);
  const [sample, other] = demo.sample.models;
  const id = 'vendor/a&lt;b&gt;&amp;:free';
  await demo.situation({
    models: { [id]: { status: { status: 400, body: { error: { message: MARKUP, code: 400 } } } } },
    default: { ok: { text: MARKUP, reasoning: MARKUP } },
  }, [{ ...sample, id, name: MARKUP }, { ...other, rank: 2 }]);
  await open();
  equal(await page.locator(`${row(id)} code`).textContent(), id, 'the id');
  equal(await page.locator(`${row(id)} .model b`).first().textContent(), MARKUP, 'the name');
  await page.fill('#prompt', 'Hello');
  await page.click('#send');
  await reads(page, '#play-status', /No answer|answered/);
  await page.click('#presets button:has-text("plain")');
  await page.waitForSelector('.candidates');
  await demo.post('/admin/refresh', {});
  const made = await page.evaluate(() => [window.pwned ?? null, document.querySelectorAll('main img, main script, main b b').length]);
  equal(made, [null, 0], 'what the markup did');
});
