// Colours, sizes, languages, keys.

import { check, equal, holds, reads, text } from '../checks.mjs';
import { eventually } from '../demo.mjs';

const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
/** The browser tells the page of the system's new colours with the next frame it draws, not at once. */
const becomes = (page, colour, what) => eventually(async () => await background(page) === colour, what);
const LIGHT = 'rgb(245, 246, 247)';
const DARK = 'rgb(15, 19, 23)';

check('look: light and dark, by the system and by hand', async (demo, { page, open }) => {
  await open();
  equal(await background(page), LIGHT, 'a light system');
  await page.emulateMedia({ colorScheme: 'dark' });
  await becomes(page, DARK, 'a dark system');
  await page.click('#theme');
  equal(await background(page), LIGHT, 'chosen by hand');
  await page.reload();
  equal(await background(page), LIGHT, 'after a reload');
});

/** Of everything with a text of its own: its colour against what is behind it. */
const pale = (page) => page.evaluate(() => {
  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let up = node; up; up = up.parentElement) {
      const colour = parse(getComputedStyle(up).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.disabled || node.tagName === 'OPTION') continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${node.className || node.tagName} ${node.textContent.slice(0, 20)} ${contrast.toFixed(1)}`);
  }
  return found;
});

check('look: every text stands out enough (4.5 : 1), in both themes', async (demo, { page, open }) => {
  await demo.situation({ models: { [demo.models[0]]: { failure: { name: 'provider_limit_retry_after', retry_after: 60 } } } });
  await open();
  await demo.ask();
  await page.waitForSelector('[data-state=resting]');
  await page.click('#presets button:has-text("seed")');
  await page.waitForSelector('.candidates');
  equal(await pale(page), [], 'pale texts in the light');
  await page.click('#theme');
  equal(await pale(page), [], 'pale texts in the dark');
});

for (const [locale, width] of [['en-GB', 360], ['ru-RU', 360], ['ru-RU', 768]]) {
  check(`look: ${width} wide, ${locale}: nothing sticks out`, async (demo, { page, open }) => {
    await demo.situation({ models: { [demo.models[0]]: { failure: { name: 'provider_limit_retry_after', retry_after: 60 } } } });
    await open();
    await demo.ask();
    await page.waitForSelector('[data-state=resting]');
    await page.click('#presets button:last-child');
    await page.waitForSelector('.candidates');
    const wide = await page.evaluate(() => [...document.querySelectorAll('main *')].filter((node) => {
      const box = node.getBoundingClientRect();
      // The content of a scrolling box may be wider; `.unseen` is for screen readers.
      return box.width > 1 && box.right > innerWidth + 1 && !node.closest('pre, .unseen, .head, .u-wrap, textarea');
    }).map((node) => `${node.tagName}.${node.className} ${node.textContent.slice(0, 30)}`));
    equal(wide, [], 'what sticks out');
    equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'no scrolling sideways');
  }, { locale, viewport: { width, height: 780 }, hasTouch: true });
}

check('look: Russian first where the browser says so, and a switch', async (demo, { page, open }) => {
  await open();
  equal(await page.getAttribute('html', 'lang'), 'ru', 'the language');
  holds(/Модели/.test(await text(page, '#models-title')), 'a title');
  await demo.ask();
  await reads(page, '#sentence', /На запросы отвечает/);
  await page.click('#language');
  await reads(page, '#sentence', /Requests are being answered/);
  equal(await page.getAttribute('html', 'lang'), 'en', 'the language after the switch');
  const russian = await page.evaluate(() => [...document.querySelectorAll('main *')].filter((node) => node.children.length === 0
    && /[а-яё]/i.test(node.textContent)).map((node) => node.textContent));
  equal(russian, [], 'what is still Russian');
  await page.reload();
  await reads(page, '#models-title', /Models/);
}, { locale: 'ru-RU' });

check('look: no word of another language is left in the Russian page', async (demo, { page, open }) => {
  await demo.situation({ models: { [demo.models[0]]: { failure: { name: 'provider_limit_retry_after', retry_after: 60 } } } });
  await open();
  await demo.ask();
  await page.waitForSelector('[data-state=resting]');
  const english = await page.evaluate(() => [...document.querySelectorAll('[data-t], .mark, .hint, label, legend, dt, small, .next')]
    .map((node) => node.textContent.trim()).filter((text) => /[a-z]{3}/.test(text) && !/[а-яё]/i.test(text)));
  equal(english.filter((text) => !/^(seed|stop|(https?:)?.*\/.*)$/.test(text)), [], 'what is not Russian');
}, { locale: 'ru-RU' });

check('look: all of it by keyboard, with names and a visible focus', async (demo, { page }) => {
  await page.goto(`${demo.url}/ui`);
  await page.keyboard.type('demo-key');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.rows .row');
  await page.reload();
  await page.waitForSelector('.rows .row');
  const reached = new Set();
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press('Tab');
    const now = await page.evaluate(() => {
      const node = document.activeElement;
      const style = getComputedStyle(node.matches('#span input') ? node.nextElementSibling : node);
      return { what: node.id || node.textContent.trim().slice(0, 20), outline: style.outlineStyle, body: node === document.body };
    });
    if (now.body) break;
    holds(now.outline !== 'none', `the focus on ${now.what} is seen`);
    reached.add(now.what);
  }
  for (const what of ['Skip to the content', 'language', 'theme', 'filter', 'refresh', 'prompt', 'send', 'thinking', 'body', 'agent']) {
    holds(reached.has(what), `${what} is reached: ${[...reached]}`);
  }
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, a')].filter((node) =>
    node.checkVisibility() && !(node.labels?.length || node.getAttribute('aria-label') || node.textContent.trim()))
    .map((node) => node.outerHTML));
  equal(nameless, [], 'what has no name');
  equal(await page.getAttribute('#sentence', 'aria-live'), 'polite', 'the banner is read out');
});
