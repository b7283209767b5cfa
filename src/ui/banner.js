// One sentence: are requests being answered? It is the proxy's own, the one that `/ready`, `status`
// and `check` give, said here in the reader's language.

import { at, say } from './dom.js';
import { count, http, span, time } from './format.js';
import { has, t, tOr } from './i18n.js';
import { live, now, secondsUntil } from './live.js';
import { firstBack, isRest } from './quota.js';
import { nameOf } from './words.js';

/** `{tone, text, next, until}`: `next` is what to do, `until` when the condition ends by itself. */
export function verdict() {
  const { state, connection } = live;
  if (connection === 'lost') return { tone: 'bad', text: t('banner.lost'), next: state && t('banner.lost.next') };
  if (!state) return { tone: 'wait', text: t('banner.connecting') };
  const { condition } = state;
  const { code, tone, about } = condition;
  const values = valuesOf(code, about);
  const key = sentenceOf(code, about, values);
  const counted = ['answering', 'ready'].includes(code) && values.accounts ? ` ${values.accounts}.` : '';
  return {
    tone,
    text: has(key) ? t(key, values) + counted : condition.sentence,
    next: nextStep(condition, values),
    until: about.until,
  };
}

function sentenceOf(code, about, values) {
  if (code === 'answering' && values.last === values.next) return 'is.answering.same';
  // With several providers no single one is meant.
  if (['not_reached', 'was_not_reached'].includes(code) && about.upstream == null) return `is.${code}.any`;
  if (code === 'no_list' && about.ranking == null) return 'is.no_list.of_provider';
  return code === 'accounts_out' && onlyKeys(about.accounts) ? 'is.accounts_out.keys' : `is.${code}`;
}

const onlyKeys = (accounts) => accounts?.keys_refused > 0 && !accounts.out && !accounts.out_today;

/** `2 accounts are out for today, 1 key is refused`. */
const counts = (accounts) => ['out_today', 'out', 'resting', 'keys_refused'].filter((each) => accounts?.[each] > 0)
  .map((each) => t(`accounts.${each}`, { n: accounts[each] })).join(', ');

function nextStep({ code, next_step: told, about }, values) {
  // The larger quota cannot be raised, and waiting is not a step.
  if (!told) return '';
  if (['answering', 'ready', 'accounts_out'].includes(code) && about.accounts?.keys_refused > 0) return t('do.keys_refused');
  if (about.own && code !== 'key_refused') return t(ownStep(about));
  if (code === 'no_list' && about.ranking == null) return told;
  const key = code === 'no_list' ? `do.no_list.${['network', 'timeout'].includes(about.cause) ? 'network' : 'other'}` : `do.${code}`;
  return has(key) ? t(key, values) : told;
}

function ownStep({ cause, status }) {
  if ([401, 403].includes(status)) return 'do.own.key';
  return cause === 'no_usable_model' ? 'do.own.model' : 'do.own';
}

function valuesOf(code, about) {
  const [gone, limited, failing] = about.rests ?? [0, 0, 0];
  const rests = [[limited, 'rests.limited'], [failing, 'rests.failing'], [gone, 'rests.gone']];
  const last = code === 'answering' ? lastAnswer()?.model ?? about.last : about.last;
  return {
    ...about,
    accounts: counts(about.accounts),
    n: about.count ?? 0,
    limit: about.count == null ? '' : ` (${count(about.count)} / ${count(about.count)})`,
    upstream: upstreamOf(about),
    key: about.key ?? (about.own ? 'LOCAL_API_KEY' : 'OPENROUTER_API_KEY'),
    status: http(about.status),
    cause: causeOf(code, about),
    rests: rests.filter(([n]) => n > 0).map(([n, key]) => t(key, { n })).join(', '),
    last: last && nameOf(last),
    next: about.next && nameOf(about.next),
    ago: about.at ? span((now() - Date.parse(about.at)) / 1000) : '',
  };
}

function upstreamOf({ upstream, own }) {
  if (own) return t('upstream.own');
  return upstream === 'OpenRouter' ? 'OpenRouter' : t('upstream.at', { host: upstream ?? '' });
}

function causeOf(code, { cause, status }) {
  if (code === 'no_list') return tOr(`read.${cause}`, cause) + http(status);
  return tOr(`cause.${cause}`, cause);
}

/** The state's last answer, or a later one from an event. */
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
  if (until) {
    const key = ['no_list', 'no_credit'].includes(state.condition.code) ? 'banner.again' : 'banner.until';
    parts.push(t(key, { time: time(until, false), span: span(secondsUntil(until)) }));
  }
  const last = lastAnswer();
  if (last) parts.push(t('banner.last', { span: span((now() - Date.parse(last.at)) / 1000) }));
  const resting = state.models.filter((model) => model.state === 'resting' && !model.fallback).length;
  if (resting && state.condition.code !== 'all_rest') parts.push(t('banner.resting', { n: resting }));
  if (state.state?.problem) parts.push(t('banner.unkept', { path: state.state.path, problem: state.state.problem }));
  const { refused = [], needs_restart: waits = [] } = state.settings ?? {};
  if (refused.length) parts.push(t('banner.refused', { why: refused.join('; ') }));
  if (waits.length) parts.push(t('banner.needs_restart', { names: waits.join(', ') }));
  if (connection === 'polling') parts.push(t('banner.polling'));
  if (restarted && Date.now() - restarted < 60_000) parts.push(t('banner.restarted'));
  return parts.join(' · ');
}

export function showBanner() {
  const { tone, text, next, until } = verdict();
  at('banner').dataset.tone = tone;
  say(at('sentence'), text);
  say(at('next-step'), next || '');
  say(at('aside'), aside(until));
  const mark = { good: '', wait: '', warn: '! ', bad: '✕ ' }[tone];
  const accounts = live.state?.accounts ?? [];
  at('clear-account').hidden = live.connection === 'lost' || !firstBack(accounts) || !accounts.some(isRest);
  document.title = `${mark}free-llm-proxy`;
  // What is shown was true once; it is greyed while it cannot be confirmed.
  document.documentElement.classList.toggle('lost', live.connection === 'lost');
}
