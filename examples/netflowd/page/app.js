// State, address bar and refresh. All state is in the URL's hash, so that a view can be shared and the back button works.

import {get} from './api.js';
import {el, localInput, replaceContent, scaled, timeRange, whole, zone} from './format.js';
import {findingView, flowView, measures, reportView, statusView} from './views.js';

const views = {reports: reportView, flows: flowView, findings: findingView, status: statusView};
const windows = {'5m': [300, '5 min'], '1h': [3600, '1 h'], '24h': [86400, '24 h'], '7d': [604800, '7 d']};
const bucketSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800];
const BUCKETS = 72;

const $ = (id) => document.getElementById(id);
const names = new Map(); // address -> name or null, as far as it was asked for
let state, status, shown, controller, timer;

// --- state and hash ---

const defaults = {view: 'reports', window: '1h', from: 0, to: 0, filter: '', measure: 'bytes', order: 'first', desc: true, n: 50, offset: 0, live: true};

function clean(value) {
  const known = {...defaults, ...value};
  if (!(known.view in views)) known.view = defaults.view;
  if (!(known.window in windows) && known.window !== 'custom') known.window = defaults.window;
  if (!(known.measure in measures)) known.measure = defaults.measure;
  if (known.window === 'custom' && !(known.to > known.from)) known.window = defaults.window;
  known.n = Math.min(1000, Math.max(1, known.n || defaults.n));
  known.offset = Math.max(0, known.offset || 0);
  return known;
}

function fromHash() {
  const value = {};
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
    if (!(name in defaults)) continue;
    const type = typeof defaults[name];
    value[name] = type === 'number' ? Number(text) : type === 'boolean' ? text === '1' : text;
  }
  return clean(value);
}

function toHash() {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(state))
    if (value !== defaults[name]) query.set(name, typeof value === 'boolean' ? (value ? '1' : '0') : value);
  return `#${query}`;
}

function go(changes) {
  const before = toHash();
  state = clean({...state, ...changes});
  if (toHash() !== before) history.pushState(null, '', toHash() === '#' ? location.pathname : toHash());
  showHeader();
  refresh();
}

// --- window ---

function windowNow() {
  const now = Date.parse(status.now);
  const length = (windows[state.window]?.[0] ?? 0) * 1000;
  let [from, to] = length ? [now - length, now] : [state.from, state.to];
  if (!length && from === 0) from = Date.parse(status.store.first) || to - 3600e3; // "all": from the first flow on
  const bucket = 1000 * (bucketSteps.find((s) => (to - from) / (s * 1000) <= BUCKETS) ?? bucketSteps.at(-1));
  const start = Math.floor(from / bucket) * bucket;
  if (length) from = start; // whole buckets: the first bar is not a part of one
  const seconds = (ms) => (ms / 1000).toFixed(3);
  return {from, to, start, bucket, fromText: seconds(Math.max(1, from)), toText: seconds(to)};
}

// --- header ---

function showHeader() {
  replaceContent($('views'), ...Object.entries(views).map(([name, view]) => {
    const count = name === 'findings' && status?.findings ? el('span', {class: 'count', text: whole(status.findings)}) : null;
    const link = el('a', {href: '#', 'aria-current': name === state.view ? 'page' : null, text: view.title, 'data-view': name, 'data-key': name,
      onclick: (event) => { event.preventDefault(); go({view: name, offset: 0}); }});
    if (count) link.append(' ', count);
    return link;
  }));
  replaceContent($('windows'), ...Object.entries(windows).map(([name, [, title]]) => windowButton(name, title)), windowButton('custom', 'Custom'));
  $('custom').hidden = state.window !== 'custom';
  if (state.window === 'custom') {
    const {from, to} = status ? windowNow() : state;
    $('from').value = localInput(from);
    $('to').value = localInput(to);
  }
  $('live').checked = state.live && state.window !== 'custom';
  $('live').disabled = state.window === 'custom';
  if (document.activeElement !== $('filter')) $('filter').value = state.filter;
  document.title = `${views[state.view].title} – netflowd`;
}

