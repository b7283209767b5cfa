// All accounts together: whether any takes requests, and what is left of their days.

/** `awake`, `resting`, `out`, `key_refused`; `probing` while one request is finding out whether a rest helped. */
export const stateOf = ({ state, probing }) => (probing ? 'probing' : state);

/** Whether it takes no requests now; one that is being tried does. */
export const isAway = (account) => !['awake', 'probing'].includes(stateOf(account));

/** Whether it rests, which an operator can end; a quota that is counted here only ends by itself. */
export const isRest = ({ resting_sec: left }) => left != null;

/** The account that returns first, if none takes requests. */
export function firstBack(accounts) {
  if (accounts.length === 0 || !accounts.every(isAway)) return null;
  const at = ({ until }) => (until ? Date.parse(until) : Infinity);
  return accounts.reduce((first, each) => (at(each) < at(first) ? each : first));
}

/** What an account is out of: `key`, `credit`, `day`, `minute`; `null` if it only rests. */
export function goneOf({ state, limit, buckets }) {
  if (state === 'key_refused') return 'key';
  if (limit) return limit;
  if (state !== 'out') return null;
  const spent = buckets.filter((each) => each.used >= each.limit && each.model == null).map(({ per }) => per);
  return spent.length === 0 || spent.includes('day') ? 'day' : spent.includes('minute') ? 'minute' : null;
}

/**
 * The day's requests of all accounts for which they are known: `{used, limit, accounts, back, told}`, or
 * `null`. `told` is when a single account's provider reported them.
 */
export function dayOf(accounts) {
  const days = accounts.map(daysOf).filter((days) => days.length > 0);
  if (days.length === 0) return null;
  const all = days.flat();
  const sum = (name) => all.reduce((total, each) => total + Math.min(each[name], each.limit), 0);
  const backs = all.map((each) => each.resets_at).filter(Boolean).sort();
  return { used: sum('used'), limit: sum('limit'), accounts: days.length, back: backs[0] ?? null,
    told: accounts.length === 1 ? all[0].told_at : null };
}

/** What the provider reports for the day, else the account's own count, else those of its models. */
function daysOf({ today, buckets }) {
  if (today) return [today];
  const days = buckets.filter(isDay);
  return days.some(ofAll) ? days.filter(ofAll) : days;
}

const isDay = ({ unit, per }) => unit === 'requests' && per === 'day';
const ofAll = ({ model }) => model == null;
