// The providers that are not in use: what each offers, where to get a key, what to set.

import { at, el } from './dom.js';
import { t, tOr } from './i18n.js';
import { live } from './live.js';

let shown = '';

export function showAddKey() {
  const off = live.state?.providers_off ?? [];
  const mark = JSON.stringify([document.documentElement.lang, off]);
  if (mark === shown) return;
  shown = mark;
  at('add-key').hidden = off.length === 0;
  at('add-key-list').replaceChildren(...off.map(item));
}

function item({ provider, name, variables, named, takes_key: takesKey, gives, training, sign_up: signUp }) {
  const settings = [...variables.map((variable) => `${variable}=`), named && `PROVIDERS=${named}`].filter(Boolean);
  return el('li', { 'data-provider': provider },
    el('h3', {}, name, isLink(signUp) && el('a', { href: signUp, target: '_blank', rel: 'noopener noreferrer',
      'aria-label': t('add_key.get_of', { provider: name }) }, t(takesKey ? 'add_key.get' : 'add_key.more'))),
    gives && el('p', { lang: 'en' }, gives),
    el('p', { class: 'hint' },
      settings.map((setting) => [el('code', {}, setting), ' ']),
      '· ', el('span', { 'data-tone': training === 'no' ? '' : 'warn' }, tOr(`training.${training}`, training))),
    takesKey && el('p', { class: 'hint' }, t('add_key.command'), ' ', el('code', {}, `free-llm-proxy key add ${provider}`)));
}

/** A link from outside may only lead to the web. */
function isLink(address) {
  try {
    return new URL(address).protocol === 'https:';
  } catch {
    return false;
  }
}
