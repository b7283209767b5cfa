// The last hour and day: requests by outcome, and the time to the first token. Drawn by uPlot.

import { at, el, say } from './dom.js';
import { count, ms, time } from './format.js';
import { lang, t } from './i18n.js';
import { live } from './live.js';
import { chosenSpan } from './models.js';

/** In stacking order, bottom to top. */
const OUTCOMES = ['answered', 'client_left', 'client_error', 'broken', 'failed'];
const TIMES = ['ttft_p50_ms', 'ttft_p95_ms'];
const HEIGHT = 170;

const charts = { requests: null, ttft: null };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const column = (name, series) => series[name] ?? [];

export function wireCharts() {
  new ResizeObserver(() => {
    for (const chart of Object.values(charts)) chart?.plot.setSize({ width: widthOf(chart.box), height: HEIGHT });
    if (!charts.requests) showCharts();
  }).observe(at('charts'));
}

const widthOf = (box) => Math.max(200, Math.floor(box.clientWidth));

export function showCharts() {
  const series = live.state?.series?.[chosenSpan()];
  if (!series || at('board').hidden || at('charts').clientWidth === 0) return;
  const length = column('answered', series).length;
  const from = Date.parse(series.from) / 1000;
  const xs = Array.from({ length }, (_, step) => from + step * series.step_sec);

  const sums = new Array(length).fill(0);
  const stacked = OUTCOMES.map((name) => column(name, series).map((n, step) => {
    sums[step] += n;
    return n > 0 ? sums[step] : null;
  }));
  // The tallest first: the others are drawn over it.
  draw('requests', at('requests-chart'), [xs, ...stacked.reverse()], series, barOptions);
  draw('ttft', at('ttft-chart'), [xs, ...TIMES.map((name) => column(name, series))], series, lineOptions);
  summarise(series);
}

function draw(name, box, data, series, options) {
  const mark = `${lang()} ${document.documentElement.dataset.theme} ${series.step_sec}`;
  let chart = charts[name];
  if (chart?.mark !== mark) {
    chart?.plot.destroy();
    chart = { mark, box, plot: new window.uPlot({ ...options(), ...common(box, name) }, data, box) };
    charts[name] = chart;
  } else {
    chart.plot.setData(data);
  }
}

function common(box, name) {
  const axis = { stroke: colour('soft'), font: '12px system-ui, sans-serif', ticks: { show: false } };
  const grid = { stroke: colour('line'), width: 1 };
  return {
    width: widthOf(box),
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 20, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: name === 'ttft' } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 64, values: (_, splits) => splits.map((each) => time(each * 1000, false)) },
      { ...axis, grid, size: name === 'ttft' ? 62 : 44, space: 34,
        ...(name === 'requests' && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7] }),
        values: (_, splits) => splits.map((each) => (name === 'ttft' ? ms(each) : count(each))) },
    ],
    hooks: { setCursor: [({ cursor }) => legends[name](cursor.idx)] },
  };
}

/** Leaves room for the width of the last column. */
const scales = (least) => ({
  x: { time: true, range: ({ data: [xs] }, low, high) => [low, high + (xs.length > 1 ? xs[1] - xs[0] : 0)] },
  y: { range: (_, low, high) => [0, Math.max(least, (high ?? 0) * 1.08)] },
});

function barOptions() {
  const paths = window.uPlot.paths.bars({ size: [0.82, 24], align: 1 });
  const bar = (name) => ({ label: name, fill: colour(name), stroke: colour(name), width: 0, paths, points: { show: false } });
  return { scales: scales(4), series: [{}, ...[...OUTCOMES].reverse().map(bar)] };
}

function lineOptions() {
  const line = (name, dash) => ({ label: name, stroke: colour(name), width: 2, dash, spanGaps: true,
    points: { show: true, size: 5, fill: colour(name), stroke: colour(name) } });
  return { scales: scales(500), series: [{}, line('p50'), line('p95', [5, 4])] };
}

const legends = { requests: requestsLegend, ttft: ttftLegend };
const item = (name, label, value) => el('li', { 'data-colour': name }, label, ' ', el('b', {}, value));
const whenOf = (series, step) => t('charts.at', { time: time(Date.parse(series.from) + step * series.step_sec * 1000, false) });
const sum = (values) => values.reduce((all, n) => all + n, 0);

/** Totals, or the figures of the step under the pointer. */
function requestsLegend(step) {
  const series = live.state?.series?.[chosenSpan()];
  if (!series) return;
  const value = (name) => (step == null ? sum(column(name, series)) : column(name, series)[step] ?? 0);
  at('requests-legend').replaceChildren(
    ...OUTCOMES.filter((name) => name === 'answered' || sum(column(name, series)) > 0)
      .map((name) => item(name, t(`request.${name}`), count(value(name)))),
    ...(step == null ? [] : [el('li', { class: 'hint' }, whenOf(series, step))]));
}

function ttftLegend(step) {
  const series = live.state?.series?.[chosenSpan()];
  if (!series) return;
  const value = (name) => (step == null ? column(name, series).findLast((each) => each != null) : column(name, series)[step]);
  at('ttft-legend').replaceChildren(item('p50', t('charts.p50'), ms(value('ttft_p50_ms'))), item('p95', t('charts.p95'), ms(value('ttft_p95_ms'))),
    ...(step == null ? [] : [el('li', { class: 'hint' }, whenOf(series, step))]));
}

/** What the charts show, in words: for screen readers, and at a glance. */
function summarise(series) {
  const all = Object.fromEntries(OUTCOMES.map((name) => [name, sum(column(name, series))]));
  const ended = sum(Object.values(all));
  say(at('requests-summary'), ended === 0 ? t('charts.none') : t('charts.served', { n: count(all.answered), of: count(ended) }));
  const last = (name) => column(name, series).findLast((each) => each != null);
  say(at('ttft-summary'), last('ttft_p50_ms') == null ? t('charts.none')
    : t('charts.last', { p50: ms(last('ttft_p50_ms')), p95: ms(last('ttft_p95_ms')) }));
  requestsLegend(charts.requests?.plot.cursor.idx);
  ttftLegend(charts.ttft?.plot.cursor.idx);
}
