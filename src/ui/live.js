// Keeps the page in step with the proxy: the state, read again when it must have changed, and the
// events in between. Parts that show something subscribe.

import { ask, get, Refused } from './api.js';
import { events } from './sse.js';

const KEEP_REQUESTS = 50;
const KEEP_ATTEMPTS = 200;
/** A comment comes every 15 s: after this long without one the connection is dead. */
const SILENCE_MS = 40_000;
/** How often figures and charts are updated, with traffic and without. */
const BUSY_MS = 5000;
const IDLE_MS = 30_000;
/** The delay after a change, and the minimum interval between reads. */
const SOON_MS = 250;
const GAP_MS = 1500;
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
/** How often the page checks that the proxy is alive, and how long it waits for that: three seconds in all. */
const LOOK_MS = 1000;
const PATIENCE_MS = 2000;
/** A hidden tab closes its connection: a browser allows six per host. */
const HIDDEN_MS = 60_000;

const listeners = new Map();
let run = null;

export const live = {
  state: null,
  /** The last requests, newest first. */
  requests: [],
  /** Ended attempts, oldest first: they show the trail of a request that is still in progress. */
  attempts: [],
  /** `connecting`, `live`, `polling` (no events: too many listeners, or the proxy is draining), `lost`. */
  connection: 'connecting',
  /** When the proxy was found to be a different process. */
  restarted: null,
  /** The proxy's clock minus this one's, in milliseconds. */
  offset: 0,
};

/** Calls `listener` on `state`, `requests`, `attempts`, `connection` or `tick`. */
export function on(what, listener) {
  if (!listeners.has(what)) listeners.set(what, new Set());
  listeners.get(what).add(listener);
}

function tell(what) {
  for (const listener of listeners.get(what) ?? []) listener();
}

/** The proxy's time. */
export const now = () => Date.now() + live.offset;

/** Seconds until a moment of the proxy's. */
export const secondsUntil = (moment) => (Date.parse(moment) - now()) / 1000;

/** Follows the proxy until `stop`; `refused` is called when the key is wrong. */
export function start(refused) {
  stop();
  const ending = new AbortController();
  run = { ending, refused, timer: null, readAt: 0, cost: 0, wanted: Infinity };
  Object.assign(live, { state: null, requests: [], attempts: [], restarted: null });
  follow(run);
}

export function stop() {
  if (run === null) return;
  run.ending.abort();
  clearTimeout(run.timer);
  run = null;
}

function connected(how) {
  if (live.connection === how) return;
  live.connection = how;
  tell('connection');
}

async function follow(mine) {
  connected('connecting');
  for (let failures = 0; run === mine;) {
    try {
      await listen(mine, () => { failures = 0; });
    } catch (error) {
      if (run !== mine) return;
      if (isShut(error)) {
        stop();
        mine.refused(error);
        return;
      }
      // It answers, but not with events.
      if (error instanceof Refused && await read(mine).catch(() => false)) {
        connected('polling');
        await pause(BUSY_MS);
        continue;
      }
    }
    if (run !== mine) return;
    if (document.hidden) {
      await seen();
      continue;
    }
    connected('lost');
    const wait = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
    failures += 1;
    // Many pages must not reconnect at the same moment.
    await pause(wait * (0.75 + Math.random() / 2));
  }
}

/** Whether this key will never be shown anything. */
const isShut = (error) => error instanceof Refused && [401, 403].includes(error.status);

const pause = (time) => new Promise((done) => { setTimeout(done, time); });
const seen = () => new Promise((done) => {
  document.addEventListener('visibilitychange', done, { once: true });
});

/** Follows one connection until it ends. Events first, then the state, so that nothing is missed. */
async function listen(mine, alive) {
  const cut = new AbortController();
  const whenStopped = () => cut.abort();
  mine.ending.signal.addEventListener('abort', whenStopped, { once: true });
  let silence = setTimeout(() => cut.abort(), SILENCE_MS);
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => cut.abort(), SILENCE_MS);
  };
  let unseen = null;
  const looked = () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = setTimeout(() => cut.abort(), HIDDEN_MS);
  };
  document.addEventListener('visibilitychange', looked);
  looked();
  const watching = setInterval(() => isAlive(cut.signal).then((alive) => alive || cut.abort()), LOOK_MS);
  try {
    const response = await ask('admin/events', { signal: cut.signal });
    for await (const { event, data } of events(response, heard)) {
      if (run !== mine) return;
      await take(mine, event, JSON.parse(data));
      if (event === 'hello') alive();
    }
  } finally {
    clearTimeout(silence);
    clearTimeout(unseen);
    clearInterval(watching);
    document.removeEventListener('visibilitychange', looked);
    mine.ending.signal.removeEventListener('abort', whenStopped);
  }
}

