// Assembles the page: the key, then the parts, each redrawn when its data has changed.

import { setKey, storedKey } from './api.js';
import { showAccounts, tickAccounts } from './accounts.js';
import { showAddKey } from './addkey.js';
import { showAgents, wireAgents } from './agents.js';
import { showBanner } from './banner.js';
import { at, perFrame, say } from './dom.js';
import { showCharts, wireCharts } from './charts.js';
import { showClients, tickClients } from './clients.js';
import { redrawExplain, wireExplain } from './explain.js';
import { onLanguage, otherLanguage, setLanguage, t, translatePage } from './i18n.js';
import { live, on, start, stop } from './live.js';
import { showModels, tickModels, wireModels } from './models.js';
import { showNext, tickNext } from './next.js';
import { redrawPlay, showPlayTrail, wirePlay } from './play.js';
import { showRequests } from './requests.js';
import { onTheme, showTheme, wireTheme } from './theme.js';
import { showTiles } from './tiles.js';

const drawState = perFrame(() => {
  showBanner();
  showTiles();
  showNext();
  showAccounts();
  showAddKey();
  showClients();
  showModels();
  showCharts();
});
const drawRequests = perFrame(() => {
  showBanner();
  showRequests();
  showPlayTrail();
});

function open(key) {
  setKey(key);
  at('login').hidden = true;
  for (const id of ['board', 'nav', 'leave']) at(id).hidden = false;
  showBanner();
  start(({ status }) => close(status === 403 ? 'login.not_admin' : 'login.wrong'));
}

function close(why) {
  stop();
  setKey(null);
  live.state = null;
  for (const id of ['board', 'nav', 'leave']) at(id).hidden = true;
  at('login').hidden = false;
  at('login-error').dataset.why = why ?? '';
  say(at('login-error'), why ? t(why) : '');
  at('key').value = '';
  at('key').focus();
}

function wireLogin() {
  at('login-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const key = at('key').value.trim();
    at('key').value = '';
    // A header carries visible ASCII; a key with anything else cannot be ours.
    if (!key) close('login.none');
    else if (!/^[\x21-\x7e]+$/.test(key)) close('login.wrong');
    else open(key);
  });
  at('leave').addEventListener('click', () => close(null));
}

function showLanguage() {
  at('language').textContent = otherLanguage().toUpperCase();
  at('language').title = t('language.other');
  at('language').setAttribute('aria-label', t('language.other'));
  at('language').lang = otherLanguage();
  const { why } = at('login-error').dataset;
  if (why) say(at('login-error'), t(why));
}

wireLogin();
wireTheme();
wireModels();
wirePlay();
wireExplain();
wireAgents();
wireCharts();

on('state', drawState);
on('requests', drawRequests);
on('attempts', perFrame(showPlayTrail));
on('connection', showBanner);
on('tick', () => {
  showBanner();
  showTiles();
  tickNext();
  tickAccounts();
  tickClients();
  tickModels();
});
onTheme(showCharts);
onLanguage(() => {
  showLanguage();
  showTheme();
  showAgents();
  redrawPlay();
  redrawExplain();
  drawState();
  drawRequests();
});
at('language').addEventListener('click', () => setLanguage(otherLanguage()));
for (const choice of document.querySelectorAll('input[name=span]')) {
  choice.addEventListener('change', drawState);
}

translatePage();
showLanguage();
showTheme();
showAgents();
const key = storedKey();
if (key) open(key);
else close(null);
