// Runs the checks one after the other, each in a new tab, and prints how each went.

import { launch, quit, tab } from './browser.mjs';
import { CHECKS } from './checks.mjs';
import { Demo } from './demo.mjs';

import './checks/watch.mjs';
import './checks/key.mjs';
import './checks/live.mjs';
import './checks/accounts.mjs';
import './checks/play.mjs';
import './checks/explain.mjs';
import './checks/look.mjs';
import './checks/many.mjs';
import './checks/restart.mjs';
import './checks/trouble.mjs';
import './checks/pictures.mjs';

const LIMIT_MS = 60_000;

async function run({ run: body, options }, demo) {
  await demo.situation();
  const watched = await tab(demo, options);
  let timer;
  const tooLong = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not done after ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  try {
    await Promise.race([body(demo, watched), tooLong]);
    if (watched.faults.length > 0) throw new Error(`the browser complains: ${watched.faults.join('\n')}`);
  } catch (error) {
    await watched.page.screenshot({ path: `${process.env.UI_WORK}/failed.png` }).catch(() => {});
    if (watched.faults.length > 0) error.stack += `\n${watched.faults.join('\n')}`;
    throw error;
  } finally {
    clearTimeout(timer);
    await watched.context.close();
  }
}

const words = process.argv.slice(2);
const chosen = CHECKS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
if (chosen.length === 0) {
  console.log(['no check has such a name:', ...CHECKS.map(({ name }) => name)].join('\n  '));
  process.exit(2);
}
const demo = await Demo.start('demo');
console.log(`== checking ${process.env.FREE_LLM_PROXY_BIN} at ${demo.url}/ui, log in ${demo.logFile}\n`);
await launch();
const failed = [];
for (const one of chosen) {
  const begun = performance.now();
  let verdict = 'ok';
  try {
    await run(one, demo);
  } catch (error) {
    verdict = 'FAILED';
    failed.push(`${one.name}\n${error.stack}`);
  }
  console.log(`${`${one.name} `.padEnd(64, '.')} ${verdict} ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}
await quit();
await demo.stop();
for (const each of failed) console.log(`\n-- ${each}`);
console.log(`\n${chosen.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 ? 1 : 0);
