// The accounts' quota, the list, the process: single figures.

import { at, el, say } from './dom.js';
import { NONE, count, day, span, time } from './format.js';
import { t, tOr } from './i18n.js';
import { live, now, secondsUntil } from './live.js';
import { dayOf, firstBack, goneOf } from './quota.js';

const TILES = { quota, today, list, streams, uptime };

const backAt = (until) => (until ? t('tile.back', { time: time(until, false), span: span(secondsUntil(until)) }) : '');

/** What is left of the day, unless something else is used up. */
function quota({ accounts }) {
  const first = firstBack(accounts);
  if (first) return [t(`tile.used_up.${goneOf(first)}`), backAt(first.until), 'bad'];
  const day = dayOf(accounts);
  if (!day) return [NONE, t('tile.quota.unknown'), ''];
  const left = day.limit - day.used;
  const tone = left === 0 ? 'bad' : left < day.limit / 10 ? 'warn' : '';
  return [t('tile.quota.left', { n: count(left), of: count(day.limit) }), backAt(day.back), tone];
}

function today({ accounts }) {
  const day = dayOf(accounts);
  if (!day) return [NONE, t('tile.quota.unknown'), ''];
  const note = day.told ? t('tile.today.told', { time: time(day.told, false) }) : t('tile.today.of', { n: day.accounts });
  return [count(day.used), note, ''];
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
