// Requests fail, or would: the page says so, why, and what to do; so do `/ready` and `status`.

import { mkdirSync } from 'node:fs';

import { tab } from '../browser.mjs';
import { check, equal, holds, reads, text } from '../checks.mjs';
import { KEY, eventually } from '../demo.mjs';

const FOLDER = `${process.env.UI_WORK}/pictures`;
const WRONG = 'sk-or-v1-0123456789abcdefaaaa';

/** A proxy of its own on the demo's world, with its page open, and a picture of that at the end. */
async function world(demo, name, settings, run) {
  const other = await demo.serve(name, 0, KEY, settings);
  const seen = await tab(other, { locale: 'en-GB' });
  try {
    await run(other, seen);
    mkdirSync(FOLDER, { recursive: true });
    await seen.page.evaluate(() => scrollTo({ top: 0, behavior: 'instant' }));
    await seen.page.screenshot({ path: `${FOLDER}/${name}.png` });
    await seen.page.click('#language');
    await seen.page.waitForTimeout(300);
    await seen.page.screenshot({ path: `${FOLDER}/${name}-ru.png` });
    const english = await seen.page.evaluate(() => [...document.querySelectorAll('#banner p, #tiles dd, #tiles dt, #models-note, #play-status')]
      .map((node) => node.textContent.trim()).filter((shown) => /[a-z]{3}/.test(shown) && !/[а-яё]/i.test(shown)));
    equal(english.filter((shown) => !/^[A-Z_]+$/.test(shown)), [], 'what is not Russian');
  } finally {
    await seen.context.close();
    await other.stop();
  }
}

async function notReady(other, code, words) {
  const answer = await eventually(async () => {
    const got = await fetch(`${other.url}/ready`);
    const body = await got.json();
    return got.status === 503 && body.code === code && body;
  }, `/ready says ${code}`);
  holds(words.test(`${answer.reason} ${answer.next_step}`), `${answer.reason} ${answer.next_step}`);
}

check('trouble: a wrong key is shown before any request, and after', async (demo) => {
  await demo.situation({ upstream_key: 'sk-or-v1-the-right-one-0123456789' });
  await world(demo, 'wrong-key', { OPENROUTER_API_KEY: WRONG }, async (other, { page, open, allow }) => {
    allow(/502/);
    await notReady(other, 'key_refused', /OpenRouter refuses the key \.\.\.aaaa \(HTTP 401\)\. Put a new one into \.env: it counts/);
    await open();
    await reads(page, '#sentence', /OpenRouter refuses the key \.\.\.aaaa \(HTTP 401\)\./);
    await reads(page, '#next-step', /Put a new one into \.env: it counts/);
    equal(await page.getAttribute('#banner', 'data-tone'), 'bad', 'the tone');
    await page.fill('#prompt', 'Hello');
    await page.click('#send');
    await reads(page, '#play-status', /No answer: the upstream refuses our key/);
    await reads(page, '#sentence', /OpenRouter refuses the key/);
  });
});

check('trouble: before the first list the page says why there is none', async (demo) => {
  await demo.situation();
  const lost = { MODELS_LIST_URL: `${demo.simulator}/nothing-here`, UPSTREAM_BASE_URL: `${demo.simulator}/nor-here` };
  await world(demo, 'no-list', lost, async (other, { page, login }) => {
    await notReady(other, 'no_list', /nothing-here.*HTTP 404.*MODELS_LIST_URL/);
    await login();
    await reads(page, '#sentence', /no list of models yet.*nothing-here.*HTTP 404/);
    await reads(page, '#next-step', /Is MODELS_LIST_URL right\?/);
    await reads(page, '#aside', /tried again at .*in \d+ s/);
    equal(await page.getAttribute('#banner', 'data-tone'), 'bad', 'the tone');
  });
});

check('trouble: out of quota by the key endpoint, and what is left before', async (demo) => {
  const key = (used) => ({ status: { status: 200, body: { data: { free_model_daily_requests: { used, limit: 50, remaining: 50 - used } } } } });
  await demo.situation({ key: key(2) });
  await world(demo, 'quota-left', {}, async (other, { page, open }) => {
    await open();
    await reads(page, '[data-tile=quota]', /48 of 50.*back at \d\d:\d\d, in/);
    await reads(page, '[data-tile=today]', /2/);
    equal(await page.getAttribute('#banner', 'data-tone'), 'good', 'the tone');
  });
  await demo.situation({ key: key(50), account: 'daily_limit' });
  await world(demo, 'out-of-quota', {}, async (other, { page, open }) => {
    await notReady(other, 'quota_day', /free requests of today are used up \(50 of 50\); they are back in/);
    await open();
    await reads(page, '#sentence', /free requests of today are used up/);
    await reads(page, '[data-tile=quota]', /Used up \(day\).*back at/);
    await reads(page, '#aside', /until \d\d:\d\d, in/);
  });
});

check('trouble: an upstream that has none of the models', async (demo) => {
  await demo.situation({ catalogue: { status: { status: 200, body: { data: [{ id: 'llama3' }] } } } });
  await world(demo, 'none-there', {}, async (other, { page, open }) => {
    await notReady(other, 'none_there', /0 of 6 models exist there/);
    await open();
    await reads(page, '#sentence', /0 of 6 models exist there/);
  });
});

check('trouble: a proxy that hangs or dies is noticed within three seconds, and greys the page', async (demo) => {
  await demo.situation();
  const other = await demo.serve('died', 0, KEY);
  const { page, context, open, allow } = await tab(other);
  allow(/ERR_|Failed to load/);
  const grey = () => page.evaluate(() => getComputedStyle(document.getElementById('tiles')).filter);
  try {
    await open();
    await reads(page, '#sentence', /next request goes to/);
    other.process.kill('SIGSTOP');
    // One second more than the page may wait, as the machine may be busy.
    await reads(page, '#sentence', /does not answer/, 4000);
    equal(await grey(), 'grayscale(1)', 'the tiles');
    other.process.kill('SIGCONT');
    await reads(page, '#sentence', /next request goes to/, 15_000);
    equal(await grey(), 'none', 'the tiles');
    other.process.kill('SIGKILL');
    await reads(page, '#sentence', /does not answer/, 3000);
    equal(await grey(), 'grayscale(1)', 'the tiles');
    await reads(page, '#next-step', /Is the proxy running\?/);
    await page.screenshot({ path: `${FOLDER}/died.png` });
    holds(!/Forget/.test(await text(page, '#banner')), 'the banner is about the proxy');
  } finally {
    await context.close();
    other.process.kill('SIGKILL');
  }
});
