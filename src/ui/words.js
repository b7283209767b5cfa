// Names of things from outside, shortened for people.

import { day, http, outcome, time } from './format.js';
import { has, t, tOr } from './i18n.js';
import { live, secondsUntil } from './live.js';

/** A model's id without what all of them have in common; unchanged if that would leave no name. */
export function short(id) {
  const name = id.replace(/^[^/]+\//, '').replace(/:free$/, '');
  return /^(free|auto)$/.test(name) ? id : name;
}

/** A model's name, or its id if the list has no name. */
export function nameOf(id) {
  const model = live.state?.models.find((each) => each.id === id);
  return model?.name ? plain(model.name) : id;
}

/** `Vendor: Model (free)` without the last word, which applies to all. */
export const plain = (name) => name.replace(/\s*\(free\)$/i, '');

/** Whether there are several accounts: with one its name adds nothing. */
export const areMany = () => (live.state?.accounts.length ?? 0) > 1;

/** When something ends: the time of day, with the date if it is far off. */
export const momentOf = (moment) => (secondsUntil(moment) < 72_000 ? time(moment, false) : day(moment));

/** Why something rests, in the reader's language where possible. */
export function why({ because, reason }) {
  if (!because?.outcome) return reason ?? '';
  // If there is no status, the cause says it.
  const cause = because.outcome === 'upstream_error' && because.status == null;
  return cause ? tOr(`cause.${because.cause}`, reason ?? '') : outcome(because.outcome, because.status);
}

/**
 * The message of a proxy error, in the reader's language: by its code, without the wait, which is
 * shown beside it. Errors without a code of ours are in the upstream's words.
 */
export function saying(error) {
  const { code, status, message } = error;
  if (has(`error.${code}`)) return t(`error.${code}`, { status: http(status) });
  if (status == null && !code) return t('error.network');
  return t('error.upstream', { status: http(status), why: message });
}

/** Who is still out after it was to be asked again; of one account, if it is among them. Empty if nobody is. */
export function stillOut({ still_out: all = [] }, label) {
  const accounts = [...new Set(all.map(({ account }) => account))].filter((account) => !label || account === label);
  return accounts.length ? t('still_out', { accounts: accounts.join(', ') }) : '';
}
