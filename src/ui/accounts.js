// The accounts: which of them take requests, what each has left, and when what is used up returns.

import { act } from './act.js';
import { post } from './api.js';
import { bars } from './buckets.js';
import { at, el, say } from './dom.js';
import { clock, count } from './format.js';
import { t, tOr } from './i18n.js';
import { keyed } from './keyed.js';
import { live, secondsUntil } from './live.js';
import { goneOf, isAway, isRest, stateOf } from './quota.js';
import { momentOf, stillOut, why } from './words.js';

const TONES = { awake: 'good', probing: 'warn', resting: 'warn', out: 'bad', key_refused: 'bad' };

/** By label: the card, and what changes every second. */
let cards = new Map();
let made = '';

export function showAccounts() {
  const { state } = live;
  if (!state) return;
  const { accounts } = state;
  const box = at('accounts-list');
  if (made !== document.documentElement.lang) {
    made = document.documentElement.lang;
    cards = new Map();
    box.replaceChildren();
  }
  cards = keyed(box, cards, accounts, { key: ({ label }) => label, mark: (account) => account, make: makeCard });
  const awake = accounts.filter((account) => !isAway(account)).length;
  say(at('accounts-count'), t('accounts.awake', { n: count(awake), of: count(accounts.length) }));
  tickAccounts();
}

function makeCard(account) {
  const { label, provider, variable, key_tail: tail, training, until, buckets } = account;
  const state = stateOf(account);
  const left = el('b', { class: 'left' });
  const { node: own, ticks } = bars(buckets);
  if (until) {
    ticks.push(() => {
      const seconds = secondsUntil(until);
      say(left, seconds > 0 ? clock(seconds) : t('state.waking'));
    });
  }
  const clear = () => act(() => post('admin/clear', { account: label }),
    (done) => stillOut(done, label) || t('account.cleared', { account: label }), at('accounts-note'));
  const node = el('li', { class: 'account', 'data-label': label, 'data-state': state, tabIndex: -1 },
    el('header', {},
      el('h3', {}, label, label !== provider && el('span', {}, provider)),
      el('span', { class: 'mark', 'data-tone': TONES[state] ?? '' }, tOr(`account.${state}`, state), ' ', left)),
    el('p', { class: 'hint' },
      variable ? el('code', {}, variable) : t('account.keyless'),
      tail && [' ', el('code', {}, tail)],
      ' · ',
      el('span', { 'data-tone': training === 'no' ? '' : 'warn' }, tOr(`training.${training}`, training))),
    isAway(account) && el('p', { class: 'why' }, reasonOf(account)),
    own || el('p', { class: 'hint' }, t('account.no_limits')),
    isAway(account) && isRest(account) && el('button', { type: 'button', class: 'small', onclick: clear,
      'aria-label': t('account.clear_of', { account: label }) }, t('account.clear')));
  return { node, ticks };
}

/** Why it takes no requests, and until when. */
function reasonOf(account) {
  const gone = goneOf(account);
  const words = gone ? t(`gone.${gone}`) : why(account);
  return [words, account.until && t('account.back', { time: momentOf(account.until) })].filter(Boolean).join(' · ');
}

/** The countdowns. */
export function tickAccounts() {
  for (const { ticks } of cards.values()) {
    for (const tick of ticks) tick();
  }
}
