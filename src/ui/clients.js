// The clients: who has a key, what each may ask, and what is left of its own limits.

import { bars } from './buckets.js';
import { at, el } from './dom.js';
import { t } from './i18n.js';
import { keyed } from './keyed.js';
import { live } from './live.js';

/** By name: the card, and what changes every second. */
let cards = new Map();
let made = '';

/** One client without limits is the operator alone: nothing to show. */
const isWorthIt = (clients) => clients.length > 1 || clients.some(({ limits, models }) => limits.length > 0 || models.length > 0);

export function showClients() {
  const { state } = live;
  if (!state) return;
  const clients = isWorthIt(state.clients) ? state.clients : [];
  at('clients').hidden = clients.length === 0;
  const box = at('clients-list');
  if (made !== document.documentElement.lang) {
    made = document.documentElement.lang;
    cards = new Map();
    box.replaceChildren();
  }
  cards = clients.length > 0 ? keyed(box, cards, clients, { key: ({ name }) => name, mark: (client) => client, make: makeCard }) : new Map();
  tickClients();
}

function makeCard({ name, admin, models, limits }) {
  const { node: own, ticks } = bars(limits);
  const node = el('li', { 'data-client': name, tabIndex: -1 },
    el('header', {}, el('h3', {}, name), admin && el('span', { class: 'mark' }, t('client.admin'))),
    models.length > 0 && el('p', { class: 'hint' }, t('client.models'), models.map((model) => [' ', el('code', {}, model)])),
    own || el('p', { class: 'hint' }, t('client.no_limits')));
  return { node, ticks };
}

/** The countdowns. */
export function tickClients() {
  for (const { ticks } of cards.values()) {
    for (const tick of ticks) tick();
  }
}
