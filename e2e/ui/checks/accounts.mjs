// Several accounts: which take requests, what is left, what returns when, how to add a key.

import { mkdirSync, writeFileSync } from 'node:fs';

import { tab } from '../browser.mjs';
import { check, equal, holds, reads } from '../checks.mjs';
import { KEY, eventually } from '../demo.mjs';

const soon = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const bucket = (more) => ({ unit: 'requests', limit: 50, used: 2, per: 'day', of: 'account', model: null, ends: 'utc',
  resets_at: soon(7200), source: 'stated', ...more });
const account = (label, more) => ({ label, provider: label.split('#')[0], variable: `${label.split('#')[0].toUpperCase()}_API_KEY`,
  key_tail: '...a1b2', training: 'no', state: 'awake', probing: false, limit: null, until: null, resting_sec: null, reason: null,
  because: null, buckets: [], free_requests: null, asked_today: null, today: null, ...more });

/** Accounts in every state, with every kind of bucket, and a name that is no markup. */
const ALL = () => [
  account('openrouter', { buckets: [bucket({})], today: { limit: 50, used: 2, remaining: 48, resets_at: soon(7200), told_at: soon(-60), told_by: 'key' } }),
  account('gemini', { training: 'may', state: 'out', limit: 'day', until: soon(7200), resting_sec: 7200, buckets: [
    bucket({ limit: 20, used: 20, of: 'model', model: 'gemini-3-flash', ends: 'pacific', source: 'default' }),
    ...['a', 'b', 'c', 'd'].map((model, n) => bucket({ limit: 20, used: n, of: 'model', model: `gemini-${model}`, source: 'default' }))] }),
  account('groq', { state: 'key_refused', limit: 'key', until: soon(300), resting_sec: 300, variable: 'GROQ_API_KEY' }),
  account('groq#2', { training: 'unknown', buckets: [
    bucket({ limit: 30, used: 28, per: 'minute', source: 'learnt', ends: null, resets_at: soon(40) }),
    bucket({ unit: 'tokens in', limit: 2_000_000, used: 1_234_567, source: 'set' }),
    bucket({ limit: 5, used: 1, per: { hours: 5 }, ends: null }),
    bucket({ unit: 'at once', limit: 2, used: 2, per: null, ends: null, resets_at: null })] }),
  account('<b>mine</b>', { provider: 'kilo', variable: null, key_tail: null, state: 'resting', until: soon(42), resting_sec: 42,
    because: { model: 'm', outcome: 'rate_limited', status: 429, cause: 'status', at: soon(-3) },
    buckets: [bucket({ limit: 200, used: 0, per: 'hour', of: 'address', resets_at: null, source: 'default' })] }),
];

/** From here on the page is sent these accounts. */
const tells = (page, accounts) => page.route('**/admin/state', async (route) => {
  const answer = await route.fetch();
  const state = await answer.json();
  state.models.forEach((model) => { model.provider ??= 'openrouter'; model.candidates ??= []; });
  await route.fulfill({ response: answer, json: { ...state, accounts } });
});

const card = (label) => `.account[data-label=${JSON.stringify(label)}]`;

