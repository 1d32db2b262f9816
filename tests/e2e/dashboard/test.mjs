// The dashboard in a real browser, against a real netflowd, with flows whose sums are known.
//   node test.mjs [FOLDER]     FOLDER gets screenshots
// NETFLOW_BIN_DIR says where netflowd is, CHROMIUM which browser.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {chromium} from 'playwright-core';
import {datagrams, nameServer, send, traffic} from './exporter.mjs';

const top = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../..');
const binaries = process.env.NETFLOW_BIN_DIR ?? path.join(top, 'build/release/bin');
const pictures = process.argv[2];
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'dashboard-'));
const now = Date.now();
const flows = traffic(now);

async function start(store, extra = []) {
  const daemon = spawn(path.join(binaries, 'netflowd'), ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--store', store, ...extra], {stdio: ['ignore', 'pipe', 'inherit']});
  const ready = await new Promise((resolve, reject) => {
    daemon.stdout.once('data', (data) => resolve(String(data)));
    daemon.once('exit', (status) => reject(new Error(`netflowd ended with ${status}`)));
  });
  const [, port] = /listen 127\.0\.0\.1:(\d+)/.exec(ready), [, url] = /dashboard (\S+)/.exec(ready);
  const stop = async () => {
    if (daemon.exitCode !== null) return daemon.exitCode;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    return ended;
  };
  return {port: Number(port), url, stop};
}

async function until(what, test) {
  for (let i = 0; i < 200; i++) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`this did not happen: ${what}`);
}

const sum = (list, key) => list.reduce((total, item) => total + item[key], 0);
const scaled = (n) => { // as the page writes bytes
  const units = ['', 'k', 'M', 'G'];
  let i = 0;
  while (n >= 999.5 && i < 3) { n /= 1000; i++; }
  return `${n.toFixed(i === 0 ? 0 : n < 9.995 ? 2 : n < 99.95 ? 1 : 0)} ${units[i]}B`;
};

function ranked(key, filter = () => true) {
  const sums = new Map();
  for (const flow of flows.filter(filter)) sums.set(flow[key], (sums.get(flow[key]) ?? 0) + flow.bytes);
  return [...sums].sort((a, b) => b[1] - a[1]);
}

const tests = [];
const test = (name, run) => tests.push({name, run});
const rowsOf = (page, selector) => page.$$eval(`${selector} tbody tr`, (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
const settled = (page) => page.waitForSelector('main[aria-busy=false]');

async function go(page, hash) {
  await page.goto(`about:blank`);
  await page.goto(`${page.base}#${hash}`);
  await settled(page);
}

async function picture(page, name) {
  if (pictures) await page.screenshot({path: path.join(pictures, `${name}.png`), fullPage: true});
}

test('reports rank sources and destinations by bytes, with the right sums', async (page) => {
  await go(page, 'window=1h');
  for (const key of ['src', 'dst']) {
    const want = ranked(key), rows = await rowsOf(page, `#report-${key}`);
    assert.equal(rows.length, 10);
    rows.forEach((row, i) => {
      assert.equal(row[2], scaled(want[i][1]), `row ${i + 1} of ${key}`);
      assert.equal(row[3], `${(100 * want[i][1] / sum(flows, 'bytes')).toFixed(1)} %`);
    });
    assert.equal(rows[0][1], want[0][0]);
  }
});

test('applications are named and ranked', async (page) => {
  const rows = await rowsOf(page, '#report-app');
  assert.deepEqual(rows.slice(0, 3).map((row) => row[1]), ['https', 'http', 'ssh']);
  assert.ok(rows.some((row) => row[1] === 'icmp') || rows.length === 10);
});

test('the summary tells records and bytes of the window', async (page) => {
  const text = await page.textContent('#summary');
  assert.ok(text.includes(`${flows.length} records`), text);
  assert.ok(text.includes(scaled(sum(flows, 'bytes'))), text);
});

test('the chart shows values under the pointer and by arrow keys', async (page) => {
  const chart = page.locator('#report-src .chart');
  await chart.locator('svg').focus();
  await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('#report-src .readout.shown');
  const box = await chart.locator('svg').boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2);
  const text = await chart.locator('.readout').textContent();
  assert.match(text, /bit\/s/);
  assert.match(text, /192\.0\.2\.8\d/);
  await picture(page, 'chart-values');
  await page.mouse.move(1, 1);
});

test('ranking by packets and flows', async (page) => {
  await page.click('button[data-key=by-flows]');
  await page.waitForSelector('button[data-key=by-flows][aria-pressed=true]');
  await page.waitForFunction(() => document.querySelector('#report-src th.number')?.textContent === 'Flows');
  const rows = await rowsOf(page, '#report-src');
  const counts = new Map();
  for (const flow of flows) counts.set(flow.src, (counts.get(flow.src) ?? 0) + 1);
  assert.equal(rows[0][2], String(Math.max(...counts.values())));
  await page.click('button[data-key=by-bytes]');
});

test('a click on a row narrows the filter', async (page) => {
  await go(page, 'window=1h');
  await page.click('#report-src tbody tr:first-child button.link');
  const key = ranked('src')[0][0];
  await page.waitForFunction((text) => document.querySelector('#filter').value === text, `src ip ${key}`);
  await page.waitForFunction(() => document.querySelectorAll('#report-src tbody tr').length === 1);
  const want = ranked('dst', (flow) => flow.src === key), rows = await rowsOf(page, '#report-dst');
  assert.deepEqual(rows.map((row) => row[2]), want.slice(0, 10).map(([, bytes]) => scaled(bytes)));
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('#filter').value === '');
  await page.waitForFunction(() => document.querySelectorAll('#report-src tbody tr').length === 10);
});

