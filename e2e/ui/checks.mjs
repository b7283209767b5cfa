// The list of checks, and their helpers.

import { eventually } from './demo.mjs';

export const CHECKS = [];

/** Puts a function into the list; it is called with a demo and a new tab, whose `options` these are. */
export function check(name, run, options = {}) {
  CHECKS.push({ name, run, options });
}

export function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

export function holds(truth, what) {
  if (!truth) throw new Error(`it does not hold: ${what}`);
}

export const text = (page, selector) => page.locator(selector).first().innerText();

/** Waits until the text of an element fits. */
export const reads = async (page, selector, pattern, limitMs) => {
  let last = '';
  try {
    return await eventually(async () => {
      last = await page.locator(selector).first().textContent({ timeout: 500 }).catch(() => '(nothing)');
      return pattern.test(last) && last;
    }, `${selector} reads ${pattern}`, limitMs);
  } catch (error) {
    throw new Error(`${error.message}; it reads ${JSON.stringify(last)}`);
  }
};

/** The row of a model. */
export const row = (id) => `.rows .row[data-id=${JSON.stringify(id)}]`;
