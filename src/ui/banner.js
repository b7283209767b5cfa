// One sentence: are requests being answered, and by whom?

import { at, say } from './dom.js';
import { span, time } from './format.js';
import { t } from './i18n.js';
import { live, now, secondsUntil } from './live.js';
import { nameOf } from './words.js';

/** So many failures in a row, and being ready is no comfort. */
const FAILURES = 3;

/** `{tone, text, until}`: `until` is when things get better by themselves. */
export function verdict() {
  const { state, connection } = live;
  if (connection === 'lost') return { tone: 'bad', text: t('banner.lost') };
  if (!state) return { tone: 'wait', text: t('banner.connecting') };
  if (state.draining) return { tone: 'bad', text: t('banner.draining') };
  if (!state.list) return { tone: 'bad', text: t('banner.no_list') };
  const { account } = state;
  if (account.state === 'resting') {
    const key = `banner.limit.${account.limit}`;
    return { tone: 'bad', text: t(key), until: account.resting_until };
  }
  const resting = state.models.filter((model) => model.state !== 'awake');
  if (!state.first_choice && state.ready) return { tone: 'warn', text: t('banner.probing') };
  if (!state.first_choice) {
    const until = resting.map((model) => model.resting_until).filter(Boolean).sort()[0];
    return { tone: 'bad', text: t('banner.all_resting', { n: state.models.length }), until };
  }
  const next = nameOf(state.first_choice);
  const recent = live.requests.filter((each) => each.outcome === 'answered' || each.outcome === 'failed'
    || each.outcome === 'broken').slice(0, FAILURES);
  if (recent.length === FAILURES && recent.every((each) => each.outcome !== 'answered')) {
    return { tone: 'warn', text: t('banner.failing', { n: FAILURES, next }) };
  }
  const last = lastAnswer();
  if (!last) return { tone: 'good', text: t('banner.ready', { next }) };
  if (last.model === state.first_choice) return { tone: 'good', text: t('banner.by', { model: next }) };
  return { tone: 'good', text: t('banner.by_then', { model: nameOf(last.model), next }) };
}

/** The state's, or a later one that an event told of. */
function lastAnswer() {
  const told = live.requests.find((each) => each.outcome === 'answered');
  const known = live.state.last_answer;
  if (!told || (known && known.at >= told.at)) return known;
  return { model: told.chosen_model, at: told.at };
}

function aside(until) {
  const { state, connection, restarted } = live;
  if (!state) return '';
  const parts = [];
  if (until) parts.push(t('banner.until', { time: time(until), span: span(secondsUntil(until)) }));
  const last = lastAnswer();
  if (last) parts.push(t('banner.last', { span: span((now() - Date.parse(last.at)) / 1000) }));
  const resting = state.models.filter((model) => model.state === 'resting').length;
  if (resting && !until) parts.push(t('banner.resting', { n: resting }));
  if (connection === 'polling') parts.push(t('banner.polling'));
  if (restarted && Date.now() - restarted < 60_000) parts.push(t('banner.restarted'));
  return parts.join(' · ');
}

export function showBanner() {
  const { tone, text, until } = verdict();
  at('banner').dataset.tone = tone;
  say(at('sentence'), text);
  say(at('aside'), aside(until));
  const mark = { good: '', wait: '', warn: '! ', bad: '✕ ' }[tone];
  at('clear-account').hidden = live.state?.account.state !== 'resting';
  document.title = `${mark}free-llm-proxy`;
}