test('an alternative in the filter is kept together when it is narrowed', async (page) => {
  await go(page, 'window=1h&filter=port+53+or+port+22');
  await page.click('#report-dst tbody tr:first-child button.link');
  await page.waitForFunction(() => /^\(port 53 or port 22\) and dst ip /.test(document.querySelector('#filter').value));
});

test('a typed filter is applied', async (page) => {
  await go(page, 'view=flows&window=1h');
  await page.fill('#filter', 'proto udp and dst port 53');
  await page.press('#filter', 'Enter');
  const want = flows.filter((flow) => flow.proto === 17 && flow.dport === 53);
  await page.waitForFunction((text) => document.querySelector('#page-position')?.textContent === text, `1–${want.length} of ${want.length}`);
  assert.ok((await rowsOf(page, 'table.flows')).every((row) => row[2] === 'UDP' && row[7] === '53'));
});

test('a wrong filter is shown with its column, and the page stays', async (page) => {
  await page.fill('#filter', 'dst prot 80');
  await page.press('#filter', 'Enter');
  await page.waitForSelector('#filter-error:not([hidden])');
  assert.match(await page.textContent('#filter-error p'), /^Column 5: found 'prot'/);
  assert.equal(await page.textContent('#filter-error pre'), 'dst prot 80\n    ^');
  assert.ok((await rowsOf(page, 'table.flows')).length > 0);
  await picture(page, 'wrong-filter');
  await page.click('#filter-clear');
  await page.waitForSelector('#filter-error', {state: 'hidden'});
});

test('records are sorted by a click on a header, both ways', async (page) => {
  await go(page, 'view=flows&window=1h');
  const column = 10, numbers = async () => (await rowsOf(page, 'table.flows')).map((row) => Number(row[column].replaceAll(',', '')));
  const sorted = flows.map((flow) => flow.bytes).sort((a, b) => b - a);
  await page.click('button[data-key=order-bytes]');
  await page.waitForSelector('th[aria-sort=descending] button[data-key=order-bytes]');
  assert.deepEqual(await numbers(), sorted.slice(0, 50));
  await page.click('button[data-key=order-bytes]');
  await page.waitForSelector('th[aria-sort=ascending] button[data-key=order-bytes]');
  assert.deepEqual(await numbers(), sorted.reverse().slice(0, 50));
  assert.equal(await page.evaluate(() => document.activeElement.dataset.key), 'order-bytes', 'the keyboard lost its place');
});

