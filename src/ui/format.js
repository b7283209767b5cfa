// Numbers, moments and lengths of time, as people read them.

import { lang, t, tOr } from './i18n.js';

const cache = new Map();

function number(value, options) {
  const key = `${lang()} ${JSON.stringify(options)}`;
  if (!cache.has(key)) cache.set(key, new Intl.NumberFormat(lang(), options));
  return cache.get(key).format(value);
}

export const NONE = '–';

export const count = (value) => (value == null ? NONE : number(value, {}));
export const compact = (value) => (value == null ? NONE : number(value, { notation: 'compact' }));
export const percent = (share) => (share == null ? NONE
  : number(Math.floor(share * 1000) / 1000, { style: 'percent', maximumFractionDigits: share < 1 ? 1 : 0 }));

/** 640 ms, 2.1 s. */
export function ms(value) {
  if (value == null) return NONE;
  if (value < 1000) return t('unit.ms', { n: number(Math.round(value), {}) });
  return t('unit.s', { n: number(value / 1000, { maximumFractionDigits: value < 10_000 ? 1 : 0 }) });
}

/** 2.0: what is compared has as many digits. */
export const tenths = (value) => number(value, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const rate = (value) => (value == null ? NONE : number(value, { maximumFractionDigits: value < 10 ? 1 : 0 }));

/** 0:42, 12:05, 3:10:09: what a countdown shows. */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** 42 s, 12 min, 3 h 10 min, 2 d 4 h: as exact as is useful. */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t('unit.s', { n: s });
  if (s < 3600) return t('unit.min', { n: Math.floor(s / 60) });
  const pair = (big, n, small, m) => (m ? `${t(big, { n })} ${t(small, { n: m })}` : t(big, { n }));
  if (s < 86_400) return pair('unit.h', Math.floor(s / 3600), 'unit.min', Math.floor(s / 60) % 60);
  return pair('unit.d', Math.floor(s / 86_400), 'unit.h', Math.floor(s / 3600) % 24);
}

/** The time of day in the reader's time zone. */
export function time(moment, seconds = true) {
  const options = { hourCycle: 'h23', hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }) };
  return new Date(moment).toLocaleTimeString(lang(), options);
}

/** The same, with the date. */
export const day = (moment) => new Date(moment).toLocaleString(lang(),
  { hourCycle: 'h23', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** A status to append to a text: ` (HTTP 429)`. */
export const http = (status) => (status == null ? '' : ` (HTTP ${status})`);

/** `rate_limited` with 429: rate limited (HTTP 429). */
export const outcome = (name, status) => tOr(`outcome.${name}`, name.replaceAll('_', ' ')) + http(status);
