// Numbers, times and addresses for people; small helpers to build elements. Data reaches the page through
// textContent and attributes only.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'onclick') element.addEventListener('click', value);
    else if (name === 'text') element.textContent = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Show other content without losing the keyboard's place: elements with the same data-key are the same.
export function replaceContent(container, ...children) {
  const key = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const scroll = [...container.querySelectorAll('.scroll')].map((box) => box.scrollLeft);
  container.replaceChildren(...children.filter(Boolean));
  container.querySelectorAll('.scroll').forEach((box, i) => { box.scrollLeft = scroll[i] ?? 0; });
  if (key !== undefined) container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({preventScroll: true});
}

const units = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

export function scaled(number, unit = '') {
  let value = Number(number), i = 0;
  while (value >= 999.5 && i < units.length - 1) { value /= 1000; i++; }
  const digits = i === 0 ? (Number.isInteger(value) ? 0 : value < 10 ? 1 : 0) : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  const suffix = units[i] + unit;
  return suffix ? `${value.toFixed(digits)} ${suffix}` : value.toFixed(digits);
}

export const whole = (number) => Number(number).toLocaleString('en-US');
export const bytes = (number) => scaled(number, 'B');
export const percent = (part, total) => (Number(total) > 0 ? `${(100 * Number(part) / Number(total)).toFixed(1)} %` : '–');

const two = (n) => String(n).padStart(2, '0');
const day = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
const clock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;

export function time(value, milliseconds = false) {
  if (!value) return '–';
  const d = new Date(value);
  return `${day(d)} ${clock(d)}${milliseconds ? `.${String(d.getMilliseconds()).padStart(3, '0')}` : ''}`;
}

export function timeRange(from, to) {
  const a = new Date(from), b = new Date(to);
  return day(a) === day(b) ? `${day(a)} ${clock(a)}–${clock(b)}` : `${time(a)} – ${time(b)}`;
}

// For the axis of a chart: days where the window is long.
export function tickTime(milliseconds, length) {
  const d = new Date(milliseconds);
  if (length > 3 * 86400e3) return `${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  if (length > 86400e3) return `${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}`;
  return length > 600e3 ? `${two(d.getHours())}:${two(d.getMinutes())}` : clock(d);
}

export function localInput(milliseconds) {
  const d = new Date(milliseconds);
  return `${day(d)}T${clock(d)}`;
}

export function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const size = Math.abs(minutes);
  return minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '−' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const s = Number(seconds);
  if (s === 0) return '0 s';
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

const protocols = {1: 'ICMP', 2: 'IGMP', 4: 'IPIP', 6: 'TCP', 17: 'UDP', 41: 'IPv6', 47: 'GRE', 50: 'ESP', 51: 'AH', 58: 'ICMPv6', 89: 'OSPF', 103: 'PIM', 112: 'VRRP', 132: 'SCTP', 136: 'UDPLite'};

export const protocol = (number) => (number === null ? '–' : protocols[number] ?? String(number));

// TCP flags as nfdump shows them: UAPRSF, dots where a flag is not set.
export function flags(value) {
  if (value === null) return '';
  const letters = [[128, 'C'], [64, 'E'], [32, 'U'], [16, 'A'], [8, 'P'], [4, 'R'], [2, 'S'], [1, 'F']];
  return letters.filter(([bit]) => bit < 64 || value & 192).map(([bit, letter]) => (value & bit ? letter : '·')).join('');
}
