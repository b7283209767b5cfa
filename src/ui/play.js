// A playground: one prompt, streamed. Neither it nor the answer is kept beyond what is on the screen.

import { ask } from './api.js';
import { at, el, perFrame, say } from './dom.js';
import { ms, span } from './format.js';
import { t } from './i18n.js';
import { live } from './live.js';
import { events } from './sse.js';
import { trail } from './trail.js';
import { nameOf, saying } from './words.js';

/** The current or last run: no more of it is kept than the page shows. */
let turn = null;
let shownTrail = '';

export function wirePlay() {
  at('play-form').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  at('prompt').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
  });
  at('stop').addEventListener('click', () => turn?.ending.abort());
}

async function send() {
  const content = at('prompt').value.trim();
  if (turn?.running) return;
  if (!content) {
    at('prompt').focus();
    return;
  }
  turn = { running: true, ending: new AbortController(), sent: performance.now(), id: null, model: null, said: 'play.waiting' };
  const mine = turn;
  clear();
  busy(true);
  redrawPlay();
  const body = { model: 'auto', stream: true, messages: [{ role: 'user', content }] };
  if (at('thinking').checked) body.reasoning = { enabled: true };
  try {
    const response = await ask('v1/chat/completions', { body: JSON.stringify(body), signal: mine.ending.signal });
    known(mine, response.headers);
    await stream(mine, response);
  } catch (error) {
    if (error.headers) known(mine, error.headers);
    if (error.name === 'AbortError') mine.said = 'play.stopped';
    else fail(mine, error, error.retryAfter);
  }
  mine.running = false;
  mine.took = performance.now() - mine.sent;
  busy(false);
  redrawPlay();
}

function known(mine, headers) {
  mine.id = headers.get('x-request-id');
  mine.model ??= headers.get('x-free-llm-proxy-model');
  redrawPlay();
}

async function stream(mine, response) {
  let finished = false;
  for await (const { data } of events(response)) {
    if (data === '[DONE]') {
      finished = true;
      continue;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) {
      fail(mine, { code: chunk.error.code, status: null, message: chunk.error.message ?? '' });
      continue;
    }
    // While the proxy waits aloud it does not know the model yet; the answer itself names it.
    if (!mine.model && chunk.model) {
      mine.model = chunk.model;
      redrawPlay();
    }
    const delta = chunk.choices?.[0]?.delta ?? {};
    write('thought', thoughtOf(delta), mine);
    write('answer', delta.content ?? delta.refusal ?? '', mine);
  }
  if (mine.said === 'play.error') return;
  if (finished) mine.said = 'play.done';
  else fail(mine, { code: 'cut_short' });
}

/** OpenRouter sends the same thing twice: as text, and as details. */
function thoughtOf(delta) {
  if (typeof delta.reasoning === 'string' && delta.reasoning) return delta.reasoning;
  if (typeof delta.reasoning_content === 'string' && delta.reasoning_content) return delta.reasoning_content;
  const details = Array.isArray(delta.reasoning_details) ? delta.reasoning_details : [];
  return details.map((detail) => detail.text ?? detail.summary ?? '').join('');
}

/** Text that arrived since the last frame; nodes only grow at the end. */
const pending = { thought: '', answer: '' };
const flush = perFrame(() => {
  for (const [part, box] of [['thought', at('thought-text')], ['answer', at('answer')]]) {
    if (!pending[part]) continue;
    const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
    if (box.firstChild) box.firstChild.appendData(pending[part]);
    else box.append(pending[part]);
    pending[part] = '';
    if (atEnd) box.scrollTop = box.scrollHeight;
  }
});

function write(part, text, mine) {
  if (typeof text !== 'string' || text === '') return;
  if (mine.first === undefined) {
    mine.first = performance.now() - mine.sent;
    mine.said = 'play.answering';
    redrawPlay();
  }
  if (part === 'thought') {
    at('thought').hidden = false;
    if (!mine.thought) at('thought').open = true;
    mine.thought = true;
  } else if (!mine.answer) {
    at('answer').hidden = false;
    // The answer is what was asked for: the thinking is folded away.
    at('thought').open = false;
    mine.answer = true;
  }
  pending[part] += text;
  flush();
}

function clear() {
  pending.thought = '';
  pending.answer = '';
  for (const id of ['thought-text', 'answer', 'play-trail']) at(id).replaceChildren();
  at('thought').hidden = true;
  at('answer').hidden = true;
  shownTrail = '';
}

function busy(is) {
  at('send').disabled = is;
  at('stop').hidden = !is;
}

function fail(mine, error, retryAfter) {
  mine.said = 'play.error';
  mine.error = error;
  mine.retryAfter = retryAfter;
}

export function redrawPlay() {
  if (!turn) return;
  const { said, model, first, took, error, retryAfter } = turn;
  const note = at('play-status');
  note.dataset.tone = said === 'play.error' ? 'bad' : said === 'play.done' ? 'good' : '';
  const text = t(said, { model: model ? nameOf(model) : t('play.somebody'), first: ms(first), took: ms(took), why: error && saying(error) });
  say(note, retryAfter ? `${text} ${t('play.retry', { span: span(Number(retryAfter)) })}` : text);
  shownTrail = '';
  showPlayTrail();
}

export function showPlayTrail() {
  if (!turn?.id) return;
  const request = live.requests.find((each) => each.request_id === turn.id);
  if (request) turn.trail = { attempts: request.attempts, total: request.attempt_count };
  const seen = turn.trail ?? { attempts: live.attempts.filter((each) => each.request_id === turn.id), open: turn.running };
  const mark = JSON.stringify(seen);
  if (mark === shownTrail) return;
  shownTrail = mark;
  at('play-trail').replaceChildren(
    el('p', { class: 'hint', title: turn.id }, t('trail')),
    trail(seen.attempts, seen));
}