function windowButton(name, title) {
  return el('button', {type: 'button', 'aria-pressed': String(state.window === name), text: title, 'data-window': name, 'data-key': name, onclick: () => {
    if (name !== 'custom') return go({window: name, offset: 0});
    const {from, to} = windowNow();
    go({window: 'custom', from: Math.floor(from / 1000) * 1000, to: Math.ceil(to / 1000) * 1000});
    $('from').focus();
  }});
}

function showSummary(window, totals) {
  const parts = [`${timeRange(window.from, window.to)} ${zone()}`];
  if (totals) {
    const seconds = (window.to - window.from) / 1000;
    parts.push(`${whole(totals.records)} records`, scaled(totals.bytes, 'B'), `${scaled(totals.packets)} packets`, `${scaled(totals.bytes * 8 / seconds, 'bit/s')} on average`);
  }
  $('summary').replaceChildren(...parts.map((text, i) => el(i ? 'span' : 'b', {text})));
}

// --- errors ---

function showFilterError(error) {
  const box = $('filter-error');
  box.hidden = !error;
  $('filter').setAttribute('aria-invalid', String(Boolean(error)));
  if (!error) return;
  const known = Number.isInteger(error.column);
  box.querySelector('pre').hidden = !known;
  // Columns count bytes of UTF-8, as the filter language does.
  const before = known ? new TextDecoder().decode(new TextEncoder().encode(state.filter).slice(0, error.column)) : '';
  box.querySelector('pre').textContent = `${state.filter}\n${' '.repeat([...before].length)}^`;
  box.querySelector('p').textContent = known ? `Column ${error.column + 1}: ${error.message}` : error.message;
}

function showProblem(message) {
  $('problem').hidden = !message;
  $('problem').textContent = message ?? '';
}

// --- refresh ---

function context(signal) {
  return {state, status, names, go, signal, window: windowNow(), redraw, run: guarded, tell: showProblem};
}

function redraw() {
  if (shown) views[shown.view].show($('main'), shown.data, {...context(), window: shown.window, state: shown.state});
}

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    if (error.name === 'AbortError') return;
    showProblem(error.message);
  }
}

async function refresh() {
  clearTimeout(timer);
  controller?.abort();
  const mine = controller = new AbortController();
  $('main').setAttribute('aria-busy', 'true');
  try {
    status = await get('status', {}, mine.signal);
    const view = state.view, now = context(mine.signal);
    const data = await views[view].load(now);
    if (mine.signal.aborted) return;
    shown = {view, data, window: now.window, state: now.state};
    views[view].show($('main'), data, now);
    showHeader();
    showSummary(now.window, data.totals);
    showFilterError(null);
    showProblem(status.problem ? `Trouble since ${new Date(status.problem_at).toLocaleTimeString()}: ${status.problem}` : null);
  } catch (error) {
    if (error.name === 'AbortError' || mine.signal.aborted) return;
    if (error.parameter === 'filter') showFilterError(error);
    else showProblem(error.message ?? String(error));
  }
  $('main').setAttribute('aria-busy', 'false');
  if (state.live && state.window !== 'custom') timer = setTimeout(refreshLive, state.window === '5m' ? 2000 : 10000);
}

// A hidden page asks for nothing; a wrong filter is not asked again and again.
function refreshLive() {
  if (document.hidden || !$('filter-error').hidden) timer = setTimeout(refreshLive, 2000);
  else refresh();
}

// --- start ---

$('filter-form').addEventListener('submit', (event) => {
  event.preventDefault();
  go({filter: $('filter').value.trim(), offset: 0});
});
$('filter-clear').addEventListener('click', () => {
  $('filter').value = '';
  go({filter: '', offset: 0});
});
$('custom').addEventListener('submit', (event) => {
  event.preventDefault();
  const from = Date.parse($('from').value), to = Date.parse($('to').value);
  if (to > from) go({window: 'custom', from, to, offset: 0});
  else showProblem('The window is empty: its start must be before its end.');
});
$('live').addEventListener('change', () => go({live: $('live').checked}));
window.addEventListener('popstate', () => {
  state = fromHash();
  $('filter').value = state.filter;
  showHeader();
  refresh();
});

state = fromHash();
$('filter').value = state.filter;
showHeader();
refresh();
