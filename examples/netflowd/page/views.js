// The four views. Each has a load(context) that asks the API and a show(data, context) that fills the page.
// A context is {state, window, status, names, go, signal}; go(changes) changes the state and so the page.

import {address, get, resolve} from './api.js';
import {StackedBars} from './chart.js';
import {bytes, duration, el, flags, percent, protocol, replaceContent, scaled, time, timeRange, whole} from './format.js';

const TOP_ROWS = 10, TOP_SERIES = 5;

export const measures = {
  bytes: {title: 'Bytes', text: bytes, rate: (sum, seconds) => sum * 8 / seconds, unit: 'bit/s'},
  packets: {title: 'Packets', text: (n) => scaled(n), rate: (sum, seconds) => sum / seconds, unit: 'pkt/s'},
  flows: {title: 'Flows', text: (n) => scaled(n), rate: (sum, seconds) => sum / seconds, unit: 'flows/s'},
};

const reports = [
  {by: 'src', title: 'Sources', column: 'Source', term: (key) => `src ip ${key}`},
  {by: 'dst', title: 'Destinations', column: 'Destination', term: (key) => `dst ip ${key}`},
  {by: 'app', title: 'Applications', column: 'Application', term: (key) => `app ${key}`},
];

// "a or b" must be held together before " and c" follows.
export function narrowed(filter, term) {
  const text = filter.trim();
  if (!text) return term;
  return /\bor\b|\|/i.test(text) ? `(${text}) and ${term}` : `${text} and ${term}`;
}

function drill(context, term, text, changes = {}) {
  return el('button', {
    type: 'button', class: 'link', title: `Add to the filter: ${term}`, 'data-key': term,
    onclick: () => context.go({filter: narrowed(context.state.filter, term), offset: 0, ...changes}), text,
  });
}

function nameOf(context, ip) {
  const name = context.names.get(ip);
  return name ? el('span', {class: 'name', title: name, text: name}) : null;
}

function resolveButton(context, addresses) {
  if (!context.status.resolver) return null;
  return el('button', {type: 'button', class: 'quiet', 'data-key': 'resolve', text: 'Resolve IP', title: 'Ask the DNS for the names of the addresses shown',
    onclick: async (event) => {
      const button = event.target;
      button.disabled = true;
      button.textContent = 'Resolving …';
      await context.run(async () => {
        const left = await resolve(addresses, context.names);
        if (left) context.tell(`${left} addresses have no answer yet; ask again`);
      });
      context.redraw();
    }});
}

// --- nothing to show ---

function howToExport(context) {
  const listeners = context.status.listeners.map((l) => l.address);
  const first = listeners[0] ?? '127.0.0.1:2055', port = first.slice(first.lastIndexOf(':') + 1);
  const loopback = listeners.every((a) => /^(127\.|\[::1\])/.test(a));
  return el('section', {class: 'empty'},
    el('h2', {text: 'No flows yet'}),
    el('p', {text: `netflowd listens for NetFlow, IPFIX and sFlow on ${listeners.join(', ')}. Tell a router, firewall or probe to export there:`}),
    el('dl', {},
      el('dt', {text: 'Linux'}), el('dd', {}, el('code', {text: `softflowd -i eth0 -v 9 -n ${loopback ? first : `THIS-HOST:${port}`}`})),
      el('dt', {text: 'Cisco IOS'}), el('dd', {}, el('code', {text: `flow exporter NETFLOWD\n destination THIS-HOST\n transport udp ${port}\n template data timeout 60`})),
      el('dt', {text: 'Juniper'}), el('dd', {}, el('code', {text: `set forwarding-options sampling instance i family inet output \\\n flow-server THIS-HOST port ${port}`}))),
    loopback ? el('p', {}, 'It takes datagrams from this machine only. To receive from others, start it with ',
      el('code', {text: `--listen 0.0.0.0:${port}`}), ' and let only your exporters reach that port.') : null,
    el('p', {class: 'muted', text: context.status.decoder.bad_datagrams > 0
      ? `${whole(context.status.decoder.bad_datagrams)} datagrams came that are no flow exports.`
      : context.status.decoder.datagrams > 0 ? `${whole(context.status.decoder.datagrams)} datagrams came, but no flow in them yet: v9 and IPFIX need a template first, which exporters repeat every few minutes.`
        : 'Nothing has arrived so far.'}));
}