let looking = false;

/** Whether the proxy answers at all: a connection may stay open although its other end is gone. */
async function isAlive(signal) {
  if (looking || document.hidden) return true;
  looking = true;
  try {
    await ask('health', { signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) });
    return true;
  } catch (error) {
    // There was an answer, though not the expected one: a restart, or something else in front of the proxy.
    return error instanceof Refused || signal.aborted;
  } finally {
    looking = false;
  }
}

async function take(mine, event, data) {
  if (event === 'hello') {
    if (live.state && live.state.started_at !== data.started_at) {
      live.restarted = Date.now();
      live.attempts = [];
    }
    if (await read(mine)) connected('live');
  } else if (event === 'attempt') {
    live.attempts.push(data);
    if (live.attempts.length > KEEP_ATTEMPTS) live.attempts.shift();
    tell('attempts');
    if (data.cooldown_until && !data.of_account) rests(data);
    plan(mine, data.cooldown_until ? SOON_MS : BUSY_MS);
  } else if (event === 'request') {
    if (!live.requests.some((known) => known.request_id === data.request_id)) live.requests.unshift(data);
    live.requests.length = Math.min(live.requests.length, KEEP_REQUESTS);
    tell('requests');
    // Good news or bad: only the proxy can say what it means.
    const fits = (data.outcome === 'answered') === (live.state?.condition.code === 'answering');
    plan(mine, fits ? BUSY_MS : SOON_MS);
  } else if (event === 'changed' || event === 'lost') {
    plan(mine, SOON_MS);
  }
}

/** Shows a rest before the state is read again. */
function rests(attempt) {
  if (live.state?.first_choice === attempt.model) {
    const other = live.state.models.find((each) => each.state === 'awake' && each.id !== attempt.model);
    live.state.first_choice = other?.id ?? null;
    if (other && live.state.condition.about.next) live.state.condition.about.next = other.id;
  }
  if (live.state) live.state.next = live.state.next.filter(({ model }) => model !== attempt.model);
  const model = live.state?.models.find((each) => each.id === attempt.model);
  if (!model || model.state === 'resting') return;
  model.state = 'resting';
  model.resting_until = attempt.cooldown_until;
  model.because = attempt;
  model.reason = null;
  tell('state');
}

/** Reads the state in this many milliseconds, unless it is read sooner anyway. */
function plan(mine, delay) {
  if (run !== mine) return;
  // A state that takes long to read is read less often.
  const gap = Math.max(GAP_MS, 10 * mine.cost);
  const due = Math.max(Date.now() + delay, mine.readAt + gap);
  if (due >= mine.wanted) return;
  mine.wanted = due;
  clearTimeout(mine.timer);
  mine.timer = setTimeout(() => read(mine).catch(() => {}), due - Date.now());
}

/** Reads the state; false when it could not be read. */
async function read(mine) {
  mine.wanted = Infinity;
  clearTimeout(mine.timer);
  if (document.hidden && live.state) {
    plan(mine, IDLE_MS);
    return true;
  }
  const asked = Date.now();
  let state;
  try {
    state = await get('admin/state', { signal: mine.ending.signal });
  } catch (error) {
    if (isShut(error)) throw error;
    plan(mine, BUSY_MS);
    return false;
  }
  if (run !== mine) return false;
  const answered = Date.now();
  Object.assign(mine, { readAt: answered, cost: answered - asked });
  live.offset = Date.parse(state.now) - (asked + answered) / 2;
  live.state = state;
  live.requests = state.requests;
  plan(mine, IDLE_MS);
  tell('state');
  tell('requests');
  return true;
}

/** Reads the state now, because an action has changed it. */
export const readSoon = () => run && plan(run, 0);

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) readSoon();
});

setInterval(() => {
  // Countdowns stop while the proxy does not answer.
  if (!live.state || document.hidden || live.connection === 'lost') return;
  tell('tick');
  const over = (until) => until && secondsUntil(until) < -0.3;
  const woken = (each) => each.state === 'resting' && over(each.resting_until);
  const { models, accounts, waiting } = live.state;
  if (run && (models.some(woken) || accounts.some(({ until }) => over(until)) || over(waiting.first_returns_at))) plan(run, SOON_MS);
}, 1000);
