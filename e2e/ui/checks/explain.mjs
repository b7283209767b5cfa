// The dry run, and the settings for agents.

import { check, equal, holds, reads, row, text } from '../checks.mjs';
import { KEY, limited } from '../demo.mjs';

check('explain: who would be asked, and why not the others', async (demo, { page, open }) => {
  const [first] = demo.models;
  await demo.situation({ models: { [first]: limited(600) } });
  await open();
  await demo.ask();
  await page.waitForSelector(`${row(first)}[data-state=resting]`);
  const before = (await demo.asked()).length;
  await page.click('#presets button:has-text("thinking")');
  await reads(page, '#explanation', /It needs: thinking/);
  await reads(page, '.candidates li', /MiniMax/);
  await reads(page, '.left-out', /resting, rate limited \(HTTP 429\), until .*cannot do: thinking|cannot do: thinking/);
  await page.click('#presets button:has-text("plain")');
  await reads(page, '#explanation', /nothing special/);
  await reads(page, '.left-out li', /Ling-2\.6-flash.*resting, rate limited \(HTTP 429\), until/);
  equal((await demo.asked()).length, before, 'requests that went upstream');
});

check('explain: what no model can do, and what is not a request', async (demo, { page, open, allow }) => {
  allow(/400/);
  await demo.situation({}, demo.sample.models.slice(0, 2).map((model) => ({ ...model, supportsSeed: false })));
  await open();
  await page.click('#presets button:has-text("seed")');
  await reads(page, '#explanation', /No listed model can do this.*no_capable_model.*cannot do: seed/s);
  await page.fill('#body', '{"messages": ');
  await page.click('#explain-form [type=submit]');
  await reads(page, '#explanation', /not JSON/);
  await page.fill('#body', '{"messages": 5}');
  await page.click('#explain-form [type=submit]');
  await reads(page, '#explanation .error', /messages/);
});

check('agents: commands and addresses to paste, without the key', async (demo, { page, context, open }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open();
  const found = {};
  for (const agent of await page.locator('#agent option').evaluateAll((all) => all.map((each) => each.value))) {
    await page.selectOption('#agent', agent);
    found[agent] = await text(page, '#settings');
    holds(found[agent].includes(demo.url), `${agent} gets the address`);
    holds(found[agent].includes('<PROXY_API_KEY>') && !found[agent].includes(KEY), `${agent} gets a placeholder`);
  }
  holds(found.codex.includes('free-llm-proxy setup codex'), found.codex);
  await page.selectOption('#agent', 'claude');
  await page.click('.paste button');
  await reads(page, '.paste button', /Copied/);
  equal(await page.evaluate(() => navigator.clipboard.readText()), 'free-llm-proxy setup claude', 'what was copied');
});