// Flows that were replaced by sums, which do not tell what was asked.
function reducedNote(total) {
  if (!total.reduced) return [];
  return [el('p', {class: 'note', text: `${whole(total.reduced)} flows are not in this: only sums of them are kept.`})];
}

function nothingHere(context, total) {
  const {status, state} = context;
  if (!status.store.flows && !status.store.summed_flows) return howToExport(context);
  const buttons = [];
  if (state.filter) buttons.push(el('button', {type: 'button', text: 'Clear the filter', onclick: () => context.go({filter: '', offset: 0})}));
  const to = Date.parse(status.store.last) + 1000;
  buttons.push(el('button', {type: 'button', text: 'Show all the time there is', onclick: () => context.go({window: 'custom', from: Date.parse(status.store.first), to, offset: 0})}));
  return el('section', {class: 'empty'},
    el('h2', {text: state.filter ? 'No flow in this window passes the filter' : 'No flows in this window'}),
    el('p', {text: `The store has ${whole(status.store.flows)} flows from ${time(status.store.first)} to ${time(status.store.last)}.`}),
    ...reducedNote(total),
    el('p', {class: 'buttons'}, ...buttons));
}

// --- reports ---

const charts = new Map(); // kept while data changes, so that the picked bucket stays

function chartOf(report) {
  if (!charts.has(report.by)) charts.set(report.by, new StackedBars(report.title));
  return charts.get(report.by);
}

// Rows {time, key, bytes ...} become one array of rates a key over the same buckets, the rest of the total on top.
function seriesOf(report, data, context) {
  const {window, state} = context, measure = measures[state.measure];
  const count = Math.ceil((window.to - window.start) / window.bucket);
  const times = Array.from({length: count}, (_, i) => window.start + i * window.bucket);
  const place = (row) => Math.round((Date.parse(row.time) - window.start) / window.bucket);
  const values = new Map(data.top.rows.slice(0, TOP_SERIES).map((row) => [row[report.by], new Array(count).fill(0)]));
  const rest = new Array(count).fill(0);
  const rate = (row) => measure.rate(Number(row[state.measure]), window.bucket / 1000);
  for (const row of data.total.rows) if (place(row) in rest) rest[place(row)] += rate(row);
  for (const row of data.series.rows) {
    const i = place(row), own = values.get(row[report.by]);
    if (!own || !(i in own)) continue;
    own[i] += rate(row);
    rest[i] = Math.max(0, rest[i] - rate(row));
  }
  const series = [...values].map(([key, list], i) => ({name: key ?? 'not sent', values: list, className: `s${i}`}));
  if (rest.some((v) => v > 1e-6)) series.push({name: 'others', values: rest, className: 'rest'});
  return {times, bucket: window.bucket, unit: measure.unit, series};
}

function reportRow(report, row, i, data, context) {
  const key = row[report.by], measure = context.state.measure;
  const share = el('span', {class: `share ${i < TOP_SERIES ? `s${i}` : 'rest'}`});
  share.style.width = `${100 * Number(row[measure]) / Math.max(1, Number(data.top.rows[0][measure]))}%`;
  const name = key === null ? el('span', {class: 'muted', text: 'not sent'}) : drill(context, report.term(key), key);
  return el('tr', {},
    el('td', {class: 'rank', text: i + 1}),
    el('td', {class: 'key'}, el('span', {class: 'line'}, name, report.by === 'app' ? null : nameOf(context, key)), share),
    el('td', {class: 'number strong', text: measures[measure].text(row[measure])}),
    el('td', {class: 'number', text: percent(row[measure], data.top.total[measure])}),
    ...Object.keys(measures).filter((other) => other !== measure).map((other) =>
      el('td', {class: 'number muted less', text: measures[other].text(row[other])})));
}

