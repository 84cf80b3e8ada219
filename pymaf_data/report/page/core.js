// Elements, numbers and the data of the page. Text from the data only ever becomes text nodes and attributes.

const $ = (selector, root = document) => root.querySelector(selector);
const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const META = JSON.parse($('#meta').textContent);

function bytes(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

// ---- numbers

const whole = (value) => Math.round(value).toLocaleString('en-US');

function number(value) {
  if (Number.isNaN(value)) return 'not known';
  const size = Math.abs(value);
  if (size >= 1000) return whole(value);
  if (size > 0 && size < 0.001) return Number(value.toPrecision(3)).toExponential().replaceAll('-', '−');
  if (size > 0 && size < 0.01) return String(Number(value.toPrecision(2))).replace('-', '−');
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3))).replace('-', '−');
}

const TIGHT = new Set(['°', '%', '']);
const withUnit = (value, unit) => (Number.isNaN(value) ? 'not known' : number(value) + (TIGHT.has(unit) ? '' : ' ') + unit);
const span = (low, high, unit) => {
  if (low === -Infinity) return 'below ' + withUnit(high, unit);
  if (high === Infinity) return 'from ' + withUnit(low, unit);
  return number(low) + ' to ' + withUnit(high, unit);
};
const plural = (count, one, many) => whole(count) + ' ' + (count === 1 ? one : many || one + 's');
const percent = (part, total) => (total ? number((100 * part) / total) + '%' : '–');

function size(count) {
  let unit = 0;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  for (; count >= 1000 && unit < units.length - 1; unit++) count /= 1000;
  return number(count) + ' ' + units[unit];
}

const sortedOf = (values) => Float32Array.from(values.filter((value) => !Number.isNaN(value))).sort();
const quantile = (sorted, share) => (sorted.length ? sorted[Math.round(share * (sorted.length - 1))] : NaN);

// ---- the frame of the page

function section(id, title, intro, ...children) {
  const heading = el('h2', { id: id + '-title' }, title);
  const part = el('section', { id, 'aria-labelledby': id + '-title' }, heading, intro ? el('p', { class: 'intro' }, intro) : null, ...children);
  $('#main').append(part);
  $('#nav').append(el('li', {}, el('a', { href: '#' + id }, title)));
  return part;
}

function tiles(entries) {
  const one = ([value, name, note]) =>
    el('div', { class: 'tile' }, el('dt', {}, name), el('dd', {}, el('b', {}, value)), note ? el('dd', { class: 'told' }, note) : null);
  return el('dl', { class: 'tiles' }, entries.map(one));
}

function facts(entries) {
  const rows = Object.entries(entries).map(([name, value]) => [el('dt', {}, name), el('dd', {}, plain(value))]);
  return rows.length ? el('dl', { class: 'facts' }, rows) : el('p', { class: 'muted' }, 'none');
}

const plain = (value) => {
  if (value === null || value === '') return 'none';
  if (Array.isArray(value)) return value.filter((item) => item !== '').map(plain).join(', ') || 'none';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

function block(title, ...children) {
  return el('div', { class: 'block' }, el('h3', {}, title), ...children);
}

// Name → count as bars; `note` tells more of an entry.
function countBars(counts, total, note, tone) {
  const rows = Object.entries(counts).map(([name, count]) => {
    const bar = el('span', { class: 'fillbar ' + ((tone && tone(name)) || '') });
    bar.style.width = (total ? (100 * count) / total : 0).toFixed(2) + '%';
    const more = note && note(name);
    return el('tr', {}, el('th', { scope: 'row' }, name, more ? el('small', {}, more) : null),
      el('td', { class: 'num' }, whole(count)), el('td', { class: 'num muted' }, percent(count, total)), el('td', { class: 'track' }, bar));
  });
  return el('table', { class: 'counts' }, el('tbody', {}, rows));
}

function announce(text) {
  $('#live').textContent = text;
}

function openHelp(keys) {
  const dialog = $('#help');
  if (!dialog.firstChild) {
    const rows = keys.map(([key, what]) => [el('dt', {}, key.split(' ').map((name) => el('kbd', {}, name))), el('dd', {}, what)]);
    dialog.append(el('h2', { id: 'help-title' }, 'Keys'), el('dl', { class: 'keys' }, rows),
      el('form', { method: 'dialog' }, el('button', {}, 'Close')));
  }
  dialog.showModal();
}

const typing = (target) => /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
