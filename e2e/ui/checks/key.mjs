// The key: without it nothing is shown, and it stays in the tab.

import { check, equal, holds, reads, text } from '../checks.mjs';
import { KEY } from '../demo.mjs';

const stored = (page) => page.evaluate(() => ({
  session: { ...sessionStorage }, local: { ...localStorage }, cookie: document.cookie, url: location.href,
}));

check('key: without one the page says so, and asks nothing', async (demo, { page }) => {
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${demo.url}/ui/`);
  equal(new URL(page.url()).pathname, '/ui', 'where the page is');
  await page.waitForSelector('#login:not([hidden])');
  holds(/key/i.test(await text(page, '#login')), 'it asks for a key');
  equal(await page.evaluate(() => document.activeElement.id), 'key', 'where one can type');
  equal(await page.locator('#board').isVisible(), false, 'whether more is shown');
  await page.fill('#key', '   ');
  await page.press('#key', 'Enter');
  await reads(page, '#login-error', /nothing to see/);
  holds(asked.every((path) => path.startsWith('/ui')), `only files are asked for: ${asked}`);
});

check('key: a wrong one is recognised, and is not kept', async (demo, { page, login, allow }) => {
  allow(/401/);
  for (const wrong of ['sk-or-v1-0123', 'ключ', 'two words']) {
    await login(wrong);
    await reads(page, '#login-error', /not the key of the proxy/);
    equal(await page.locator('#board').isVisible(), false, 'whether more is shown');
    equal(await page.inputValue('#key'), '', 'the content of the field');
  }
  equal((await stored(page)).session, {}, 'what is kept');
});

check('key: the right one opens, stays in the tab, and is forgotten on request', async (demo, { page, context, open }) => {
  await open();
  await reads(page, '#sentence', /next request goes to|being answered/);
  const kept = await stored(page);
  equal(Object.values(kept.session), [KEY], 'what the tab keeps');
  equal([kept.local, kept.cookie], [{}, ''], 'what the browser keeps');
  equal(kept.url, `${demo.url}/ui`, 'the address');
  equal(await context.cookies(), [], 'cookies');
  await page.reload();
  await page.waitForSelector('.rows .row');
  const other = await context.newPage();
  await other.goto(`${demo.url}/ui`);
  await other.waitForSelector('#login:not([hidden])');
  await page.click('#leave');
  await page.waitForSelector('#login:not([hidden])');
  equal((await stored(page)).session, {}, 'what is kept after leaving');
});
