// Distributions as inline SVG: histograms, and a rose of directions, whose bars filter.

const SERIES_CLASS = { '': 's0', left: 'left', right: 'right' };

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
}

function ticks(low, high, count) {
  const step = niceStep((high - low || 1) / count);
  const out = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) out.push(Number(value.toPrecision(12)));
  return out;
}

// Edges of about 24 bins that hold 99.5 % on either side; the first and the last take in what lies beyond.
function binEdges(sorted, isWhole, isRose) {
  if (isRose) return Float64Array.from({ length: 25 }, (_, i) => -187.5 + 15 * i);
  const low = quantile(sorted, 0.005);
  const high = quantile(sorted, 0.995);
  const rough = (high - low) / 24 || 1;
  const step = isWhole ? Math.max(1, Math.ceil(niceStep(rough))) : niceStep(rough);
  const first = isWhole ? Math.floor(low) - 0.5 : Math.floor(low / step) * step;
  const count = Math.max(1, Math.ceil((high - first) / step + 1e-6));
  return Float64Array.from({ length: count + 1 }, (_, i) => first + step * i);
}

const NO_BIN = 255;

function binOf(values, edges, isRose) {
  const step = edges[1] - edges[0];
  const last = edges.length - 2;
  return Uint8Array.from(values, (value) => {
    if (Number.isNaN(value)) return NO_BIN;
    if (isRose) return Math.floor((value + 187.5) / 15) % 24;
    return Math.min(last, Math.max(0, Math.floor((value - edges[0]) / step + 1e-9)));
  });
}

// A filter's range for bins a … b of a plot; open where the outermost bins take in what lies beyond.
function rangeOf(plot, a, b) {
  const { edges, measure } = plot;
  if (measure.plot === 'rose') return [wrap(edges[a]), wrap(edges[b + 1])];
  const last = edges.length - 2;
  return [a === 0 && plot.low < edges[0] ? -Infinity : edges[a], b === last && plot.high > edges[last + 1] ? Infinity : edges[b + 1]];
}

const wrap = (degrees) => ((degrees + 540) % 360) - 180;

class Distribution {
  // measure, its series (typed arrays), pick(range or null): called when bins are chosen.
  constructor(measure, series, pick) {
    this.measure = measure;
    this.pick = pick;
    this.isRose = measure.plot === 'rose';
    const all = sortedOf([].concat(...series.map((values) => Array.from(values))));
    this.known = all.length;
    this.low = all[0];
    this.high = all[all.length - 1];
    this.edges = binEdges(all, measure.whole, this.isRose);
    this.bins = series.map((values) => binOf(values, this.edges, this.isRose));
    this.count = this.edges.length - 1;
    this.totals = this.bins.map((bins) => this.tally(bins, null));
    this.matching = this.totals;
    this.cursor = -1;
    this.chosen = null;
    const middle = [0.5, 0.05, 0.95].map((share) => quantile(all, share));
    this.summary = this.isRose ? this.roseSummary() : `median ${withUnit(middle[0], measure.unit)} · 90% within ${span(middle[1], middle[2], measure.unit)}`;
    this.node = this.build(series.length ? series[0].length * series.length - this.known : 0);
  }

  roseSummary() {
    const near = (centre) => this.totals[0].reduce((sum, count, i) => sum + (Math.abs(wrap(-180 + 15 * i - centre)) <= 45 ? count : 0), 0);
    return `towards the camera ${percent(near(0), this.known)} · away ${percent(near(180), this.known)}`;
  }

  tally(bins, mask) {
    const counts = new Uint32Array(this.count);
    for (let i = 0; i < bins.length; i++) if (bins[i] !== NO_BIN && (!mask || mask[i])) counts[bins[i]]++;
    return counts;
  }

  build(unknown) {
    const { measure } = this;
    this.summary += unknown ? ` · ${whole(unknown)} not known` : '';
    this.readout = el('p', { class: 'readout' }, this.summary);
    this.chart = this.isRose ? this.drawRose() : this.drawBars();
    const legend = measure.series.length > 1 ? el('p', { class: 'legend' }, measure.series.map((name) => el('span', { class: SERIES_CLASS[name] }, name))) : null;
    this.listen();
    const title = el('figcaption', {}, el('b', {}, measure.title), measure.unit ? el('span', { class: 'unit' }, this.isRose ? '' : ' ' + measure.unit) : null);
    return el('figure', { class: 'plot' + (this.isRose ? ' rose' : ''), title: measure.note }, title, legend, this.chart, this.readout);
  }

