// Light or dark: the system's, until the reader chooses.

import { at } from './dom.js';
import { t } from './i18n.js';

const STORED = 'free-llm-proxy.theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set();

export const onTheme = (listener) => listeners.add(listener);

function stored() {
  try {
    const value = localStorage.getItem(STORED);
    return value === 'light' || value === 'dark' ? value : null;
  } catch {
    return null;
  }
}

let chosen = stored();

const isDark = () => (chosen ?? (system.matches ? 'dark' : 'light')) === 'dark';

export function showTheme() {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  const other = t(isDark() ? 'theme.light' : 'theme.dark');
  at('theme').textContent = isDark() ? '☀' : '☾';
  at('theme').title = other;
  at('theme').setAttribute('aria-label', other);
  for (const listener of listeners) listener();
}

export function wireTheme() {
  system.addEventListener('change', showTheme);
  at('theme').addEventListener('click', () => {
    chosen = isDark() ? 'light' : 'dark';
    try {
      localStorage.setItem(STORED, chosen);
    } catch {
      // Then it lasts until the page is reloaded.
    }
    showTheme();
  });
}
