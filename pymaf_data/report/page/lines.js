// Courses over steps as inline SVG.

// series: [{name, x, y, tone, dashed}]; log draws the values on a logarithmic axis.
function lineChart({ title, unit, note, series, log }) {
  const W = 460, H = 230, left = 48, right = 10, top = 10, bottom = 34;
  const drawn = series.filter((one) => one.y.some((value) => Number.isFinite(value) && (!log || value > 0)));
  if (!drawn.length) return null;
  const ys = drawn.flatMap((one) => one.y.filter((value) => Number.isFinite(value) && (!log || value > 0)));
  const steps = drawn.flatMap((one) => one.x);
  const [x0, x1] = [Math.min(...steps), Math.max(...steps)];
  let [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  if (log) [y0, y1] = [Math.log10(y0) - 0.05, Math.log10(y1) + 0.05];
  else if (y0 === y1) [y0, y1] = [y0 - (Math.abs(y0) || 1) / 2, y1 + (Math.abs(y1) || 1) / 2];
  else [y0, y1] = [y0 >= 0 && y0 < 0.6 * y1 ? 0 : y0 - 0.06 * (y1 - y0 || 1), y1 + 0.06 * (y1 - y0 || 1)];
  const x = (step) => left + ((W - left - right) * (step - x0)) / (x1 - x0 || 1);
  const y = (value) => top + (H - top - bottom) * (1 - ((log ? Math.log10(value) : value) - y0) / (y1 - y0 || 1));
  const marks = log ? logTicks(y0, y1) : ticks(y0, y1, 4);
  const grid = marks.map((t) => [svg('line', { class: 'grid', x1: left, x2: W - right, y1: y(t), y2: y(t) }), svg('text', { class: 'tick end', x: left - 5, y: y(t) + 3 }, number(t))]);
  const axis = ticks(x0, x1, 5).map((t) => svg('text', { class: 'tick middle', x: x(t), y: H - 18 }, whole(t)));
  const lines = drawn.map((one) => svg('path', { class: 'course ' + one.tone + (one.dashed ? ' dashed' : ''), d: path(one, x, y, log) }));
  const dots = drawn.filter((one) => one.y.length === 1).map((one) => svg('circle', { class: 'dot ' + one.tone, cx: x(one.x[0]), cy: y(one.y[0]), r: 3 }));
  const cursor = svg('line', { class: 'cursor', y1: top, y2: H - bottom, x1: -9, x2: -9 });
  const ends = drawn.map((one) => `${drawn.length > 1 ? one.name + ' ' : ''}${withUnit(one.y[one.y.length - 1], unit)}`).join(' · ');
  const readout = el('p', { class: 'readout' }, `at the end: ${ends}`);
  const chart = svg('svg', { viewBox: `0 0 ${W} ${H}`, tabindex: 0, role: 'application', 'aria-roledescription': 'line chart',
    'aria-label': `${title}${unit ? ', ' + unit : ''}. ${note || ''} From step ${x0} to ${x1}. At the end: ${ends}. Arrow keys read the steps.` },
    grid, axis, svg('text', { class: 'tick middle', x: (left + W - right) / 2, y: H - 4 }, 'step'), svg('line', { class: 'axis', x1: left, x2: W - right, y1: H - bottom, y2: H - bottom }), cursor, lines, dots);
  readSteps(chart, readout, cursor, drawn, unit, { x, x0, x1, W, left, right, rest: readout.textContent });
  const legend = drawn.length < 2 ? null : el('p', { class: 'legend' }, drawn.map((one) => el('span', { class: one.tone + (one.dashed ? ' dashed' : '') }, one.name)));
  return el('figure', { class: 'plot line', title: note || null }, el('figcaption', {}, el('b', {}, title), unit ? el('span', { class: 'unit' }, ' ' + unit) : null), legend, chart, readout);
}

function path(one, x, y, log) {
  let pen = 'M', out = '';
  one.x.forEach((step, i) => {
    const value = one.y[i];
    if (!Number.isFinite(value) || (log && value <= 0)) pen = 'M';
    else {
      out += `${pen}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = 'L';
    }
  });
  return out;
}

function logTicks(y0, y1) {
  const out = [];
  const factors = y1 - y0 > 2.5 ? [1] : y1 - y0 > 1 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(y0); power <= Math.ceil(y1); power++)
    for (const factor of factors) {
      const place = power + Math.log10(factor);
      if (place >= y0 && place <= y1) out.push(factor * 10 ** power);
    }
  return out.length ? out : [10 ** ((y0 + y1) / 2)];
}

function readSteps(chart, readout, cursor, drawn, unit, frame) {
  const all = [...new Set(drawn.flatMap((one) => one.x))].sort((a, b) => a - b);
  let at = -1;
  const show = (index) => {
    at = Math.min(all.length - 1, Math.max(0, index));
    const step = all[at];
    const values = drawn.map((one) => [one, one.x.indexOf(step)]).filter(([, i]) => i >= 0);
    readout.textContent = `step ${whole(step)}: ` + values.map(([one, i]) => `${one.name} ${withUnit(one.y[i], unit)}`).join(' · ');
    cursor.setAttribute('x1', frame.x(step));
    cursor.setAttribute('x2', frame.x(step));
  };
  const rest = () => {
    at = -1;
    readout.textContent = frame.rest;
    cursor.setAttribute('x1', -9);
    cursor.setAttribute('x2', -9);
  };
  chart.addEventListener('pointermove', (event) => {
    const box = chart.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * frame.W - frame.left) / (frame.W - frame.left - frame.right);
    const wanted = frame.x0 + share * (frame.x1 - frame.x0);
    let best = 0;
    all.forEach((step, i) => { if (Math.abs(step - wanted) < Math.abs(all[best] - wanted)) best = i; });
    show(best);
  });
  chart.addEventListener('pointerleave', rest);
  chart.addEventListener('blur', rest);
  chart.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    show(at < 0 ? (move > 0 ? 0 : all.length - 1) : at + move);
    announce(readout.textContent);
    event.preventDefault();
  });
}