test('pages of records do not overlap and end', async (page) => {
  await go(page, 'view=flows&window=1h&n=250&order=bytes');
  let seen = 0;
  for (let last = false; !last;) {
    seen += (await rowsOf(page, 'table.flows')).length;
    const position = await page.textContent('#page-position');
    assert.ok(position.endsWith(` of ${flows.length}`), position);
    last = await page.isDisabled('button[data-key="Next page"]');
    if (last) break;
    await page.click('button[data-key="Next page"]');
    await page.waitForFunction((before) => document.querySelector('#page-position')?.textContent !== before, position);
  }
  assert.equal(seen, flows.length);
});

test('ICMP shows type and code, TCP its flags', async (page) => {
  await go(page, 'view=flows&window=1h&filter=icmp');
  assert.deepEqual(new Set((await rowsOf(page, 'table.flows')).map((row) => row[8])), new Set(['8/0', '0/0']));
  await go(page, `view=flows&window=1h&filter=${encodeURIComponent('src ip 203.0.113.5')}`);
  assert.ok((await rowsOf(page, 'table.flows')).every((row) => row[8] === '····S·'));
});

test('addresses are resolved when asked for', async (page) => {
  await go(page, 'view=flows&window=1h&filter=port+22');
  assert.equal(await page.$('.name'), null, 'names without being asked for');
  await page.click('button[data-key=resolve]');
  await page.waitForSelector('.name');
  assert.ok((await page.$$eval('.name', (all) => all.map((e) => e.textContent))).includes('backup.example.net'));
  await go(page, 'view=reports&window=1h');
  await page.click('button[data-key=resolve]');
  await page.waitForFunction(() => [...document.querySelectorAll('.name')].some((e) => e.textContent === 'www.example.net'));
  await picture(page, 'reports-light');
});

test('an export holds every record', async (page) => {
  await go(page, 'view=flows&window=1h');
  await picture(page, 'flows-light');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[data-key=export-csv]')]);
  const lines = fs.readFileSync(await download.path(), 'utf8').trim().split('\r\n');
  assert.equal(lines.length, flows.length + 1);
  const column = lines[0].split(',').indexOf('bytes');
  assert.equal(lines.slice(1).reduce((total, line) => total + Number(line.split(',')[column]), 0), sum(flows, 'bytes'));
  const json = await page.evaluate((href) => fetch(href).then((r) => r.json()), await page.getAttribute('a[data-key=export-json]', 'href'));
  assert.equal(json.length, flows.length);
});

test('the scan is found and its flows are one click away', async (page) => {
  await go(page, 'view=findings&window=1h');
  await until('the scan is listed', async () => (await page.reload(), await settled(page), await page.$('.finding')));
  const text = await page.textContent('.finding');
  assert.match(text, /203\.0\.113\.5/);
  assert.match(text, /10\.1\.0\.80/);
  assert.match(text, /T1046/);
  await picture(page, 'findings-light');
  await page.click('.finding button[data-key^=show]');
  await page.waitForSelector('table.flows');
  await settled(page);
  assert.equal(await page.textContent('#page-position'), '1–50 of 80');
  assert.match(await page.inputValue('#filter'), /src ip 203\.0\.113\.5/);
});

