// Pictures of the page, for people to look at: e2e/.work/ui/pictures.

import { mkdirSync } from 'node:fs';

import { check, reads, row } from '../checks.mjs';
import { limited, paced } from '../demo.mjs';

const FOLDER = `${process.env.UI_WORK}/pictures`;

for (const [name, options] of Object.entries({
  light: { viewport: { width: 1280, height: 800 } },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, locale: 'ru-RU', hasTouch: true },
})) {
  check(`pictures: ${name}`, async (demo, { page, open }) => {
    mkdirSync(FOLDER, { recursive: true });
    await page.goto(`${demo.url}/ui`);
    await page.screenshot({ path: `${FOLDER}/${name}-login.png` });
    await demo.situation({ models: { [demo.models[0]]: limited(200) }, default: paced({ reasoning: 'A short greeting will do.', delay_ms: 10 }) });
    await open();
    await page.fill('#prompt', 'Hello! Who are you?');
    await page.click('#send');
    await page.waitForSelector(`${row(demo.models[0])}[data-state=resting]`);
    await reads(page, '#play-status', /:/);
    await page.click('#presets button:last-child');
    await page.waitForSelector('.candidates');
    for (const [part, place] of [['top', '#content'], ['models', '#models'], ['play', '#play'], ['explain', '#explain']]) {
      await page.locator(place).evaluate((node) => node.scrollIntoView({ block: 'start', behavior: 'instant' }));
      // Everything is painted before the picture is taken.
      await page.waitForTimeout(300);
      await page.screenshot({ path: `${FOLDER}/${name}-${part}.png` });
    }
  }, options);
}