check('accounts: each says how it is, what is left and what returns when', async (demo, { page, open }) => {
  await tells(page, ALL());
  await open();
  await reads(page, '#accounts-count', /2 of 5 take requests/);
  const rows = {
    openrouter: /takes requests.*OPENROUTER_API_KEY \.\.\.a1b2.*does not train on prompts.*requests a day.*2 \/ 50.*stated · all back at \d\d:\d\d, in [12] h/,
    gemini: /used up 1:59:\d\d.*may train.*the free requests of the day are used up · back at \d\d:\d\d.*gemini-3-flash.*20 \/ 20.*usual.*1 more/,
    groq: /key refused 4:5\d.*the provider rejects the key.*No limit is known yet.*Ask again now/,
    'groq#2': /groq#2groqtakes requests.*requests a minute.*28 \/ 30.*learnt.*prompt tokens a day.*1,234,567|1.2M \/ 2M.*requests in 5 hours.*requests at once/,
    '<b>mine</b>': /<b>mine<\/b>.*rests 0:[34]\d.*needs no key.*rate limited \(HTTP 429\).*requests an hour.*0 \/ 200.*shared by all behind this address/,
  };
  for (const [label, pattern] of Object.entries(rows)) await reads(page, card(label), pattern);
  const meters = await page.locator(`${card('groq#2')} [role=meter]`).evaluateAll((all) => all.map((one) =>
    [one.getAttribute('aria-label'), one.getAttribute('aria-valuenow'), one.getAttribute('aria-valuemax'), one.getAttribute('aria-valuetext'),
      Math.round((100 * one.firstChild.getBoundingClientRect().width) / one.clientWidth)]));
  equal(meters, [
    ['requests a minute', '28', '30', '28 of 30 used', 93],
    ['prompt tokens a day', '1234567', '2000000', '1,234,567 of 2,000,000 used', 62],
    ['requests in 5 hours', '1', '5', '1 of 5 used', 20],
    ['requests at once', '2', '2', '2 of 2 used', 100],
  ], 'the meters');
});

check('accounts: one is asked again by hand, what is open stays open', async (demo, { page, open }) => {
  const accounts = ALL();
  await tells(page, accounts);
  await open();
  await page.click(`${card('gemini')} summary`);
  const sent = page.waitForRequest('**/admin/clear');
  await page.route('**/admin/clear', (route) => route.fulfill({ json: {} }));
  await page.focus(`${card('gemini')} button`);
  accounts[1].buckets[1].used = 7;
  await page.keyboard.press('Enter');
  equal((await sent).postDataJSON(), { account: 'gemini' }, 'what is sent');
  await reads(page, '#accounts-note', /gemini is asked again/);
  await reads(page, card('gemini'), /7 \/ 20/);
  equal(await page.locator(`${card('gemini')} details`).evaluate((one) => one.open), true, 'the fold');
  equal(await page.evaluate(() => document.activeElement.textContent), 'Ask again now', 'the focus');
});

check('accounts: the tiles and the banner speak for all', async (demo, { page, open }) => {
  const accounts = ALL();
  await tells(page, accounts);
  await open();
  await reads(page, '[data-tile=quota]', /122 of 150/);
  equal(await page.locator('#clear-account').isVisible(), false, 'the button while one takes requests');
  accounts.splice(0, 5, accounts[1], accounts[4]);
  await page.click('#refresh');
  await reads(page, '[data-tile=quota]', /Resting.*back at/);
  equal(await page.locator('#clear-account').isVisible(), true, 'the button while none does');
});

check('accounts: a key to add has its variable, its site and what it gives', async (demo, { page, open }) => {
  await open();
  await page.click('#add-key > summary');
  const one = (provider) => `#add-key-list [data-provider=${provider}]`;
  await reads(page, one('mistral'), /Get a key.*MISTRAL_API_KEY=.*free-llm-proxy key add mistral/);
  await reads(page, one('cloudflare'), /CLOUDFLARE_API_TOKEN=.*CLOUDFLARE_ACCOUNT_ID=/);
  await reads(page, one('kilo'), /PROVIDERS=\+kilo/);
  equal(await page.locator(one('openrouter')).count(), 0, 'one that is on');
  const links = await page.locator('#add-key a').evaluateAll((all) => all.map(({ protocol, rel, target }) => [protocol, rel, target].join(' ')));
  holds(links.length >= 15, `${links.length} links`);
  equal([...new Set(links)], ['https: noopener noreferrer _blank'], 'the links');
});

const FOLDER = `${process.env.UI_WORK}/pictures`;

for (const [name, options] of Object.entries({
  light: { viewport: { width: 1280, height: 800 } },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 844 }, locale: 'ru-RU', hasTouch: true },
})) {
  check(`accounts: a picture, ${name}, where nothing sticks out`, async (demo, { page, open }) => {
    await tells(page, ALL());
    await open();
    await page.click('#add-key > summary');
    equal(await page.evaluate(() => [...document.querySelectorAll('#accounts *')].filter((node) => {
      const box = node.getBoundingClientRect();
      return box.width > 1 && box.right > innerWidth + 1;
    }).map((node) => node.outerHTML.slice(0, 80))), [], 'what sticks out');
    mkdirSync(FOLDER, { recursive: true });
    await page.locator('#accounts').screenshot({ path: `${FOLDER}/${name}-accounts-all.png` });
  }, options);
}