  frame(width, height, ...children) {
    const { measure } = this;
    return svg('svg', { viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: 'application', 'aria-roledescription': 'histogram',
      'aria-label': `${measure.title}: ${measure.note}. ${whole(this.known)} values, ${this.summary}. Arrow keys read the bars, Enter filters by one.` }, ...children);
  }

  drawBars() {
    const W = 300, H = 132, left = 34, bottom = 20, top = 6;
    const plotWidth = W - left - 6, plotHeight = H - top - bottom;
    const peak = Math.max(1, ...this.totals.map((counts) => Math.max(...counts)));
    const from = this.edges[0], to = this.edges[this.count];
    const x = (value) => left + (plotWidth * (value - from)) / (to - from);
    const y = (count) => top + plotHeight * (1 - count / peak);
    const S = this.bins.length, step = plotWidth / this.count;
    this.place = (event, box) => Math.floor((((event.clientX - box.left) / box.width) * W - left) / step);
    const shape = (counts, s) => {
      let path = '';
      for (let b = 0; b < this.count; b++) {
        if (!counts[b]) continue;
        const a = left + step * (b + s / S) + 0.5, height = Math.max(0.75, y(0) - y(counts[b]));
        path += `M${a.toFixed(1)} ${y(0)}v${(-height).toFixed(1)}h${Math.max(0.8, step / S - 1).toFixed(1)}v${height.toFixed(1)}z`;
      }
      return path;
    };
    this.redraw = () => this.matching.forEach((counts, s) => this.solid[s].setAttribute('d', shape(counts, s)));
    const ghost = this.totals.map((counts, s) => svg('path', { class: 'ghost', d: shape(counts, s) }));
    this.solid = this.totals.map((counts, s) => svg('path', { class: 'bar ' + SERIES_CLASS[this.measure.series[s]], d: shape(counts, s) }));
    this.band = svg('rect', { class: 'band', y: top, height: plotHeight, width: 0, x: left });
    this.mark = (a, b) => {
      this.band.setAttribute('x', left + step * a);
      this.band.setAttribute('width', a < 0 ? 0 : step * (b - a + 1));
    };
    const grid = ticks(0, peak, 2).filter((t) => t > 0 && Number.isInteger(t)).map((t) => [
      svg('line', { class: 'grid', x1: left, x2: W - 6, y1: y(t), y2: y(t) }), svg('text', { class: 'tick end', x: left - 4, y: y(t) + 3 }, whole(t))]);
    const axis = ticks(from, to, 5).filter((t) => !this.measure.whole || Number.isInteger(t)).map((t) => svg('text', { class: 'tick middle', x: x(t), y: H - 6 }, number(t)));
    return this.frame(W, H, grid, this.band, ghost, this.solid, svg('line', { class: 'axis', x1: left, x2: W - 6, y1: y(0), y2: y(0) }), axis);
  }

  drawRose() {
    const W = 250, H = 222, cx = 125, cy = 108, R = 84;
    const peak = Math.max(1, ...this.totals[0]);
    const point = (degrees, r) => {
      const a = (degrees * Math.PI) / 180;
      return `${(cx + r * Math.sin(a)).toFixed(1)} ${(cy + r * Math.cos(a)).toFixed(1)}`;
    };
    this.place = (event, box) => {
      const dx = ((event.clientX - box.left) / box.width) * W - cx, dy = ((event.clientY - box.top) / box.height) * H - cy;
      return Math.hypot(dx, dy) > R + 14 ? -1 : Math.floor(((Math.atan2(dx, dy) * 180) / Math.PI + 187.5) / 15) % 24;
    };
    const wedge = (b, r) => `M${cx} ${cy}L${point(this.edges[b] + 0.8, r)}A${r} ${r} 0 0 0 ${point(this.edges[b] + 14.2, r)}z`;
    // The area of a wedge, not its length, tells its count.
    const shape = (counts) => Array.from(counts, (count, b) => (count ? wedge(b, Math.max(2, R * Math.sqrt(count / peak))) : '')).join('');
    this.redraw = () => this.solid[0].setAttribute('d', shape(this.matching[0]));
    this.solid = [svg('path', { class: 'bar s0', d: shape(this.totals[0]) })];
    this.band = svg('path', { class: 'band' });
    this.mark = (a, b) => {
      let path = '';
      for (let k = a; a >= 0 && k <= b; k++) path += wedge(k % 24, R + 8);
      this.band.setAttribute('d', path);
    };
    const rings = [0.25, 0.5, 1].map((share) => svg('circle', { class: 'grid', cx, cy, r: R * Math.sqrt(share) }));
    const ring = svg('text', { class: 'tick', x: cx + R * 0.72, y: cy - R * 0.76 }, whole(peak));
    const names = [[cx, cy + R + 20, 'middle', '0° camera'], [cx + R + 8, cy + 3, '', '90°'], [cx, cy - R - 8, 'middle', '180° away'], [cx - R - 8, cy + 3, 'end', '−90°']];
    return this.frame(W, H, rings, this.band, svg('path', { class: 'ghost', d: shape(this.totals[0]) }), this.solid, ring,
      names.map(([x, y, anchor, text]) => svg('text', { class: 'tick ' + anchor, x, y }, text)));
  }

