// Names of things from outside, shortened for people.

import { outcome } from './format.js';
import { live } from './live.js';

/** A model's id without what all of them have in common. */
export const short = (id) => id.replace(/^[^/]+\//, '').replace(/:free$/, '');

/** A model's name, or its id where the list gave none. */
export function nameOf(id) {
  const model = live.state?.models.find((each) => each.id === id);
  return model?.name ? plain(model.name) : id;
}

/** `Vendor: Model (free)` without the last word, which is true of all. */
export const plain = (name) => name.replace(/\s*\(free\)$/i, '');

/** Why something rests, in the reader's language where that can be said. */
export function why({ because, reason }) {
  if (because?.outcome) return outcome(because.outcome, because.status);
  return reason ?? '';
}
