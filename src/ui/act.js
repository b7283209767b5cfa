// Asks the proxy to do something, and shows the result.

import { at, say } from './dom.js';
import { t } from './i18n.js';
import { readSoon } from './live.js';
import { saying } from './words.js';

/** `done` is the text to show, or makes it from the answer; `note` is where to show it. */
export async function act(work, done, note = at('models-note')) {
  note.dataset.tone = '';
  say(note, t('working'));
  try {
    const result = await work();
    say(note, typeof done === 'function' ? done(result) : done);
  } catch (error) {
    note.dataset.tone = 'bad';
    say(note, t('failed', { why: saying(error) }));
  }
  readSoon();
}
