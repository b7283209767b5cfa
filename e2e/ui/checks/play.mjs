// The playground.

import { check, equal, holds, reads, text } from '../checks.mjs';
import { eventually, limited, paced } from '../demo.mjs';

const SECRET = 'a prompt that must not be kept 7391';

async function send(page, prompt) {
  await page.fill('#prompt', prompt);
  await page.press('#prompt', 'Control+Enter');
}

check('play: an answer streams, thinking apart, with model and trail', async (demo, { page, open }) => {
  const [first, second] = demo.models;
  const says = 'One two three four five six seven eight nine ten <b>eleven</b>.';
  await demo.situation({ models: { [first]: limited(60), [second]: paced({ text: says, reasoning: 'Let me <i>count</i>.' }) } });
  await open();
  await send(page, SECRET);
  await page.waitForSelector('#answer:not([hidden])');
  const some = await page.locator('#answer').textContent();
  holds(some.length < says.length, `it comes in pieces: ${some}`);
  await reads(page, '#play-status', /Ling-2\.6-1T answered: first word after .* all of it after/);
  equal(await page.locator('#answer').textContent(), says, 'the answer');
  equal(await page.locator('#thought-text').textContent(), 'Let me <i>count</i>.', 'the thinking');
  await eventually(async () => await page.locator('#play-trail .trail li').count() === 2, 'the trail');
  holds(/rate limited/.test(await text(page, '#play-trail .trail')), 'who failed first');
  equal(await page.locator('#answer b, #thought i').count(), 0, 'elements made of an answer');

  const kept = await page.evaluate(async () => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, location.href,
    document.cookie, await caches.keys(), (await indexedDB.databases()).length]));
  holds(!kept.includes('7391'), `the prompt is not kept: ${kept}`);
  await page.reload();
  equal(await page.inputValue('#prompt'), '', 'the prompt after a reload');
  holds(!(await page.content()).includes('7391'), 'nothing of it comes back');
});

check('play: a refusal, a break and a stop are shown', async (demo, { page, open, allow }) => {
  allow(/503/);
  await demo.situation({ default: limited(60) }, demo.sample.models.slice(0, 2));
  await open();
  await send(page, 'Hello');
  await reads(page, '#play-status', /No answer: (?!.*again.*again).*Try again in \d+ (s|min)/);
  await eventually(async () => await page.locator('#play-trail .trail li').count() === 2, 'the trail');

  await demo.situation({ default: { stream: { fault: 'error', after: 3 } } });
  await send(page, 'Hello');
  await reads(page, '#play-status', /No answer: ./);
  await eventually(async () => (await page.locator('#answer').textContent()).length > 0, 'what had come stays');

  await demo.situation({ default: { stream: { fault: 'content_forever', answer: { delay_ms: 50 } } } });
  await send(page, 'Hello');
  await reads(page, '#play-status', /is answering/);
  await page.click('#stop');
  await reads(page, '#play-status', /Stopped/);
  equal(await page.isEnabled('#send'), true, 'whether one can send again');
  await reads(page, '#requests-list li', /client left/);
});

check('play: asking for thinking asks those who can', async (demo, { page, open }) => {
  await open();
  await page.check('#thinking');
  await send(page, 'Hello');
  await reads(page, '#play-status', /MiniMax M2\.5 answered/);
});
