// The proxy goes and comes back under an open page.

import { tab } from '../browser.mjs';
import { check, reads } from '../checks.mjs';
import { Demo } from '../demo.mjs';

/** The browser complains of every try. */
const LOST = [/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|Failed to load|503/];

check('restart: the page finds a proxy that was restarted', async () => {
  let other = await Demo.start('restarted');
  const { page, context, open, allow } = await tab(other);
  allow(...LOST);
  try {
    await open();
    await other.ask();
    await reads(page, '#requests-list', /answered/);
    await other.stop();
    await reads(page, '#sentence', /does not answer/);
    other = await Demo.start('restarted', other.port);
    await reads(page, '#aside', /was restarted/, 20_000);
    await reads(page, '#sentence', /next request goes to/);
    await reads(page, '#requests-list', /No request has ended/);
    await other.ask();
    await reads(page, '#requests-list', /answered/);
  } finally {
    await context.close();
    await other.stop();
  }
});

check('restart: with another key the page asks for it', async (demo) => {
  let other = await Demo.start('rekeyed');
  const { page, context, open, allow } = await tab(other);
  allow(...LOST, /401/);
  try {
    await open();
    await other.stop();
    other = await demo.serve('rekeyed', other.port, 'another-key-0123');
    await reads(page, '#login-error', /not the key of the proxy/, 20_000);
  } finally {
    await context.close();
    await other.stop();
  }
});