test('status shows exporter, losses and store', async (page) => {
  await go(page, 'view=status');
  const [exporter] = await rowsOf(page, '#exporters');
  assert.equal(exporter[0], '127.0.0.1');
  assert.equal(exporter[1], 'NetFlow v5');
  assert.equal(exporter[5].replaceAll(',', ''), String(flows.length));
  assert.equal(exporter[7], '0 flows');
  const [tcp] = await rowsOf(page, '#tcp');
  assert.match(tcp[0], /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(tcp.slice(1), ['0', '0 B', '0', '0', '0', '0']);
  await picture(page, 'status-light');
});

test('a view can be shared by its address', async (page) => {
  await go(page, 'view=flows&window=24h&filter=port+22&order=bytes&n=25');
  assert.equal(await page.inputValue('#filter'), 'port 22');
  assert.equal(await page.getAttribute('[data-window="24h"]', 'aria-pressed'), 'true');
  assert.equal((await rowsOf(page, 'table.flows')).length, 25);
});

test('a window of one\'s own', async (page) => {
  const from = now - 10 * 60000, to = now - 5 * 60000;
  const want = flows.filter((flow) => flow.start >= from && flow.start < to).length;
  await go(page, `view=flows&window=custom&from=${from}&to=${to}`);
  assert.match(await page.textContent('#page-position'), new RegExp(` of ${want}$`));
  assert.ok(await page.isVisible('#custom'));
});

test('an empty window says what there is', async (page) => {
  await go(page, 'window=custom&from=1000000000000&to=1000000100000');
  assert.match(await page.textContent('.empty'), /The store has [0-9,]+ flows/);
  await page.click('.empty button');
  await page.waitForSelector('#report-src');
});

test('everything can be reached by keyboard', async (page) => {
  await go(page, 'window=1h');
  const seen = new Set();
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab');
    seen.add(await page.evaluate(() => document.activeElement.dataset.key ?? document.activeElement.id ?? document.activeElement.tagName));
  }
  for (const key of ['flows', '24h', 'live', 'filter', 'by-packets', `src ip ${ranked('src')[0][0]}`]) assert.ok(seen.has(key), key);
});

test('dark and phone', async (page) => {
  await page.emulateMedia({colorScheme: 'dark'});
  for (const view of ['reports', 'flows', 'findings', 'status']) {
    await go(page, `view=${view}&window=1h`);
    await picture(page, `${view}-dark`);
  }
  await page.setViewportSize({width: 390, height: 844});
  await page.emulateMedia({colorScheme: 'light'});
  for (const view of ['reports', 'flows', 'findings', 'status']) {
    await go(page, `view=${view}&window=1h`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${view} is ${wide} pixels too wide for a phone`);
    await picture(page, `${view}-phone`);
  }
  await page.setViewportSize({width: 1440, height: 900});
});

// --- run ---

async function run() {
  const names = await nameServer({'192.0.2.80': 'www.example.net', '192.0.2.82': 'cdn.example.net', '198.51.100.22': 'backup.example.net', '10.1.0.8': 'desk8.example.net'});
  const daemon = await start(path.join(work, 'store'), ['--dns-server', `127.0.0.1:${names.port}`, '--tcp', '127.0.0.1:0']);
  const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']});
  let failed = 0;
  try {
    const page = await browser.newPage({viewport: {width: 1440, height: 900}, acceptDownloads: true});
    const noise = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && noise.push(message.text()));
    page.on('pageerror', (error) => noise.push(String(error)));
    page.base = daemon.url;
    tests.unshift({name: 'an empty store says how to point a router here', run: async () => {
      await go(page, '');
      const text = await page.textContent('.empty');
      assert.ok(text.includes(`127.0.0.1:${daemon.port}`), text);
      await picture(page, 'empty-light');
      await send(datagrams(flows, now), daemon.port);
      await until('all flows are stored', async () => (await (await fetch(`${daemon.url}api/status`)).json()).store.flows === flows.length);
    }});
    tests.push({name: 'nothing unexpected on the console', run: async () => {
      // The browser itself reports the answer 400 to the wrong filter.
      assert.deepEqual(noise.filter((text) => !/status of 400/.test(text)), []);
    }});
    for (const {name, run: body} of tests) {
      try {
        await body(page);
        console.log(`ok   ${name}`);
      } catch (error) {
        failed++;
        console.log(`FAIL ${name}\n${error.stack}`);
        await picture(page, `failed-${failed}`);
      }
    }
  } finally {
    await browser.close();
    names.close();
    const status = await daemon.stop();
    if (status !== 0) { failed++; console.log(`FAIL netflowd ended with ${status}`); }
    fs.rmSync(work, {recursive: true, force: true});
  }
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

if (pictures) fs.mkdirSync(pictures, {recursive: true});
await run();
