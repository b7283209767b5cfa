// The models in the order they are tried. A thousand of them must scroll: rows are kept and only
// changed where they differ, and the browser lays out only those in view (`content-visibility`).

import { act } from './act.js';
import { post } from './api.js';
import { at, el, say } from './dom.js';
import { NONE, clock, compact, count, ms, outcome, percent, rate, time } from './format.js';
import { t, tOr } from './i18n.js';
import { keyed } from './keyed.js';
import { live, secondsUntil } from './live.js';
import { areMany, plain, stillOut, why } from './words.js';

const COLUMNS = ['rank', 'model', 'state', 'success', 'ttft', 'speed', 'asked'];

/** By id: the row, and the node that counts down. */
let rows = new Map();
let made = '';

export const chosenSpan = () => document.querySelector('input[name=span]:checked').value;

export function showModels() {
  const { state } = live;
  if (!state) return;
  const box = at('models-table');
  if (made !== document.documentElement.lang) {
    made = document.documentElement.lang;
    rows = new Map();
    box.replaceChildren(el('div', { class: 'table', role: 'table', 'aria-labelledby': 'models-title' },
      el('div', { class: 'row head', role: 'row' },
        COLUMNS.map((name) => el('span', { role: 'columnheader' }, t(`column.${name}`)))),
      el('div', { class: 'rows', role: 'rowgroup' })));
  }
  const group = box.querySelector('.rows');
  const hours = chosenSpan();
  const isFirst = (model) => model.id === state.first_choice;
  rows = keyed(group, rows, state.models, {
    key: (model) => model.id,
    mark: (model) => [model, hours, isFirst(model)],
    make: (model) => makeRow(model, hours, isFirst(model)),
  });
  filterModels();
  tickModels();
}

function makeRow(model, hours, isFirst) {
  const figures = model[hours];
  const asked = Object.entries(figures?.attempts ?? {});
  const all = asked.reduce((sum, [, n]) => sum + n, 0);
  const detail = asked.map(([name, n]) => `${outcome(name)}: ${count(n)}`).join('\n');
  const cell = (name, ...children) => el('span', { class: `cell ${name}`, role: 'cell', 'data-label': t(`column.${name}`) },
    ...children);
  const left = el('b', { class: 'left' });
  const node = el('div', { class: 'row', role: 'row', 'data-state': model.state, 'data-id': model.id, tabIndex: -1 },
    cell('rank', model.fallback ? '∗' : String(model.rank ?? NONE)),
    cell('model',
      el('b', {}, model.name ? plain(model.name) : model.id),
      isFirst && el('em', { class: 'next' }, t('model.next')),
      model.fallback && el('em', { class: 'next' }, t('model.fallback')),
      model.name && el('code', {}, model.id),
      areMany() && el('small', {}, model.provider),
      el('span', { class: 'chips' },
        model.context_length != null && el('i', { class: 'chip plain' }, t('model.context', { n: compact(model.context_length) })),
        model.capabilities.map((can) => chip(can, model.found_lacking.includes(can))),
        model.found_lacking.filter((each) => !model.capabilities.includes(each)).map((each) => chip(each, true)))),
    cell('state', stateOf(model, left), apart(model)),
    cell('success', el('span', { 'data-tone': toneOf(figures?.success_rate) }, percent(figures?.success_rate))),
    cell('ttft', el('span', { title: t('column.ttft') }, ms(figures?.ttft_p50_ms)),
      figures?.ttft_p95_ms != null && el('small', {}, t('model.p95', { span: ms(figures.ttft_p95_ms) }))),
    cell('speed', rate(figures?.tokens_per_second)),
    cell('asked', el('span', { title: detail }, all ? count(all) : NONE)));
  return { node, left, fallback: model.fallback, until: model.state === 'resting' ? model.resting_until : null, text: `${model.id} ${model.name ?? ''}
    ${model.capabilities.join(' ')} ${model.state}`.toLowerCase() };
}

const chip = (name, lacking) => el('i', { class: lacking ? 'chip lacking' : 'chip',
  title: lacking ? t('model.lacking') : '' }, tOr(`can.${name}`, name));

const toneOf = (share) => (share == null ? '' : share >= 0.9 ? 'good' : share >= 0.6 ? 'warn' : 'bad');

function stateOf(model, left) {
  if (model.state === 'awake' && model.available === false) {
    return [
      el('span', { class: 'mark', 'data-tone': 'warn' }, t('state.waits')),
      el('small', {}, t('model.waits', { accounts: accountsOf(model.candidates) })),
    ];
  }
  if (model.state === 'awake') return el('span', { class: 'mark', 'data-tone': 'good' }, t('state.awake'));
  if (model.state === 'probing') return el('span', { class: 'mark', 'data-tone': 'warn' }, t('state.probing'));
  const clear = () => act(() => post('admin/clear', { model: model.id }), ({ model: { available, candidates } }) => (
    available !== false ? t('model.cleared', { model: model.id }) : t('model.still_waits', { model: model.id, accounts: accountsOf(candidates) })));
  return [
    el('span', { class: 'mark', 'data-tone': 'bad' }, t(model.until_next_list ? 'state.gone' : 'state.resting'), ' ', left),
    el('small', {}, why(model)),
    el('button', { type: 'button', class: 'small', onclick: clear, 'aria-label': t('model.clear_of', { model: model.id }) },
      t('model.clear')),
  ];
}

const accountsOf = (candidates) => candidates.map(({ account }) => account).join(', ');

/** The accounts through which an awake model is not available. */
function apart(model) {
  if (model.state !== 'awake') return null;
  const resting = model.candidates.filter((each) => each.state === 'resting');
  return resting.map((each) => el('small', { title: why(each) },
    t('model.rests_through', { account: each.account, time: each.resting_until ? time(each.resting_until, false) : NONE })));
}

/** The countdowns. */
export function tickModels() {
  for (const { left, until } of rows.values()) {
    if (!until) continue;
    const seconds = secondsUntil(until);
    say(left, seconds > 0 ? clock(seconds) : t('state.waking'));
  }
}

export function filterModels() {
  const words = at('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const { node, text, fallback } of rows.values()) {
    const fits = words.every((word) => text.includes(word));
    node.hidden = !fits;
    // The fallback router is not counted as a model, here as elsewhere.
    shown += fits && !fallback;
    all += !fallback;
  }
  say(at('models-count'), words.length ? `${count(shown)} / ${count(all)}` : count(all));
}

export function wireModels() {
  at('filter').addEventListener('input', filterModels);
  at('refresh').addEventListener('click', async () => {
    const button = at('refresh');
    button.disabled = true;
    await act(() => post('admin/refresh', {}), (done) => `${t('refreshed', { n: done.models })} ${stillOut(done)}`);
    button.disabled = false;
  });
  at('clear-account').addEventListener('click', () =>
    act(() => post('admin/clear', { account: true }), (done) => stillOut(done) || t('banner.cleared')));
}
