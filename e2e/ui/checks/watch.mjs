// The watching itself detects something: every other check relies on it.

import { check, holds } from '../checks.mjs';
import { eventually } from '../demo.mjs';

check('watch: errors, violations and foreign requests are seen', async (demo, { page, faults, open }) => {
  await open();
  holds(faults.length === 0, `nothing to begin with: ${faults}`);
  await page.evaluate(() => {
    console.error('an error');
    document.body.setAttribute('style', 'color: red');
    const script = document.createElement('script');
    script.textContent = 'window.pwned = 1';
    document.body.append(script);
    fetch('http://127.0.0.2:9/').catch(() => {});
    setTimeout(() => { throw new Error('thrown'); });
  });
  for (const pattern of [/an error/, /CSP: style-src/, /CSP: script-src/, /CSP: connect-src/, /error: thrown/]) {
    await eventually(() => faults.some((fault) => pattern.test(fault)), `${pattern} among ${faults}`);
  }
  holds(await page.evaluate(() => window.pwned === undefined), 'the script did not run');
  faults.length = 0;
});
