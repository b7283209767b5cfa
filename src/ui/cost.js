// What a request would cost at a candidate, and who waits, in words.

import { tenths } from './format.js';
import { lang, t } from './i18n.js';

const PARTS = ['place', 'first_token', 'failures', 'quota', 'breaks', 'session'];

/** The parts of the cost: in English as the proxy says them. Empty where nothing was weighed. */
export function costOf({ cost, cost_parts: parts }) {
  if (!cost || lang() === 'en') return cost ?? '';
  // A part that rounds to nothing is left out, as the proxy does.
  return PARTS.filter((part) => parts[part] >= 0.05).map((part) => t(`part.${part}`, { n: tenths(parts[part]) })).join(', ');
}

/** All of it. */
export const totalOf = ({ cost_sec: seconds }) => (seconds == null ? '' : t('unit.s', { n: tenths(seconds) }));
