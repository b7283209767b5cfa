// The last requests, newest first. They have no content, neither here nor at the proxy.

import { at, el } from './dom.js';
import { count, http, ms, time } from './format.js';
import { t, tOr } from './i18n.js';
import { live } from './live.js';
import { trail } from './trail.js';
import { nameOf } from './words.js';

const TONES = { answered: 'good', broken: 'warn', failed: 'bad', client_error: '', client_left: '' };

let rows = new Map();
let made = '';

export function showRequests() {
  const list = at('requests-list');
  if (made !== document.documentElement.lang) {
    made = document.documentElement.lang;
    rows = new Map();
  }
  const kept = new Map();
  for (const request of live.requests) {
    kept.set(request.request_id, rows.get(request.request_id) ?? makeRow(request));
  }
  rows = kept;
  const wanted = kept.size > 0 ? [...kept.values()] : [el('li', { class: 'hint' }, t('requests.none'))];
  // A node that is already in place is not moved, so that a reader's selection stays.
  wanted.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] ?? null);
  });
  while (list.children.length > wanted.length) list.lastChild.remove();
}

function makeRow(request) {
  const tone = TONES[request.outcome] ?? '';
  const word = tOr(`request.${request.outcome}`, request.outcome);
  const facts = [
    live.state?.clients.length > 1 && request.client,
    t('request.took', { span: ms(request.duration_ms) }),
    request.ttft_ms != null && t('request.ttft', { span: ms(request.ttft_ms) }),
    request.completion_tokens != null && t('request.tokens', { n: count(request.completion_tokens) }),
    request.had_tools && t('can.tools'),
    request.had_response_format && t('can.response_format'),
  ].filter(Boolean);
  const model = request.chosen_model && el('b', { title: request.chosen_model }, nameOf(request.chosen_model));
  return el('li', { 'data-id': request.request_id },
    el('p', {},
      el('time', { dateTime: request.at }, time(request.at)),
      el('span', { class: 'mark', 'data-tone': tone, title: request.code ?? '' }, word,
        request.outcome === 'answered' || request.outcome === 'client_left' ? '' : http(request.status)),
      model,
      el('small', {}, facts.join(' · '))),
    request.attempts.length > 0 && trail(request.attempts, { total: request.attempt_count }));
}