function reportPanel(report, data, context) {
  const chart = chartOf(report), {measure} = context.state;
  const others = Object.keys(measures).filter((other) => other !== measure);
  const head = el('tr', {}, el('th', {scope: 'col', text: '#'}), el('th', {scope: 'col', text: report.column}),
    el('th', {scope: 'col', class: 'number', text: measures[measure].title}), el('th', {scope: 'col', class: 'number', text: 'Share'}),
    ...others.map((other) => el('th', {scope: 'col', class: 'number less', text: measures[other].title})));
  const panel = el('section', {class: 'panel', id: `report-${report.by}`, 'aria-label': `Top ${report.title.toLowerCase()}`},
    el('h2', {}, report.title, el('small', {text: `${whole(data.top.total.groups)} in all`})),
    ...reducedNote(data.top.total),
    chart.element,
    el('div', {class: 'scroll'}, el('table', {}, el('thead', {}, head),
      el('tbody', {}, ...data.top.rows.map((row, i) => reportRow(report, row, i, data, context))))));
  queueMicrotask(() => chart.update(seriesOf(report, data, context)));
  return panel;
}

export const reportView = {
  title: 'Reports',
  async load(context) {
    const {state, window, signal} = context;
    const common = {from: window.fromText, to: window.toText, filter: state.filter};
    const bucket = `${window.bucket / 1000}s`;
    const [total, ...rest] = await Promise.all([
      get('series', {...common, bucket}, signal),
      ...reports.map((r) => get('top', {...common, by: r.by, n: TOP_ROWS, order: state.measure}, signal)),
      ...reports.map((r) => get('series', {...common, by: r.by, n: TOP_SERIES, order: state.measure, bucket}, signal)),
    ]);
    return {totals: total.total, panels: reports.map((_, i) => ({total, top: rest[i], series: rest[reports.length + i]}))};
  },
  show(main, data, context) {
    if (!data.totals.records) return replaceContent(main, nothingHere(context, data.totals));
    const chosen = (name) => context.state.measure === name;
    const addresses = data.panels.flatMap((panel, i) => (reports[i].by === 'app' ? [] : panel.top.rows.map((row) => row[reports[i].by]).filter(Boolean)));
    replaceContent(main,
      el('div', {class: 'tools'},
        el('div', {class: 'segments', role: 'group', 'aria-label': 'Ranked by'}, ...Object.entries(measures).map(([name, m]) =>
          el('button', {type: 'button', 'data-key': `by-${name}`, 'aria-pressed': String(chosen(name)), text: m.title, onclick: () => context.go({measure: name})}))),
        resolveButton(context, addresses)),
      el('div', {class: 'panels'}, ...reports.map((report, i) => reportPanel(report, data.panels[i], context))));
  },
};

// --- detail records ---

const sent = (value) => (value === null ? '' : String(value));

const columns = [
  {title: 'Start', order: 'first', cell: (row) => time(row.first, true), type: 'time'},
  {title: 'Duration', order: 'duration', cell: (row) => duration(row.duration), type: 'number'},
  {title: 'Proto', order: 'proto', cell: (row) => protocol(row.proto)},
  {title: 'Application', order: 'app', cell: (row, c) => row.app && drill(c, `app ${row.app}`, row.app)},
  {title: 'Source', order: 'src', cell: (row, c) => row.src && endpoint(row.src, 'src', c), type: 'address'},
  {title: 'Port', order: 'src_port', cell: (row) => sent(row.src_port), type: 'port'},
  {title: 'Destination', order: 'dst', cell: (row, c) => row.dst && endpoint(row.dst, 'dst', c), type: 'address'},
  {title: 'Port', order: 'dst_port', cell: (row) => sent(row.dst_port), type: 'port'},
  {title: 'Flags', order: 'tcp_flags', cell: (row) => (row.icmp_type === null ? (row.proto === 6 ? flags(row.tcp_flags) : '') : `${row.icmp_type}/${row.icmp_code ?? 0}`), type: 'code'},
  {title: 'Packets', order: 'packets', cell: (row) => whole(row.packets ?? 0), type: 'number'},
  {title: 'Bytes', order: 'bytes', cell: (row) => whole(row.bytes ?? 0), type: 'number'},
  {title: 'In', order: 'in_if', cell: (row) => sent(row.in_if), type: 'number'},
  {title: 'Out', order: 'out_if', cell: (row) => sent(row.out_if), type: 'number'},
  {title: 'Exporter', order: 'exporter', cell: (row, c) => drill(c, `exporter ${row.exporter}`, row.exporter), type: 'address'},
];

