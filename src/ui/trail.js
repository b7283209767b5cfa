// The models asked for a request, in order, and the result of each attempt.

import { el } from './dom.js';
import { ms, outcome, time } from './format.js';
import { t, tOr } from './i18n.js';
import { areMany, short } from './words.js';

/** `open` leaves room for an attempt in progress. */
export function trail(attempts, { total = attempts.length, open = false } = {}) {
  const items = attempts.map((attempt) => {
    const good = attempt.outcome === 'success';
    const tone = good ? 'good' : attempt.outcome.startsWith('client') ? '' : 'bad';
    const rest = attempt.cooldown_until ? t('trail.rests', { time: time(attempt.cooldown_until) }) : '';
    return el('li', { 'data-tone': tone, title: [attempt.model, attempt.account, attempt.cause && tOr(`cause.${attempt.cause}`, attempt.cause), rest].filter(Boolean).join('\n') },
      el('b', {}, short(attempt.model)),
      areMany() && attempt.account && el('i', {}, attempt.account),
      el('span', {}, outcome(attempt.outcome, attempt.status)),
      el('small', {}, ms(attempt.duration_ms)));
  });
  const before = total - attempts.length;
  return el('ol', { class: 'trail', 'aria-label': t('trail') },
    before > 0 && el('li', {}, t('trail.before', { n: before })),
    items,
    open && el('li', { class: 'open' }, '…'));
}