const KEYS = { groq: 'gsk_simulated-0123456789aaaa', dead: 'gsk_simulated-0123456789dead', gemini: 'AIza-simulated-0123456789bbbb', cerebras: 'csk-simulated-0123456789cccc' };

/** What the simulated providers do: one key is unknown, and one account meets a limit that was not known. */
const WORLD = {
  providers: {
    groq: { accounts: [{ name: 'groq#2', keys: [KEYS.groq] }] },
    gemini: { accounts: [{ name: 'gemini', keys: [KEYS.gemini], limits: [{ requests: 5, per: 'day', ends: 'pacific' }] }] },
    cerebras: { accounts: [{ name: 'cerebras', keys: [KEYS.cerebras], meets: { steps: ['ok', 'ok', 'ok', { case: 'cerebras tokens per minute' }], then: 'ok' } }] },
  },
};

/** A proxy with five accounts on that world. */
async function five(demo) {
  mkdirSync(`${process.env.UI_WORK}/accounts`, { recursive: true });
  const file = `${process.env.UI_WORK}/accounts/providers.toml`;
  const at = (name, base, limits = '') => `[providers.${name}]\nbase_url = "${demo.simulator}/providers/${name}${base}"\n${limits}\n`;
  writeFileSync(file, at('groq', '/openai/v1', 'limits = [{ requests = 30, per = "minute", of = "account" }]')
    + at('gemini', '/v1beta/openai', 'limits = [{ requests = 5, per = "day", of = "account", ends = "pacific" }]') + at('cerebras', '/v1'));
  const settings = { CONFIG_FILE: file, PROVIDERS: 'openrouter,groq,gemini,cerebras', TRAINING: 'allow', MODEL_FIELD: 'pin',
    GROQ_API_KEY: `${KEYS.dead},${KEYS.groq}`, GEMINI_API_KEY: KEYS.gemini, CEREBRAS_API_KEY: KEYS.cerebras };
  const other = await demo.serve('accounts', 0, KEY, settings);
  await eventually(async () => (await fetch(`${other.url}/ready`)).ok, 'it is ready');
  return other;
}

const SIZES = {
  light: { viewport: { width: 1280, height: 800 }, locale: 'en-GB' },
  dark: { viewport: { width: 1280, height: 800 }, locale: 'en-GB', colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, locale: 'ru-RU', hasTouch: true },
};

check('pictures: five accounts, one out for today, one refused, one learnt limit', async (demo) => {
  await demo.situation(WORLD);
  const other = await five(demo);
  try {
    for (const [model, times] of [['gemini/auto', 5], ['cerebras/auto', 4], ['groq/auto', 4]]) {
      for (let n = 0; n < times; n += 1) await other.ask({ model });
    }
    for (const [name, options] of Object.entries(SIZES)) {
      const { page, context, faults, open } = await tab(other, options);
      await open();
      await reads(page, '#accounts-count', /[25]/);
      equal(await page.locator('.account').evaluateAll((all) => all.map((one) => [one.dataset.label, one.dataset.state].join(' '))),
        ['openrouter awake', 'groq key_refused', 'groq#2 awake', 'gemini out', 'cerebras awake'], 'the accounts');
      await page.locator('#accounts').screenshot({ path: `${FOLDER}/${name}-accounts.png` });
      await page.screenshot({ path: `${FOLDER}/${name}-accounts-page.png`, fullPage: true });
      if (options.locale === 'en-GB') {
        await reads(page, card('gemini'), /requests a day.*5 \/ 5.*set/);
        equal(await page.locator(`${card('gemini')} button`).count(), 0, 'buttons for a count that only time ends');
        await reads(page, card('cerebras'), /tokens a minute.*learnt/);
      }
      equal(faults, [], 'what the browser complains of');
      await context.close();
    }
  } finally {
    await other.stop();
  }
});