function endpoint(ip, side, context) {
  return el('span', {class: 'line'}, drill(context, `${side} ip ${ip}`, ip), nameOf(context, ip));
}

function columnHead(column, context) {
  const {state} = context, sorted = state.order === column.order;
  return el('th', {scope: 'col', class: column.type ?? '', 'aria-sort': sorted ? (state.desc ? 'descending' : 'ascending') : 'none'},
    el('button', {type: 'button', 'data-key': `order-${column.order}`, title: `Sort by ${column.order}`,
      onclick: () => context.go({order: column.order, desc: sorted ? !state.desc : true, offset: 0}),
      text: `${column.title}${sorted ? (state.desc ? ' ▾' : ' ▴') : ''}`}));
}

function flowRow(row, context) {
  return el('tr', {}, ...columns.map((column) => {
    const content = column.cell(row, context);
    return el('td', {class: column.type ?? ''}, content === null || content === undefined ? '' : content);
  }));
}

function pager(data, context) {
  const {state} = context, total = data.total.records, last = Math.min(total, state.offset + data.rows.length);
  const button = (text, label, offset, allowed) => el('button', {type: 'button', 'data-key': label, 'aria-label': label, disabled: !allowed, text, onclick: () => context.go({offset})});
  const sizes = el('select', {'aria-label': 'Records a page', 'data-key': 'size'}, ...[25, 50, 100, 250].map((n) => el('option', {value: n, selected: n === state.n, text: `${n} a page`})));
  sizes.addEventListener('change', () => context.go({n: Number(sizes.value), offset: 0}));
  return el('div', {class: 'pager'},
    button('‹‹', 'First page', 0, state.offset > 0),
    button('‹', 'Previous page', Math.max(0, state.offset - state.n), state.offset > 0),
    el('span', {id: 'page-position', text: `${whole(state.offset + 1)}–${whole(last)} of ${whole(total)}`}),
    button('›', 'Next page', state.offset + state.n, last < total), sizes);
}

export const flowView = {
  title: 'Flows',
  async load(context) {
    const {state, window, signal} = context;
    const data = await get('flows', {from: window.fromText, to: window.toText, filter: state.filter, order: state.order,
      desc: state.desc ? 1 : 0, n: state.n, offset: state.offset}, signal);
    return {totals: data.total, ...data};
  },
  show(main, data, context) {
    if (!data.rows.length) return replaceContent(main, nothingHere(context, data.totals));
    const {state, window} = context;
    const wanted = {from: window.fromText, to: window.toText, filter: state.filter, order: state.order, desc: state.desc ? 1 : 0};
    const link = (format, text) => el('a', {class: 'quiet', 'data-key': `export-${format}`, href: address('export', {format, ...wanted}), download: `flows.${format}`, text});
    const addresses = data.rows.flatMap((row) => [row.src, row.dst]).filter(Boolean);
    replaceContent(main,
      el('div', {class: 'tools'}, pager(data, context), resolveButton(context, addresses),
        el('span', {class: 'spring'}), link('csv', 'Export CSV'), link('json', 'Export JSON')),
      ...reducedNote(data.total),
      el('div', {class: 'panel scroll'}, el('table', {class: 'flows'},
        el('caption', {class: 'hidden', text: 'Detail flow records'}),
        el('thead', {}, el('tr', {}, ...columns.map((column) => columnHead(column, context)))),
        el('tbody', {}, ...data.rows.map((row) => flowRow(row, context))))));
  },
};

