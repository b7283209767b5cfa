// The page's words, in the language chosen.

import en from './i18n/en.js';
import ru from './i18n/ru.js';

const BOOKS = { en, ru };
const STORED = 'free-llm-proxy.language';
const listeners = new Set();

let language = firstLanguage();

function firstLanguage() {
  try {
    const stored = localStorage.getItem(STORED);
    if (stored in BOOKS) return stored;
  } catch {
    // A browser may forbid storage; the page works without.
  }
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2));
  return wanted.find((tag) => tag in BOOKS) ?? 'en';
}

export const lang = () => language;
export const otherLanguage = () => (language === 'en' ? 'ru' : 'en');
export const onLanguage = (listener) => listeners.add(listener);

export function setLanguage(wanted) {
  language = wanted;
  try {
    localStorage.setItem(STORED, wanted);
  } catch {
    // Then it lasts until the page is reloaded.
  }
  translatePage();
  for (const listener of listeners) listener();
}

/** The text of a key. `{name}` is replaced by a value; plural forms depend on `n`. */
export function t(key, values = {}) {
  let text = BOOKS[language][key] ?? BOOKS.en[key] ?? key;
  if (typeof text === 'object') {
    const form = new Intl.PluralRules(language).select(values.n);
    text = text[form] ?? text.other;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Whether there is a text for a key. */
export const has = (key) => key in BOOKS.en;

/** The text of a key if there is one, else what came from the server. */
export const tOr = (key, fallback) => (has(key) ? t(key) : fallback);

/** Fills in the texts of the page itself. */
export function translatePage() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll('[data-t-label]')) {
    node.setAttribute('aria-label', t(node.dataset.tLabel));
  }
  for (const node of document.querySelectorAll('[data-t-placeholder]')) {
    node.placeholder = t(node.dataset.tPlaceholder);
  }
}
