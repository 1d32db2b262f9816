// Stacked bars over time in SVG. The pointer or the arrow keys pick a bucket; its values are shown above the chart.

import {el, scaled, tickTime, time} from './format.js';

const namespace = 'http://www.w3.org/2000/svg';
const height = 132, left = 68, right = 6, top = 8, bottom = 20;

function svg(tag, attributes, text) {
  const element = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// 1, 2 or 5 times a power of ten that is at least the value: the top of an axis people can read.
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
}

export class StackedBars {
  constructor(label) {
    this.label = label;
    this.picked = -1;
    this.readout = el('div', {class: 'readout', 'aria-live': 'off'});
    this.drawing = svg('svg', {tabindex: 0, role: 'img'});
    this.element = el('div', {class: 'chart'}, this.readout, this.drawing);
    this.drawing.addEventListener('pointermove', (event) => this.pick(this.bucketAt(event)));
    this.drawing.addEventListener('pointerleave', () => this.pick(-1));
    this.drawing.addEventListener('blur', () => this.pick(-1));
    this.drawing.addEventListener('keydown', (event) => this.onKey(event));
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  // data: {times: [ms], bucket: ms, unit: 'bit/s', series: [{name, values, className}]} - values already are rates.
  update(data) {
    this.data = data;
    this.draw();
  }

  get plotWidth() { return Math.max(60, this.element.clientWidth - left - right); }

  bucketAt(event) {
    const x = event.clientX - this.drawing.getBoundingClientRect().left - left;
    const i = Math.floor(x / this.plotWidth * this.data.times.length);
    return i >= 0 && i < this.data.times.length ? i : -1;
  }

  onKey(event) {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step || !this.data) return;
    event.preventDefault();
    const n = this.data.times.length;
    this.pick(this.picked < 0 ? (step > 0 ? 0 : n - 1) : Math.min(n - 1, Math.max(0, this.picked + step)));
    this.readout.setAttribute('aria-live', 'polite');
  }

  pick(i) {
    if (i === this.picked) return;
    this.picked = i;
    this.showPick();
  }

  draw() {
    if (!this.data || this.element.clientWidth === 0) return;
    const {times, series, unit} = this.data;
    const totals = times.map((_, i) => series.reduce((sum, s) => sum + s.values[i], 0));
    const limit = ceiling(Math.max(...totals, 0));
    const width = this.plotWidth, plot = height - top - bottom;
    this.drawing.setAttribute('viewBox', `0 0 ${width + left + right} ${height}`);
    this.drawing.setAttribute('height', height);
    this.drawing.setAttribute('aria-label', `${this.label}: largest ${scaled(Math.max(...totals, 0), unit)}. Arrow keys read the values.`);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const y = top + plot * (1 - share);
      parts.push(svg('line', {class: 'grid', x1: left, x2: left + width, y1: y, y2: y}));
      parts.push(svg('text', {class: 'tick', x: left - 6, y: y + 4, 'text-anchor': 'end'}, scaled(limit * share, unit)));
    }
    this.cursor = svg('rect', {class: 'cursor', y: top, height: plot, visibility: 'hidden'});
    parts.push(this.cursor, ...this.bars(series, width, plot, limit), ...this.timeTicks(times, width));
    this.drawing.replaceChildren(...parts);
    this.showPick();
  }

  // One path a series: cheap however many buckets there are.
  bars(series, width, plot, limit) {
    const n = this.data.times.length, slot = width / n, gap = slot > 4 ? 1 : 0;
    const base = new Array(n).fill(0);
    return series.map((s) => {
      let path = '';
      for (let i = 0; i < n; i++) {
        if (!(s.values[i] > 0)) continue;
        const y0 = top + plot * (1 - base[i] / limit);
        base[i] += s.values[i];
        const y1 = top + plot * (1 - base[i] / limit);
        path += `M${(left + i * slot).toFixed(1)} ${y0.toFixed(1)}V${y1.toFixed(1)}h${(slot - gap).toFixed(1)}V${y0.toFixed(1)}z`;
      }
      return svg('path', {class: s.className, d: path});
    });
  }

  timeTicks(times, width) {
    const n = times.length, wanted = Math.max(2, Math.floor(width / 90)), length = n * this.data.bucket;
    const step = Math.max(1, Math.ceil(n / wanted)), ticks = [];
    for (let i = 0; i < n; i += step) {
      const x = left + i * width / n;
      if (x > left + width - 24) break;
      ticks.push(svg('text', {class: 'tick', x, y: height - 5}, tickTime(times[i], length)));
    }
    return ticks;
  }

  showPick() {
    const {times, series, unit} = this.data ?? {times: [], series: []};
    const i = this.picked;
    if (i < 0 || i >= times.length || !this.cursor) {
      this.cursor?.setAttribute('visibility', 'hidden');
      this.readout.classList.remove('shown');
      return;
    }
    const slot = this.plotWidth / times.length;
    this.cursor.setAttribute('visibility', 'visible');
    this.cursor.setAttribute('x', left + i * slot);
    this.cursor.setAttribute('width', Math.max(1, slot));
    const lines = [...series].reverse().filter((s) => s.values[i] > 0).map((s) =>
      el('div', {}, el('i', {class: `swatch ${s.className}`}), el('span', {text: s.name}), el('b', {text: scaled(s.values[i], unit)})));
    this.readout.replaceChildren(el('div', {class: 'when', text: time(times[i])}),
      ...(lines.length ? lines : [el('div', {text: 'no flows'})]));
    this.readout.classList.toggle('flip', i > times.length / 2);
    this.readout.classList.add('shown');
  }
}
