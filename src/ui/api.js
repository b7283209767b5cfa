// Asks the proxy. The key goes into a header and into this tab's storage, and nowhere else.

// Relative to this file, so that a proxy in front may put a prefix to the paths.
const ROOT = new URL('../', import.meta.url);
const STORED = 'free-llm-proxy.key';

/** Where clients find the proxy, without a slash at the end. */
export const base = ROOT.href.replace(/\/$/, '');

let key = null;

export function storedKey() {
  try {
    return sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}

export function setKey(value) {
  key = value;
  try {
    if (value === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, value);
  } catch {
    // The key is then asked for again after a reload.
  }
}

/** A request that the proxy refused, with its own message. */
export class Refused extends Error {
  constructor(status, error, retryAfter) {
    super(error?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = error?.code ?? null;
    this.attempts = error?.attempts ?? null;
    this.retryAfter = retryAfter;
  }
}

/** Sends a request; only an answer with a 2xx status is returned. */
export async function ask(path, { body, signal } = {}) {
  const headers = { authorization: `Bearer ${key}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(new URL(path, ROOT), {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    body,
    signal,
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  });
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  const refused = new Refused(response.status, said?.error, response.headers.get('retry-after'));
  refused.headers = response.headers;
  throw refused;
}

export const get = async (path, options) => (await ask(path, options)).json();
export const post = async (path, value, options) =>
  (await ask(path, { ...options, body: JSON.stringify(value) })).json();
