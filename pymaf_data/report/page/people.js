// The persons of a store: typed columns, what the filters leave of them, and the order in which they are shown.

class People {
  constructor(table) {
    this.table = table;
    this.count = table.names.length;
    const data = bytes($('#columns').textContent).buffer;
    this.measures = table.measures;
    this.series = {};
    let offset = 0;
    for (const measure of table.measures) {
      this.series[measure.key] = measure.series.map(() => {
        const values = new Float32Array(data, offset, this.count);
        offset += 4 * this.count;
        return values;
      });
    }
    this.state = new Uint8Array(data, offset, this.count);
    this.flags = new Uint8Array(data, offset + this.count, this.count); // 1: image stored, 2: IUV map stored
    this.shown = new Map([...document.querySelectorAll('script[id^="p"]')].map((node, rank) => [Number(node.id.slice(1)), rank]));
    this.lower = null;
    this.sorted = {};
  }

  measure(key) {
    return this.measures.find((measure) => measure.key === key);
  }

  value(key, i) {
    return this.series[key][0][i];
  }

  lacksFit(i) {
    return !this.table.states[this.state[i]].startsWith('fit of ');
  }

  rank(key, s, i) {
    const name = key + s;
    this.sorted[name] ||= sortedOf(Array.from(this.series[key][s]));
    const list = this.sorted[name], value = this.series[key][s][i];
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] < value) low = middle + 1;
      else high = middle;
    }
    return list.length > 1 ? low / (list.length - 1) : 0.5;
  }

  // Panel name → data URL of the images that the page holds of a person.
  images(i) {
    if (!this.shown.has(i)) return null;
    return imagesOf($('#p' + i));
  }
}

// Panel name → data URL of the lines of an element.
function imagesOf(node) {
  return Object.fromEntries(node.textContent.trim().split('\n').map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), 'data:image/webp;base64,' + line.slice(colon + 1)];
  }));
}

class Filters {
  constructor(people, changed) {
    this.people = people;
    this.changed = changed;
    this.text = '';
    this.stateName = '';
    this.pictured = true;
    this.group = ''; // of the groups that an evaluation tells apart
    this.sort = 'reprojection desc';
    this.ranges = new Map(); // measure → {range: [low, high], bins: [a, b] or null, closed}
  }

  get active() {
    return Boolean(this.text || this.stateName || this.group || this.ranges.size);
  }

  setRange(key, range, bins, closed) {
    if (range) this.ranges.set(key, { range, bins: bins || null, closed: Boolean(closed) });
    else this.ranges.delete(key);
    this.changed();
  }

  set(changes) {
    Object.assign(this, changes);
    this.changed();
  }

  clear() {
    this.ranges.clear();
    this.set({ text: '', stateName: '', group: '' });
  }

  // Uint8Array: 1 where a person passes every filter but the one on images.
  mask() {
    const { people } = this;
    const mask = new Uint8Array(people.count).fill(1);
    for (const [key, filter] of this.ranges) this.applyRange(mask, people.series[key], filter, people.measure(key).plot === 'rose');
    if (this.stateName) {
      const wanted = people.table.states.map((name) => this.wants(name));
      for (let i = 0; i < mask.length; i++) if (!wanted[people.state[i]]) mask[i] = 0;
    }
    if (this.group) {
      const inside = new Set(people.table.groups[this.group]);
      for (let i = 0; i < mask.length; i++) if (!inside.has(i)) mask[i] = 0;
    }
    if (this.text) {
      people.lower ||= people.table.names.map((name, i) => `${name} ${people.table.annotations[i]}`.toLowerCase());
      const wanted = this.text.toLowerCase();
      for (let i = 0; i < mask.length; i++) if (mask[i] && !people.lower[i].includes(wanted)) mask[i] = 0;
    }
    return mask;
  }

  wants(name) {
    const isFit = name.startsWith('fit of ');
    return this.stateName === '*fits' ? isFit : this.stateName === '*without' ? !isFit : name === this.stateName;
  }

  applyRange(mask, series, { range: [low, high], closed }, cyclic) {
    const below = closed ? (value) => value <= high : (value) => value < high;
    const inside = cyclic && low > high ? (value) => value >= low || below(value) : (value) => value >= low && below(value);
    for (let i = 0; i < mask.length; i++) if (mask[i] && !series.some((values) => inside(values[i]))) mask[i] = 0;
  }

  // Matching persons in the chosen order, those without an image left out where asked.
  order(mask) {
    const { people } = this;
    const found = [];
    for (let i = 0; i < mask.length; i++) if (mask[i] && (!this.pictured || people.shown.has(i))) found.push(i);
    const [key, way] = this.sort.split(' ');
    if (key === 'row') return found;
    const values = people.series[key][0];
    const sign = way === 'desc' ? -1 : 1;
    const at = (i) => (Number.isNaN(values[i]) ? Infinity : sign * values[i]);
    return found.sort((a, b) => (at(a) === at(b) ? a - b : at(a) - at(b)));
  }
}
