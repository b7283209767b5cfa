// The dry run, and the settings for agents.

import { tab } from '../browser.mjs';
import { check, equal, holds, reads, row, text } from '../checks.mjs';
import { KEY, eventually, limited, paced } from '../demo.mjs';

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

/** A proxy that goes by cost and waits, in the world of `demo`, and its page. */
async function balanced(demo, name, run) {
  const other = await demo.serve(name, 0, KEY, { ROUTING: 'balanced', WAIT_SEC: '20' });
  const { page, context, open, faults } = await tab(other);
  try {
    await eventually(async () => (await fetch(`${other.url}/ready`)).ok, 'it is ready');
    await open();
    await run(other, page);
    equal(faults, [], 'what the browser complains of');
  } finally {
    await context.close();
    await other.stop();
  }
}

check('next: the three that would be asked, and why, as explain has them', async (demo) => {
  const [first] = demo.models;
  await demo.situation({ models: { [first]: paced({ first_delay_ms: 6500, delay_ms: 0 }) } });
  await balanced(demo, 'next', async (other, page) => {
    await reads(page, '#next-list li', /Ling-2\.6-flash.*1\.6 s.*1\.5 s to the first token, 0\.1 s for failures$/);
    await other.ask({ stream: true });
    // The favourite was slow: another is asked, and the page says by what.
    await reads(page, '#next-list li', /Ling-2\.6-1T.*3\.6 s.*2\.0 s for its place, 1\.5 s to the first token, 0\.1 s for failures$/);
    equal(await page.locator('#next-list li').count(), 3, 'how many are shown');
    await page.click('#presets button:has-text("plain")');
    await reads(page, '.candidates li .cost', /s to the first token/);
    const explained = await (await other.post('/admin/explain', { messages: [{ role: 'user', content: 'Another.' }] })).json();
    const shown = await page.locator('#next-list li').evaluateAll((all) => all.map((each) => each.dataset.id));
    equal(shown, explained.candidates.slice(0, 3), 'the order');
    await page.locator('#next').scrollIntoViewIfNeeded();
    await page.locator('#next').screenshot({ path: `${process.env.UI_WORK}/next.png` });
    await page.click('#language');
    await reads(page, '#next-list li', /2,0 с за место в списке, 1,5 с до первого токена, 0,1 с на неудачи$/);
  });
});

check('next: in rank order no cost is told', async (demo, { page, open }) => {
  await open();
  await reads(page, '#next-note', /In the order of the ranking/);
  equal(await page.locator('#next-list li').count(), 3, 'how many are shown');
  equal(await page.locator('#next-list .cost').count(), 0, 'costs');
});

check('next: who waits, and for how long', async (demo) => {
  const [sample] = demo.sample.models;
  await demo.situation({ models: { [sample.id]: { steps: [limited(8)], then: 'ok' } } }, [sample]);
  await balanced(demo, 'waiting', async (other, page) => {
    const asked = other.ask();
    await reads(page, '#waiting', /^1 request waits; the first model or quota returns in [3-8] s at the earliest$/);
    await reads(page, '#next-note', /No model can be asked now/);
    await page.click('#presets button:has-text("plain")');
    await reads(page, '#explanation', /the request would wait for the first to return\. At least/);
    equal((await asked).status, 200, 'what the one that waited got');
    await eventually(async () => await page.locator('#waiting').textContent() === '', 'nobody waits');
    await reads(page, '#next-list li', /Ling-2\.6-flash/);
  });
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
