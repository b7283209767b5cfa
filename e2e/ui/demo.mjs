// A demo as a process, and its simulated world.

import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const KEY = 'demo-key';

// Each world ends with this process.
process.setMaxListeners(0);

/** The first answer of `ask` that is truthy. */
export async function eventually(ask, what, limitMs = 8000) {
  const until = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(40);
  }
}

/** More free requests of the day than all checks need: the proxy asks for no more than it is told of. */
const PLENTY = { status: { status: 200, body: { data: { free_model_daily_requests: { used: 2, limit: 1000, remaining: 998 } } } } };

/** The script's step for a 429 of one model. */
export const limited = (seconds) => ({ failure: { name: 'provider_limit_retry_after', retry_after: seconds } });
/** An answer at a pace that can be watched. */
export const paced = (more = {}) => ({ ok: { chunks: 12, delay_ms: 60, ...more } });

export class Demo {
  /** `port` 0 takes a free one; with no provider but these. */
  static async start(name, port = 0, providers = 'openrouter') {
    const demo = new Demo();
    demo.spawn(name, 'demo', { PORT: String(port) }, ['--providers', providers]);
    demo.url = (await demo.said(/Address\s+(http:\/\/\S+)\/v1\b/))[1];
    demo.simulator = (await demo.said(/GET (http:\/\/\S+)\/requests\b/))[1];
    await eventually(async () => (await fetch(`${demo.url}/ready`)).ok, 'the demo is ready');
    demo.sample = await (await fetch(`${demo.simulator}/api/free-llm/top-models`)).json();
    demo.models = demo.sample.models.map((model) => model.id);
    return demo;
  }

  /** A proxy with a key of its own on the simulated world of this one. */
  async serve(name, port, key, more = {}) {
    const other = new Demo();
    const settings = { PORT: String(port), HOST: '127.0.0.1', PROXY_API_KEY: key, OPENROUTER_API_KEY: 'sk-or-v1-simulated' };
    other.spawn(name, 'serve', { ...settings, MODELS_LIST_URL: `${this.simulator}/api/free-llm/top-models`,
      UPSTREAM_BASE_URL: `${this.simulator}/api/v1`, ...more });
    other.url = `http://${(await other.said(/"event":"serving","address":"([^"]+)"/))[1]}`;
    return other;
  }

  /** Runs the binary in a folder and an environment of its own: no `.env`, no settings but these. */
  spawn(name, command, settings, flags = []) {
    const folder = join(process.env.UI_WORK, name);
    mkdirSync(folder, { recursive: true });
    this.logFile = join(folder, `${command}.log`);
    const log = openSync(this.logFile, 'w');
    // What the page makes of a 503 is checked here, not how long the proxy waits before it says so.
    const env = { PATH: process.env.PATH, HOME: folder, ROUTING: 'rank', WAIT_SEC: '0', ...settings };
    this.process = spawn(process.env.FREE_LLM_PROXY_BIN, [command, ...flags], { cwd: folder, env, stdio: ['ignore', log, log] });
    process.on('exit', () => this.process.kill('SIGKILL'));
  }

  said(pattern) {
    return eventually(() => {
      const text = readFileSync(this.logFile, 'utf8');
      if (this.process.exitCode !== null) throw new Error(`the demo ended and said: ${text}`);
      return text.match(pattern);
    }, `the demo prints ${pattern}`, 15_000);
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  /** From here on the simulated world follows `script`, and every model is awake. */
  async situation(script = {}, models = null) {
    const list = models && { list: { status: { status: 200, body: { updatedAt: this.sample.updatedAt, models } } } };
    // Where a key is wrong, its endpoint says so too.
    const day = script.upstream_key ? {} : { key: PLENTY };
    const put = await fetch(`${this.simulator}/script`, { method: 'PUT', body: JSON.stringify({ ...day, ...script, ...list }) });
    if (!put.ok) throw new Error(`the simulator refused the script: ${await put.text()}`);
    const refreshed = await this.post('/admin/refresh', {});
    if (!refreshed.ok) throw new Error(`the list could not be read: ${await refreshed.text()}`);
    await fetch(`${this.simulator}/requests`, { method: 'DELETE' });
  }

  post(path, body) {
    return fetch(this.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** A plain request of another client, read to its end. */
  async ask(more = {}) {
    const answer = await this.post('/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello!' }], ...more });
    await answer.text();
    return answer;
  }

  /** The models that were asked since the situation was made. */
  async asked() {
    const { requests } = await (await fetch(`${this.simulator}/requests`)).json();
    return requests.map((request) => request.model).filter((model) => model !== null);
  }

  async stop() {
    if (this.process.exitCode !== null) return;
    const ended = new Promise((done) => { this.process.once('exit', done); });
    this.process.kill('SIGTERM');
    await ended;
  }
}
