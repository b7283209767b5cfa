// A browser tab under observation: what it requests, and what it complains about.

import { createRequire } from 'node:module';

import { KEY } from './demo.mjs';

// Installed beside the binary's logs, not in the source tree.
const { chromium } = createRequire(`${process.env.UI_WORK}/`)('playwright-core');

let browser = null;

export async function launch() {
  // As root, Chromium has no sandbox; it only opens our own page here.
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
}

export const quit = () => browser?.close();

/** A new browser context with one tab, and what is done with it. */
export async function tab(demo, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options });
  const faults = [];
  const allowed = [];
  const origin = new URL(demo.url).origin;
  const watch = (page) => {
    page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (!allowed.some((pattern) => pattern.test(message.text()))) faults.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) faults.push(`a request to ${request.url()}`);
    });
  };
  context.on('page', watch);
  await context.exposeBinding('violated', (_, what) => faults.push(`CSP: ${what}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.violated(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  /** Opens the page and gives it the key. */
  const login = async (key = KEY) => {
    await page.goto(`${demo.url}/ui`);
    await page.fill('#key', key);
    await page.press('#key', 'Enter');
  };
  /** The same, and waits until it is live. */
  const open = async () => {
    await login();
    await page.waitForSelector('.rows .row');
  };
  /** The browser itself complains of every answer that is no 2xx. */
  const allow = (...patterns) => allowed.push(...patterns);
  return { context, page, faults, allow, login, open };
}
