// What to paste so that an agent finds this proxy. The key is never filled in: there is a placeholder for it.

import { base } from './api.js';
import { at, el } from './dom.js';
import { t } from './i18n.js';

const KEY = '<PROXY_API_KEY>';
const SETUP = { qwen: 'Qwen Code', claude: 'Claude Code', codex: 'Codex', opencode: 'opencode', aider: 'aider', openwebui: 'Open WebUI' };

/** `setup` finds a proxy on its own machine by itself. */
const where = () => (/^(localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname) ? '' : ` --url ${base}`);

function blocks(agent) {
  if (agent === 'openai') {
    return [['agents.env', `export OPENAI_BASE_URL=${base}/v1\nexport OPENAI_API_KEY='${KEY}'`],
      ['agents.python', `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="${KEY}")\n`
        + 'answer = client.chat.completions.create(\n    model="auto", messages=[{"role": "user", "content": "Hello!"}]\n)']];
  }
  if (agent === 'anthropic') {
    return [['agents.env', `export ANTHROPIC_BASE_URL=${base}\nexport ANTHROPIC_AUTH_TOKEN='${KEY}'`]];
  }
  if (agent === 'curl') {
    return [['agents.shell', `curl ${base}/v1/chat/completions \\\n  -H 'Authorization: Bearer ${KEY}' -H 'Content-Type: application/json' \\\n`
      + '  -d \'{"model":"auto","messages":[{"role":"user","content":"Hello!"}]}\'']];
  }
  return [['agents.setup', `free-llm-proxy setup ${agent}${where()}`],
    ['agents.launch', `free-llm-proxy launch ${agent}${where()}`],
    ['agents.by_hand', `${base}${agent === 'claude' ? '' : '/v1'}\n${KEY}\nauto`]];
}

export function wireAgents() {
  at('agent').addEventListener('change', showSettings);
}

export function showAgents() {
  const select = at('agent');
  const chosen = select.value || 'qwen';
  const others = { openai: t('agents.openai'), anthropic: t('agents.anthropic'), curl: 'curl' };
  select.replaceChildren(...Object.entries({ ...SETUP, ...others }).map(([value, label]) => el('option', { value }, label)));
  select.value = chosen;
  showSettings();
}

function showSettings() {
  at('settings').replaceChildren(...blocks(at('agent').value).map(([title, text]) => {
    const code = el('pre', { tabIndex: 0 }, text);
    const button = el('button', { type: 'button', class: 'small', onclick: () => copy(code, button) }, t('copy'));
    return el('div', { class: 'paste' }, el('p', {}, el('span', {}, t(title)), button), code);
  }));
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Without TLS only localhost has a clipboard: select the text, and the old way may work.
    getSelection().selectAllChildren(code);
    if (!document.execCommand('copy')) {
      button.textContent = t('copy.select');
      return;
    }
  }
  button.textContent = t('copied');
  setTimeout(() => { button.textContent = t('copy'); }, 2000);
}
