// The page follows the proxy without a reload.

import { check, equal, holds, reads, row, text } from '../checks.mjs';
import { eventually, limited, paced } from '../demo.mjs';

check('live: a failover shows by itself, with its trail', async (demo, { page, open }) => {
  const [first, second] = demo.models;
  await demo.situation({ models: { [first]: limited(60) } });
  await open();
  await reads(page, row(first), /next/);
  equal(await page.getAttribute(row(first), 'data-state'), 'awake', 'before');
  await demo.ask({ stream: true });
  await page.waitForSelector(`${row(first)}[data-state=resting]`);
  await reads(page, `${row(first)} .state`, /resting.*rate limited \(HTTP 429\)/);
  await reads(page, '#sentence', /answered by .*Ling-2\.6-1T/);
  await reads(page, '#aside', /1 model rests/);
  const steps = page.locator('#requests-list > li').first().locator('.trail li');
  equal(await steps.count(), 2, 'steps of the trail');
  holds(/rate limited/.test(await steps.nth(0).innerText()), 'who failed first');
  holds(/answered/.test(await steps.nth(1).innerText()), 'who answered');
  await reads(page, `${row(second)} .success`, /100/, 12_000);
  await reads(page, '#requests-summary', /answered/);
});

check('live: a rest counts down, and ends by itself', async (demo, { page, open }) => {
  const [first] = demo.models;
  await demo.situation({ models: { [first]: { steps: [limited(5)], then: 'ok' } } });
  await open();
  await demo.ask();
  const seconds = async () => Number((await reads(page, `${row(first)} .left`, /^\d+:\d\d$/)).split(':')[1]);
  const before = await seconds();
  await eventually(async () => await seconds() < before, 'it counts down');
  await page.waitForSelector(`${row(first)}:not([data-state=resting])`, { timeout: 12_000 });
});

check('live: a rest is ended by hand, the list read by hand', async (demo, { page, open }) => {
  const [first] = demo.models;
  await demo.situation({ models: { [first]: { steps: [limited(600)], then: 'ok' } } });
  await open();
  await demo.ask();
  await page.click(`${row(first)} .state button`);
  await page.waitForSelector(`${row(first)}[data-state=awake]`);
  await reads(page, '#models-note', /is awake/);
  await demo.situation({}, demo.sample.models.slice(0, 3));
  await page.waitForFunction(() => document.querySelectorAll('.rows .row').length === 3);
  await page.click('#refresh');
  await reads(page, '#models-note', /read: 3 models/);
  await page.fill('#filter', 'minimax');
  await reads(page, '#models-count', /^1 \/ 3$/);
});

check('live: a model is woken up while its account is out', async (demo, { page, open }) => {
  const [first, second] = demo.models;
  await demo.situation({ models: { [first]: limited(600) } }, demo.sample.models.slice(0, 2));
  await demo.ask();
  // Without a refresh, which would end the rest.
  const out = { account: { steps: ['insufficient_credits'], then: 'ok' } };
  await fetch(`${demo.simulator}/script`, { method: 'PUT', body: JSON.stringify(out) });
  await demo.ask();
  await open();
  await reads(page, `${row(second)} .state`, /waiting.*no account takes requests for it: openrouter/);
  await page.click(`${row(first)} .state button`);
  await reads(page, '#models-note', /no longer rests, but no account takes requests for it now: openrouter/);
});

check('live: a failed refresh says why', async (demo, { page, open, allow }) => {
  allow(/502/);
  await open();
  await fetch(`${demo.simulator}/script`, { method: 'PUT', body: JSON.stringify({ list: { status: { status: 500 } } }) });
  await page.click('#refresh');
  await reads(page, '#models-note', /did not work: ./);
  equal(await page.locator('.rows .row').count() > 0, true, 'the old list stays');
});

check('live: no model is awake, the account is out of credit', async (demo, { page, open }) => {
  await demo.situation({ default: limited(30) }, demo.sample.models.slice(0, 2));
  await open();
  await demo.ask();
  await reads(page, '#sentence', /none of the 2 models is awake/);
  await reads(page, '#aside', /until .*in \d+ s/);
  equal(await page.getAttribute('#banner', 'data-tone'), 'bad', 'the tone');

  await demo.situation({ account: { steps: ['insufficient_credits'], then: 'ok' } });
  await demo.ask();
  await reads(page, '#sentence', /out of credit/);
  await reads(page, '[data-tile=quota]', /Out of credit/);
  await page.click('#clear-account');
  await reads(page, '#sentence', /next|being answered/);
  equal(await page.locator('#clear-account').isVisible(), false, 'the button');
});

check('live: a rest is over, and one request finds out', async (demo, { page, open }) => {
  const [first] = demo.models;
  const plan = { steps: [limited(1), { ok: { first_delay_ms: 5000 } }], then: 'ok' };
  await demo.situation({ models: { [first]: plan } }, demo.sample.models.slice(0, 1));
  await demo.ask();
  await eventually(async () => (await fetch(`${demo.url}/ready`)).ok, 'the rest is over');
  const probe = demo.ask();
  await eventually(async () => (await demo.asked()).length === 2, 'the model is asked again');
  await open();
  await reads(page, '#sentence', /^A rest is over: one request finds out/);
  equal(await page.getAttribute('#banner', 'data-tone'), 'warn', 'the tone while the state is unknown');
  equal(await page.getAttribute(row(first), 'data-state'), 'probing', 'the model');
  equal((await probe).status, 200, 'the probe');
  await reads(page, '#sentence', /being answered by/);
  equal(await page.getAttribute('#banner', 'data-tone'), 'good', 'the tone then');
});

check('live: figures of the hour and of the day, and charts', async (demo, { page, open }) => {
  await open();
  await demo.ask({ stream: true });
  await demo.ask({ stream: true });
  await page.reload();
  await reads(page, '#requests-summary', /\d+ of \d+ answered/);
  for (const chart of ['#requests-chart', '#ttft-chart']) {
    const drawn = await page.locator(`${chart} canvas`).evaluate((canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value) => value > 0);
    });
    holds(drawn, `${chart} is drawn`);
  }
  await page.hover('#requests-chart .u-over');
  await reads(page, '#requests-legend', /at \d\d:\d\d/);
  await page.click('#span label:last-child');
  await reads(page, '#requests-summary', /\d+ of \d+ answered/);
  equal(await page.isChecked('input[value=day]'), true, 'the day');
});

check('live: too many listen, and the page asks instead', async (demo, { page, open, allow }) => {
  allow(/503/);
  const ending = new AbortController();
  const headers = { authorization: 'Bearer demo-key' };
  try {
    const listeners = Array.from({ length: 16 }, () => fetch(`${demo.url}/admin/events`, { headers, signal: ending.signal }));
    await Promise.all(listeners);
    await open();
    await reads(page, '#aside', /asks from time to time/);
    await demo.ask();
    await reads(page, '#requests-list', /answered/, 12_000);
  } finally {
    ending.abort();
  }
  await page.waitForFunction(() => !/now and then/.test(document.getElementById('aside').textContent), null, { timeout: 20_000 });
});

check('live: open streams are counted', async (demo, { page, open }) => {
  await demo.situation({ default: paced({ chunks: 60, delay_ms: 100 }) });
  await open();
  const going = demo.ask({ stream: true });
  await page.reload();
  await reads(page, '[data-tile=streams] dd', /^1$/);
  await going;
  holds(/\d/.test(await text(page, '[data-tile=today] dd')), 'used today');
});
