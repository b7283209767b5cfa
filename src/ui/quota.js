// What all accounts come to: whether any takes requests, what is left of their days.

/** Whether it takes no request now; one that is being tried does. */
export const isAway = ({ state }) => !['awake', 'probing'].includes(state);

/** The account that returns first, where none takes requests. */
export function firstBack(accounts) {
  if (accounts.length === 0 || !accounts.every(isAway)) return null;
  const at = ({ until }) => (until ? Date.parse(until) : Infinity);
  return accounts.reduce((first, each) => (at(each) < at(first) ? each : first));
}

/** What an account is out of: `key`, `credit`, `day`, `minute`; `null` where it only rests. */
export function goneOf({ state, limit, buckets }) {
  if (state === 'key_refused') return 'key';
  if (limit) return limit;
  if (state !== 'out') return null;
  const spent = buckets.filter((each) => each.used >= each.limit && each.model == null).map(({ per }) => per);
  return spent.length === 0 || spent.includes('day') ? 'day' : spent.includes('minute') ? 'minute' : null;
}

/** The requests of a day of all accounts of which that is known: `{used, limit, accounts, back}`, or `null`. */
export function dayOf(accounts) {
  const days = accounts.map(({ buckets }) => buckets.filter(isDay)).filter((buckets) => buckets.length > 0);
  if (days.length === 0) return null;
  // Where the account has a limit of its own, those of its models are within it.
  const own = days.flatMap((buckets) => (buckets.some(ofAll) ? buckets.filter(ofAll) : buckets));
  const sum = (name) => own.reduce((total, each) => total + Math.min(each[name], each.limit), 0);
  const backs = own.map((each) => each.resets_at).filter(Boolean).sort();
  return { used: sum('used'), limit: sum('limit'), accounts: days.length, back: backs[0] ?? null };
}

const isDay = ({ unit, per }) => unit === 'requests' && per === 'day';
const ofAll = ({ model }) => model == null;