// --- findings ---

function peersOf(finding) {
  const more = finding.observed > finding.peers.length && finding.peers.length >= 8;
  return finding.peers.length ? `→ ${finding.peers.join(', ')}${more ? ' …' : ''}` : '';
}

function findingItem(finding, context) {
  const from = Date.parse(finding.first) - 1000, to = Date.parse(finding.last) + 60000;
  return el('li', {class: 'finding', 'data-id': finding.id},
    el('span', {class: `severity level${finding.level}`, text: finding.severity}),
    el('div', {class: 'what'},
      el('p', {class: 'message', text: finding.message}),
      el('p', {class: 'who'}, el('b', {text: finding.entity}), nameOf(context, finding.entity), el('span', {class: 'peers', text: peersOf(finding)})),
      el('p', {class: 'muted'}, `${timeRange(finding.first, finding.last)} · ${finding.detector}`,
        finding.attack ? ` · ATT&CK ${finding.attack}` : '')),
    el('dl', {class: 'evidence'},
      el('dt', {text: finding.measure}), el('dd', {}, el('b', {text: whole(Math.round(finding.observed))}), ` (reported from ${whole(finding.threshold)})`),
      el('dt', {text: 'connections'}), el('dd', {text: whole(finding.flows)}),
      el('dt', {text: 'confidence'}), el('dd', {text: `${finding.confidence} %`})),
    el('button', {type: 'button', 'data-key': `show-${finding.id}`, title: finding.filter, text: 'Show flows',
      onclick: () => context.go({view: 'flows', window: 'custom', from, to, filter: finding.filter, order: 'first', desc: false, offset: 0})}));
}

export const findingView = {
  title: 'Findings',
  async load(context) {
    const {window, signal} = context;
    return get('findings', {from: window.fromText, to: window.toText, n: 200}, signal);
  },
  show(main, data, context) {
    const all = context.status.findings;
    if (!data.findings.length)
      return replaceContent(main, el('section', {class: 'empty'},
        el('h2', {text: 'Nothing found in this window'}),
        el('p', {text: all ? `${whole(all)} findings are about other times.` : 'The detectors look at every connection as it arrives: port scans of one host, and scans of many hosts on one port. What they find is listed here.'}),
        all ? el('p', {class: 'buttons'}, el('button', {type: 'button', text: 'Show all findings', onclick: () => context.go({window: 'custom', from: 0, to: Date.now() + 86400e3})})) : null));
    const addresses = data.findings.map((f) => f.entity);
    replaceContent(main,
      el('div', {class: 'tools'}, el('span', {text: data.total === 1 ? '1 finding' : `${whole(data.total)} findings, newest first`}), resolveButton(context, addresses)),
      el('ol', {class: 'panel findings'}, ...data.findings.map((finding) => findingItem(finding, context))));
  },
};

// --- status ---

function facts(title, pairs) {
  return el('section', {class: 'panel'}, el('h2', {text: title}),
    el('dl', {class: 'facts'}, ...pairs.flatMap(([name, value, bad]) => [el('dt', {text: name}), el('dd', {class: bad ? 'bad' : '', text: value})])));
}

function dataTable(title, id, heads, rows) {
  return el('section', {class: 'panel wide', id}, el('h2', {text: title}),
    el('div', {class: 'scroll'}, el('table', {}, el('thead', {}, el('tr', {}, ...heads.map(([text, type]) => el('th', {scope: 'col', class: type ?? '', text})))),
      el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map((value, i) => {
        const bad = typeof value === 'object';
        return el('td', {class: `${heads[i][1] ?? ''} ${bad ? 'bad' : ''}`, text: bad ? value.bad : value});
      })))))));
}

const warn = (count, text) => (Number(count) > 0 ? {bad: text ?? whole(count)} : text ?? '0');
const protocolNames = {1: 'NetFlow v1', 5: 'NetFlow v5', 7: 'NetFlow v7', 9: 'NetFlow v9', 10: 'IPFIX', 105: 'sFlow v5'};

