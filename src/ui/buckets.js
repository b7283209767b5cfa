// The limits of an account, and how much of each is used: one bar per limit.

import { el, say } from './dom.js';
import { compact, count, span } from './format.js';
import { t, tOr } from './i18n.js';
import { secondsUntil } from './live.js';
import { momentOf } from './words.js';

/** How many are visible; the rest, the least used, are folded away. */
const SEEN = 4;

const share = ({ used, limit }) => (limit > 0 ? Math.min(used / limit, 1) : 1);

/** `requests a day`. */
const nameOf = ({ unit, per }) => [tOr(`bucket.${unit.replace(' ', '_')}`, unit), windowOf(per)].filter(Boolean).join(' ');

/** A limit on concurrent requests has none; several hours are `{hours}`. */
function windowOf(per) {
  if (per == null) return '';
  return per.hours ? t('per.hours', { n: per.hours }) : tOr(`per.${per}`, per);
}

/** The bars of an account's buckets, the account's own first, and what changes every second. */
export function bars(buckets) {
  const ticks = [];
  const own = buckets.filter(({ model }) => model == null);
  const models = buckets.filter(({ model }) => model != null).sort((a, b) => share(b) - share(a));
  const all = [...own, ...models].map((bucket) => bar(bucket, ticks));
  const seen = Math.max(SEEN, own.length);
  const more = all.slice(seen);
  const node = all.length > 0 && [
    el('ul', { class: 'buckets' }, all.slice(0, seen)),
    more.length > 0 && el('details', {}, el('summary', {}, t('bucket.more', { n: more.length })), el('ul', { class: 'buckets' }, more)),
  ].filter(Boolean);
  return { node, ticks };
}

function bar(bucket, ticks) {
  const { limit, model, source, of, resets_at: resetsAt } = bucket;
  // A count may pass its limit: what was under way is counted, too.
  const used = Math.min(bucket.used, limit);
  const name = nameOf(bucket);
  const part = share(bucket);
  const tone = part >= 1 ? 'bad' : part >= 0.9 ? 'warn' : '';
  const fill = el('i');
  // The page's policy forbids styles in markup, but not from the script.
  fill.style.setProperty('inline-size', `${(part * 100).toFixed(1)}%`);
  const hint = [tOr(`known.${source}`, source), of === 'address' && t('bucket.address')].filter(Boolean).join(' · ');
  const back = el('span');
  if (resetsAt) {
    ticks.push(() => {
      const left = secondsUntil(resetsAt);
      say(back, left > 0 ? t('bucket.back', { time: momentOf(resetsAt), span: span(left) }) : t('bucket.back_now'));
    });
  }
  return el('li', { 'data-tone': tone },
    el('p', {},
      el('span', { class: 'what' }, name, model != null && [' ', el('code', {}, model)]),
      el('span', { class: 'figure', title: `${count(used)} / ${count(limit)}` }, `${short(used)} / ${short(limit)}`)),
    el('div', { class: 'bar', role: 'meter', 'aria-label': [name, model].filter(Boolean).join(' '), 'aria-valuemin': '0',
      'aria-valuemax': String(limit), 'aria-valuenow': String(used),
      'aria-valuetext': t('bucket.used', { n: count(used), of: count(limit) }) }, fill),
    el('small', { title: tOr(`known.${source}.why`, '') }, hint, resetsAt && [' · ', back]));
}

/** Numbers of up to five digits are not shortened. */
const short = (value) => (value < 100_000 ? count(value) : compact(value));
