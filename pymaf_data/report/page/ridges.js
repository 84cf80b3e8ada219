// One measure of several sources: a row of bars for each, on an axis that all share.

// measure: {title, unit, note, bins: {first, step, counts}, of: summaries}; names: of the sources, or of each what it says.
function ridges(measure, names) {
  const { first, step, counts } = measure.bins, each = measure.each || 'source';
  const shown = names.map((name, s) => ({ name, counts: counts[s], about: measure.of[s] })).filter((one) => one.about.known);
  const W = 460, left = 104, right = 8, top = 4, row = 34, bottom = 20, H = top + row * shown.length + bottom;
  const bins = shown[0].counts.length, width = (W - left - right) / bins;
  // Shares of each source's own fits, so that a source of few compares with one of many.
  const share = (one, b) => one.counts[b] / one.about.known;
  const peak = Math.max(...shown.flatMap((one) => one.counts.map((_, b) => share(one, b))));
  const x = (value) => left + ((W - left - right) * (value - first)) / (step * bins);
  const inside = (value) => Math.min(W - right, Math.max(left, x(value)));
  const band = svg('rect', { class: 'band', y: top, height: row * shown.length, width: 0, x: left });
  const rows = shown.map((one, k) => {
    const base = top + row * (k + 1) - 3;
    const path = one.counts.map((count, b) => {
      const height = count ? Math.max(1, (row - 9) * (share(one, b) / peak)) : 0;
      return count ? `M${(left + width * b + 0.5).toFixed(1)} ${base}v${(-height).toFixed(1)}h${(width - 1).toFixed(1)}v${height.toFixed(1)}z` : '';
    }).join('');
    const middle = inside(one.about.median).toFixed(1);
    return [svg('line', { class: 'grid', x1: left, x2: W - right, y1: base, y2: base }), svg('path', { class: 'bar s0', d: path }),
      svg('line', { class: 'median', x1: middle, x2: middle, y1: base - row + 8, y2: base }),
      svg('text', { class: 'tick name end', x: left - 8, y: base - 12 }, shorter(one.name, 15)), svg('text', { class: 'tick end', x: left - 8, y: base }, number(one.about.median))];
  });
  const axis = ticks(first, first + step * bins, 5).map((t) => svg('text', { class: 'tick middle', x: x(t), y: H - 5 }, number(t)));
  const summary = shown.map((one) => `${one.name} median ${withUnit(one.about.median, measure.unit)}`).join(' · ');
  const rest = `Number and line: the median. 90% of every ${each}’s within ${span(Math.min(...shown.map((one) => one.about.p05)), Math.max(...shown.map((one) => one.about.p95)), measure.unit)}.`;
  const readout = el('p', { class: 'readout' }, rest);
  const chart = svg('svg', { viewBox: `0 0 ${W} ${H}`, tabindex: 0, role: 'application', 'aria-roledescription': 'histograms',
    'aria-label': `${measure.title} by ${each}: ${measure.note}. ${summary}. Arrow keys read the bars.` }, band, rows, axis);
  readable(chart, bins, (b) => {
    band.setAttribute('x', left + width * b);
    band.setAttribute('width', b < 0 ? 0 : width);
    const range = span(b === 0 ? -Infinity : first + step * b, b === bins - 1 ? Infinity : first + step * (b + 1), measure.unit);
    readout.textContent = b < 0 ? rest : `${range}: ${shown.map((one) => `${one.name} ${whole(one.counts[b])} (${percent(one.counts[b], one.about.known)})`).join(', ')}`;
    return readout.textContent;
  }, (event, box) => Math.floor((((event.clientX - box.left) / box.width) * W - left) / width));
  return el('figure', { class: 'plot ridges', title: measure.note },
    el('figcaption', {}, el('b', {}, measure.title), measure.unit ? el('span', { class: 'unit' }, ' ' + measure.unit) : null, el('small', {}, measure.note)), chart, readout);
}

const shorter = (text, most) => (text.length > most ? text.slice(0, most - 1) + '…' : text);

// Bars that pointer and arrow keys read: read(b) shows bar b, or none at −1, and returns what it says.
function readable(chart, bins, read, place) {
  let cursor = -1;
  const leave = () => read((cursor = -1));
  chart.addEventListener('pointermove', (event) => {
    const b = place(event, chart.getBoundingClientRect());
    read(b >= 0 && b < bins ? b : -1);
  });
  chart.addEventListener('pointerleave', leave);
  chart.addEventListener('blur', leave);
  chart.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    cursor = cursor < 0 ? (move > 0 ? 0 : bins - 1) : Math.min(bins - 1, Math.max(0, cursor + move));
    announce(read(cursor));
    event.preventDefault();
  });
}