function exporterRows(status) {
  const now = Date.parse(status.now);
  return [...status.exporters].sort((a, b) => b.flows - a.flows).map((e) => [
    e.exporter, protocolNames[e.version] ?? String(e.version), String(e.domain), whole(e.templates), e.sampling > 1 ? `1 in ${whole(e.sampling)}` : 'none',
    whole(e.flows), whole(e.datagrams), warn(e.lost, `${whole(e.lost)} ${e.lost_unit}`), warn(e.late), whole(e.restarts), warn(e.pending_bytes, bytes(e.pending_bytes)),
    `${duration(Math.max(0, Math.round((now - Date.parse(e.last_seen)) / 1000)))} ago`]);
}

export const statusView = {
  title: 'Status',
  async load() { return {}; },
  show(main, data, context) {
    const s = context.status, d = s.decoder;
    replaceContent(main, el('div', {class: 'panels'},
      facts('Collector', [['Version', s.version], ['Running for', duration(s.uptime_s)], ['Flows/s', s.flows_per_s.toFixed(1)], ['Datagrams/s', s.datagrams_per_s.toFixed(1)],
        ['Flows received', whole(d.flows)], ['Flows not stored', whole(s.dropped_flows), s.dropped_flows > 0], ['Decoder memory', bytes(d.memory_bytes)]]),
      facts('Store', [['Flows', whole(s.store.flows)], ['Sealed', `${bytes(s.store.bytes)} in ${whole(s.store.segments)} segments`], ['Kept as sums only', `${whole(s.store.summed_flows)} flows${s.store.keep_flows_days ? `, after ${whole(s.store.keep_flows_days)} days` : ''}`], ['In the journal', `${whole(s.store.journal_flows)} flows`],
        ['Earliest', time(s.store.first)], ['Latest', time(s.store.last)], ['Kept for', s.store.keep_days ? `${whole(s.store.keep_days)} days` : 'ever'], ['Trouble', s.store.error ?? s.problem ?? 'none', s.store.error || s.problem]]),
      facts('Decoding', [['Datagrams', whole(d.datagrams)], ['Not flow exports', whole(d.bad_datagrams), d.bad_datagrams > 0], ['Malformed sets', whole(d.bad_sets), d.bad_sets > 0],
        ['Sets waited for a template', whole(d.unknown_sets)], ['… decoded later', whole(d.replayed_sets)], ['… lost', whole(d.dropped_sets), d.dropped_sets > 0], ['Templates refused', whole(d.refused_templates), d.refused_templates > 0]]),
      s.exporters.length ? dataTable('Exporters', 'exporters', [['Exporter', 'address'], ['Protocol'], ['Domain', 'number'], ['Templates', 'number'], ['Sampling', 'number'], ['Flows', 'number'],
        ['Datagrams', 'number'], ['Lost', 'number'], ['Late', 'number'], ['Restarts', 'number'], ['Waiting', 'number'], ['Last heard', 'number']], exporterRows(s)) : howToExport(context),
      dataTable('Listeners', 'listeners', [['Address', 'address'], ['Datagrams', 'number'], ['Bytes', 'number'], ['Dropped by the kernel', 'number'], ['Too long', 'number'], ['Socket buffer', 'number']],
        s.listeners.map((l) => [l.address, whole(l.datagrams), bytes(l.bytes), warn(l.dropped), warn(l.too_long), bytes(l.buffer_bytes)])),
      s.tcp.length ? dataTable('IPFIX over TCP', 'tcp', [['Address', 'address'], ['Messages', 'number'], ['Bytes', 'number'], ['Connections', 'number'], ['Refused', 'number'], ['Idle', 'number'], ['Broken', 'number']],
        s.tcp.map((l) => [l.address, whole(l.messages), bytes(l.bytes), whole(l.connections), warn(l.refused), whole(l.idle), warn(l.broken)])) : null));
  },
};
