// The account's quota, the list, the process: single figures.

import { at, el, say } from './dom.js';
import { NONE, count, day, span, time } from './format.js';
import { t, tOr } from './i18n.js';
import { live, now, secondsUntil } from './live.js';

const TILES = { quota, today, list, streams, uptime };

const backAt = (until) => (until ? t('tile.back', { time: time(until, false), span: span(secondsUntil(until)) }) : '');

/** What is left of the day, unless something else is used up. */
function quota({ account }) {
  if (account.state === 'resting') return [t(`tile.used_up.${account.limit}`), backAt(account.resting_until), 'bad'];
  const left = account.today;
  if (!left) return [NONE, t('tile.quota.unknown'), ''];
  const tone = left.remaining === 0 ? 'bad' : left.remaining < left.limit / 10 ? 'warn' : '';
  return [t('tile.quota.left', { n: count(left.remaining), of: count(left.limit) }), backAt(left.resets_at), tone];
}

function today({ account }) {
  if (account.asked_today == null) return [NONE, t('tile.quota.unknown'), ''];
  return [count(account.asked_today), t('tile.today.told', { time: time(account.today.told_at, false) }), ''];
}

function list(state) {
  if (!state.list) return [NONE, t('tile.list.none'), 'bad'];
  const age = (now() - Date.parse(state.list.fetched_at)) / 1000;
  const source = tOr(`source.${state.list.source}`, state.list.source);
  const awake = t('tile.list.awake', { n: state.list.available, of: count(state.list.models) });
  return [awake, t('tile.list.age', { source, span: span(age) }), ''];
}

function streams({ open_streams: open }) {
  return [count(open), t('tile.streams.now'), ''];
}

function uptime(state) {
  const up = (now() - Date.parse(state.started_at)) / 1000;
  return [span(up), t('tile.uptime.since', { time: day(state.started_at) }), ''];
}

export function showTiles() {
  const { state } = live;
  if (!state) return;
  const box = at('tiles');
  if (box.children.length === 0) {
    box.append(...Object.keys(TILES).map((name) => el('div', { 'data-tile': name },
      el('dt'), el('dd'), el('dd', { class: 'hint' }))));
  }
  for (const tile of box.children) {
    const [value, note, tone] = TILES[tile.dataset.tile](state);
    const [title, figure, hint] = tile.children;
    say(title, t(`tile.${tile.dataset.tile}`));
    say(figure, value);
    say(hint, note);
    figure.dataset.tone = tone;
  }
  say(at('version'), `free-llm-proxy ${state.version}`);
}
