// Who would be asked next, and why this one: what a request would cost at the first three. And who waits.

import { costOf, totalOf } from './cost.js';
import { at, el, say } from './dom.js';
import { span } from './format.js';
import { t } from './i18n.js';
import { keyed } from './keyed.js';
import { live, secondsUntil } from './live.js';
import { areMany, nameOf } from './words.js';

let rows = new Map();

export function showNext() {
  const { state } = live;
  if (!state) return;
  rows = keyed(at('next-list'), rows, state.next, {
    key: (one) => `${one.model} ${one.account}`,
    mark: (one) => [one, nameOf(one.model), document.documentElement.lang, areMany()],
    make: (one) => ({ node: row(one) }),
  });
  const weighed = state.next.some((one) => one.cost);
  say(at('next-note'), state.next.length === 0 ? t('next.none') : weighed ? '' : t('next.by_rank'));
  tickNext();
}

/** Counts down until the first may return. */
export function tickNext() {
  if (!live.state) return;
  const { requests, first_returns_at: returns } = live.state.waiting;
  const who = requests > 0 ? t('waiting', { n: requests }) : '';
  const until = returns ? t('waiting.until', { span: span(secondsUntil(returns)) }) : t('waiting.probe');
  say(at('waiting'), who && `${who}; ${until}`);
}

function row(one) {
  const name = nameOf(one.model);
  return el('li', { 'data-id': one.model },
    el('p', {}, el('b', {}, name), ' ', name !== one.model && el('code', {}, one.model), ' ',
      areMany() && el('small', {}, one.account)),
    one.cost && el('p', { class: 'cost' }, el('b', {}, totalOf(one)), ' ', el('span', {}, costOf(one))));
}
