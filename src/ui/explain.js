// The dry run: which models would be asked for a request, and why each of the others would not.

import { post } from './api.js';
import { costOf, totalOf } from './cost.js';
import { at, el } from './dom.js';
import { count, span, time } from './format.js';
import { t, tOr } from './i18n.js';
import { secondsUntil } from './live.js';
import { goneOf, isAway } from './quota.js';
import { areMany, nameOf, saying, why } from './words.js';

const hello = [{ role: 'user', content: 'Hello!' }];
const SCHEMA = { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'] };
const WEATHER = { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } };
const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const PRESETS = {
  plain: {},
  tools: { tools: [WEATHER] },
  structured_outputs: { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: SCHEMA } } },
  images: { messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: PIXEL } }] }] },
  reasoning: { reasoning: { enabled: true } },
  seed: { seed: 1 },
};

/** The last answer, kept for a change of language. */
let last = null;

export function wireExplain() {
  fillPresets();
  fill('plain');
  at('explain-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });
}

function fillPresets() {
  at('presets').replaceChildren(...Object.keys(PRESETS).map((name) => el('button',
    { type: 'button', class: 'small', onclick: () => { fill(name); run(); } }, t(name === 'plain' ? 'explain.plain' : `can.${name}`))));
}

function fill(name) {
  // One line per field, so that differences stand out.
  const fields = Object.entries({ ...PRESETS[name], messages: PRESETS[name].messages ?? hello });
  at('body').value = `{\n${fields.map(([field, value]) => `  "${field}": ${JSON.stringify(value)}`).join(',\n')}\n}`;
}

async function run() {
  let body;
  try {
    body = JSON.parse(at('body').value);
  } catch {
    last = { error: () => t('explain.invalid') };
    redrawExplain();
    return;
  }
  try {
    last = { result: await post('admin/explain', body) };
  } catch (error) {
    // The proxy's own message says best what is wrong with the body.
    last = { error: () => (error.code === 'invalid_request' ? error.message : saying(error)) };
  }
  redrawExplain();
}

export function redrawExplain() {
  fillPresets();
  const box = at('explanation');
  if (!last) box.replaceChildren();
  else if (last.error) box.replaceChildren(el('p', { class: 'error' }, last.error()));
  else box.replaceChildren(...drawn(last.result));
}

function drawn(result) {
  const { needs, through, left_out: leftOut, selection } = result;
  const wanted = needs.capabilities.map((name) => el('i', { class: 'chip' }, tOr(`can.${name}`, name)));
  return [
    el('p', {}, t('explain.needs'), ' ', wanted.length ? wanted : t('explain.nothing'),
      needs.prompt_tokens_at_least > 0 && ` · ${t('explain.tokens', { n: count(needs.prompt_tokens_at_least) })}`),
    el('p', { class: 'note', 'data-tone': toneOf(result) },
      tOr(`selection.${selection}`, selection), ' ',
      result.waits_sec != null && t('selection.waits', { span: span(result.waits_sec) }),
      selection === 'account_resting' && whyOfAll(result.accounts)),
    through.length > 0 && el('ol', { class: 'candidates' }, through.map(candidate)),
    through.length > result.max_attempts && el('p', { class: 'hint' }, t('explain.at_most', { n: result.max_attempts })),
    result.would_answer && el('pre', { tabIndex: 0 }, JSON.stringify(result.would_answer, null, 1)),
    leftOut.length > 0 && el('h3', {}, t('explain.left_out', { n: leftOut.length })),
    leftOut.length > 0 && el('ul', { class: 'left-out', tabIndex: 0 }, leftOut.map((model) => el('li', {},
      el('b', {}, nameOf(model.model)), ' ', el('span', {}, reasonOf(model))))),
  ].filter(Boolean);
}

const toneOf = ({ selection }) => ({ candidates: 'good', waiting: 'warn', probing: 'warn' }[selection] ?? 'bad');

function candidate(one) {
  const name = nameOf(one.model);
  return el('li', {}, el('b', {}, name), ' ', name !== one.model && el('code', {}, one.model), ' ',
    areMany() && el('small', {}, one.account),
    one.cost && el('div', { class: 'cost' }, el('b', {}, totalOf(one)), ' ', el('span', {}, costOf(one))));
}

/** Why none of the accounts takes it: each by name, if there are several. */
function whyOfAll(accounts) {
  const words = (account) => (goneOf(account) ? t(`gone.${goneOf(account)}`) : why(account));
  if (accounts.length === 1) return words(accounts[0]);
  return accounts.filter(isAway).map((account) => `${account.label}: ${words(account)}`).join(' · ');
}

function reasonOf(model) {
  if (model.why === 'lacks') {
    return t('left.lacks', { what: model.lacks.map((name) => tOr(`can.${name}`, name)).join(', ') });
  }
  if (model.why === 'too_small') {
    return t('left.too_small', { needs: count(model.needs_tokens), has: count(model.context_length) });
  }
  if (model.why === 'resting') {
    const until = model.resting_until
      ? t('banner.until', { time: time(model.resting_until), span: span(secondsUntil(model.resting_until)) }) : '';
    return [t('state.resting'), why(model), until].filter(Boolean).join(', ');
  }
  return tOr(`left.${model.why}`, model.reason);
}