  listen() {
    const node = this.chart;
    let anchor = -1;
    const at = (event) => this.place(event, node.getBoundingClientRect());
    const inside = (b) => b >= 0 && b < this.count;
    node.addEventListener('pointerdown', (event) => {
      anchor = at(event);
      if (!inside(anchor)) anchor = -1;
      else if (node.setPointerCapture) node.setPointerCapture(event.pointerId);
    });
    node.addEventListener('pointermove', (event) => {
      const b = at(event);
      if (inside(b)) this.read(b);
      if (anchor >= 0 && inside(b)) this.mark(...this.extent(anchor, b));
    });
    node.addEventListener('pointerup', (event) => {
      const b = at(event);
      if (anchor >= 0 && inside(b)) this.choose(...this.extent(anchor, b));
      anchor = -1;
    });
    node.addEventListener('pointerleave', () => this.rest());
    node.addEventListener('blur', () => this.rest());
    node.addEventListener('keydown', (event) => this.key(event));
  }

  extent(a, b) {
    if (!this.isRose) return [Math.min(a, b), Math.max(a, b)];
    const forward = (b - a + 24) % 24;
    return forward <= 12 ? [a, a + forward] : [b, b + 24 - forward];
  }

  key(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) {
      const next = this.cursor < 0 ? (move > 0 ? 0 : this.count - 1) : this.cursor + move;
      this.cursor = this.isRose ? (next + 24) % 24 : Math.min(this.count - 1, Math.max(0, next));
      this.read(this.cursor);
      this.mark(this.cursor, this.cursor);
      announce(this.readout.textContent);
    } else if ((event.key === 'Enter' || event.key === ' ') && this.cursor >= 0) this.choose(this.cursor, this.cursor);
    else if (event.key === 'Escape' && this.chosen) this.choose(...this.chosen);
    else return;
    event.preventDefault();
  }

  read(b) {
    const [low, high] = rangeOf(this, b, b);
    const label = this.measure.whole && Number.isFinite(low) && high - low === 1 ? number(low + 0.5) : span(low, high, this.measure.unit);
    const counts = this.matching.map((counts, s) => {
      const total = this.totals[s][b];
      const name = this.measure.series[s];
      return (name ? name + ' ' : '') + (counts[b] === total ? whole(total) : `${whole(counts[b])} of ${whole(total)}`);
    });
    this.readout.textContent = `${label}: ${counts.join(', ')}`;
  }

  rest() {
    this.readout.textContent = this.summary;
    this.cursor = -1;
    this.mark(...(this.chosen || [-1, -1]));
  }

  choose(a, b) {
    const same = this.chosen && this.chosen[0] === a && this.chosen[1] === b;
    this.pick(same ? null : rangeOf(this, a, b), same ? null : [a, b]);
  }

  // What the filters leave: mask (Uint8Array) and the bins that this plot itself filters by.
  update(mask, chosen) {
    this.chosen = chosen;
    this.matching = mask ? this.bins.map((bins) => this.tally(bins, mask)) : this.totals;
    this.redraw();
    this.mark(...(chosen || [-1, -1]));
    this.node.classList.toggle('chosen', Boolean(chosen));
  }
}
