// The page of an evaluation.

const RESULT_PANELS = [['predicted', 'prediction'], ['true', 'truth'], ['predicted-side', 'prediction from the side'], ['true-side', 'truth from the side'], ['view', 'crop']];
const ON_CARD = ['predicted', 'true', 'predicted-side', 'true-side'];

function evaluationPage() {
  const { evaluation, table } = META;
  const people = new People(table);
  const errors = people.measures.filter((measure) => measure.group === 'Error');
  const iterations = Object.keys(evaluation.iterations);
  const last = iterations[iterations.length - 1];
  $('#lead').textContent = `${evaluation.title}: ${plural(evaluation.persons, 'person')}.` +
    (people.count < evaluation.persons ? ` Values of ${whole(people.count)} of them, evenly spread, are in this page.` : '') +
    (people.shown.size ? ` ${plural(people.shown.size, 'person')}, the worst and the best, with images.` : '') + (META.notes.length ? ' ' + META.notes.join(' ') : '');
  resultTiles(evaluation, last);
  resultTable(evaluation, last);
  if (META.spreads.length) resultSpreads(META.spreads);
  if (!errors.length) {
    resultProvenance(evaluation);
    return pageKeys([['?', 'this list'], ['Esc', 'close']], {});
  }
  const plots = new Map();
  const filters = new Filters(people, () => refresh());
  const worstFirst = (measure) => `${measure.key} ${measure.better === 'lower' ? 'desc' : 'asc'}`;
  Object.assign(filters, { sort: worstFirst(errors[0]), pictured: people.shown.size > 0 });
  const view = new PersonView(people, RESULT_PANELS, 'the worst and the best are.');
  const open = (i, order) => view.open(i, order);
  const make = (list, i, show) => resultCard(list, i, errors, show);
  const gallery = new Gallery(people, open, make);
  resultExtremes(people, errors[0], make, open);
  resultPlots(people, filters, plots);
  const conditions = resultConditions(people, filters, errors);
  const panel = resultFilters(people, filters, errors, worstFirst);
  section('persons', 'Persons', null, panel.node, gallery.node);
  resultProvenance(evaluation);

  function refresh() {
    const mask = filters.active ? filters.mask() : null;
    const count = mask ? mask.reduce((sum, one) => sum + one, 0) : people.count;
    for (const [key, plot] of plots) plot.update(mask, filters.ranges.has(key) ? filters.ranges.get(key).bins : null);
    conditions(mask);
    gallery.show(filters.order(mask || new Uint8Array(people.count).fill(1)));
    panel.update(count, gallery.order.length);
    matchBar(filters, count, people.count);
  }
  refresh();
  pageKeys([
    ['/', 'to the search field'], ['g', 'to the persons'], ['← → ↑ ↓', 'move among persons; read the bars of a plot'],
    ['Enter', 'open a person; filter by a bar'], ['← →', 'next and previous person while one is open'],
    ['Esc', 'close; end a plot’s filter'], ['c', 'clear every filter'], ['?', 'this list'],
  ], { '/': () => panel.search.focus(), g: () => gallery.focusAt(0), c: () => filters.clear() });
}

// ---- figures

const told = (value, metric) => (value === null || value === undefined ? '–' : value.toFixed(metric.digits).replace('-', '−'));
const isBetter = (metric, a, b) => (metric.better === 'lower' ? a < b : a > b);

function resultTiles(evaluation, last) {
  const entries = Object.entries(evaluation.metrics).filter(([name]) => evaluation.iterations[last][name]).map(([name, metric]) => {
    const figure = evaluation.iterations[last][name];
    const best = evaluation.published.filter((row) => row.figures[name] !== undefined).sort((a, b) => (isBetter(metric, a.figures[name], b.figures[name]) ? -1 : 1))[0];
    const unit = metric.unit && figure.value !== null ? (TIGHT.has(metric.unit) ? '' : ' ') + metric.unit : '';
    return [told(figure.value, metric) + unit, name, best ? `${best.method} ${told(best.figures[name], metric)}` : metric.title];
  });
  section('overview', 'Overview', evaluation.protocol.join(' '), tiles(entries));
}

function resultTable(evaluation, last) {
  const metrics = Object.entries(evaluation.metrics);
  const head = (first) => el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, first), metrics.map(([name, metric]) => el('th', { scope: 'col', class: 'num', title: metric.title }, `${name} ${metric.better === 'lower' ? '↓' : '↑'}`, metric.unit ? el('small', {}, ` ${metric.unit}`) : null))));
  const cell = (figure, metric) => el('td', { class: 'num' }, told(figure && figure.value, metric), figure && figure.low !== null ? el('small', {}, ` ${told(figure.low, metric)}–${told(figure.high, metric)}`) : null);
  const ours = Object.entries(evaluation.iterations).map(([iteration, found]) => el('tr', { class: iteration === last ? 'ours' : null }, el('th', { scope: 'row' }, `${evaluation.subject.name} ${iteration}`), metrics.map(([name, metric]) => cell(found[name], metric))));
  const published = evaluation.published.map((row) => el('tr', {}, el('th', { scope: 'row', title: row.source }, row.method, row.note ? el('small', {}, ` ${row.note}`) : null), metrics.map(([name, metric]) => el('td', { class: 'num' }, told(row.figures[name], metric)))));
  const groups = Object.entries(evaluation.groups).map(([name, found]) => el('tr', {}, el('th', { scope: 'row' }, name, el('small', {}, ` ${plural(Math.max(0, ...Object.values(found).map((figure) => figure.persons)), 'person')}`)), metrics.map(([key, metric]) => cell(found[key], metric))));
  const scroll = (label, ...children) => el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, el('table', { class: 'numbers' }, ...children));
  section('figures', 'Figures', 'Ours with the 95% interval of drawing persons anew, then what others published.',
    scroll('Figures', head('method'), el('tbody', {}, ours, published)),
    groups.length ? block(`${last}, group by group`, scroll('Groups', head('group'), el('tbody', {}, groups))) : null,
    evaluation.notes.map((note) => el('p', { class: 'muted' }, note)),
    Object.keys(evaluation.lacking).length ? block('Not measured', facts(evaluation.lacking)) : null);
}

function resultSpreads(spreads) {
  const several = spreads[0].names.length > 1;
  section('spread', several ? 'Every iteration' : 'Spread', `How the persons’ values are spread${several ? ', iteration by iteration' : ''}; the outermost bars take in what lies beyond.`,
    el('div', { class: 'plots wide' }, spreads.map((one) => ridges({ ...one, each: 'iteration' }, one.names))));
}

// ---- persons

function resultCard(people, i, errors, open) {
  const name = people.table.names[i], images = people.images(i);
  const shown = images ? RESULT_PANELS.filter(([key]) => (images.predicted ? ON_CARD : ['view']).includes(key) && images[key]) : [];
  return el('button', { type: 'button', class: 'card' + (images ? '' : ' bare'), 'data-person': i, tabindex: -1, onclick: () => open(i) },
    images ? el('span', { class: 'views' }, shown.map(([key, title]) => el('span', {}, el('img', { src: images[key], alt: `${title} of ${name}, annotation ${people.table.annotations[i]}`, width: 256, height: 256, decoding: 'async' })))) : null,
    el('span', { class: 'name' }, name.split('/').pop(), el('span', { class: 'muted' }, ' #' + people.table.annotations[i])),
    el('span', { class: 'chips' }, errors.slice(0, 3).map((measure) => el('span', { class: 'chip' }, `${measure.title} ${withUnit(people.value(measure.key, i), measure.unit)}`)),
      images ? null : el('span', { class: 'chip' }, 'image not in this page')));
}

function resultExtremes(people, first, make, open) {
  const error = people.series[first.key][0], sign = first.better === 'lower' ? -1 : 1;
  const known = [...people.shown.keys()].filter((i) => !Number.isNaN(error[i])).sort((a, b) => sign * (error[a] - error[b]) || a - b);
  if (!known.length) return;
  const row = (title, order) => block(title, el('div', { class: 'cards strip' }, order.map((i) => {
    const one = make(people, i, () => open(i, order));
    one.tabIndex = 0;
    return one;
  })));
  section('extremes', 'Worst and best', `By ${first.title}. The prediction over the crop, the truth beside it where there is one, and both from the side.`,
    row('Worst', known.slice(0, 6)), row('Best', known.slice(-6).reverse()));
}

function resultPlots(people, filters, plots) {
  const groups = [['Error', 'Errors'], ['Image', 'Image and keypoints'], ['Posture', 'Posture of the chosen fit']].map(([group, title]) => {
    const figures = people.measures.filter((measure) => measure.group === group).map((measure) => {
      const plot = new Distribution(measure, people.series[measure.key], (range, bins) => filters.setRange(measure.key, range, bins));
      plots.set(measure.key, plot);
      return plot.node;
    });
    return figures.length ? block(title, el('div', { class: 'plots' }, figures)) : null;
  });
  section('distributions', 'Distributions', 'Click a bar, or drag over several, to see only those persons everywhere on this page.', groups);
}

// ---- errors by what is known of the persons

const PARTS_OF_ROSE = 8;

// Ranges of a measure that hold about as many persons each; of a direction, equal ones.
function rangesOf(people, measure) {
  if (measure.plot === 'rose') return Array.from({ length: PARTS_OF_ROSE }, (_, k) => [wrap(-202.5 + 45 * k), wrap(-157.5 + 45 * k)]);
  const sorted = sortedOf([].concat(...people.series[measure.key].map((values) => Array.from(values))));
  const cuts = [...new Set([0.2, 0.4, 0.6, 0.8].map((share) => quantile(sorted, share)))].filter((cut) => cut > sorted[0]);
  const edges = [-Infinity, ...cuts, Infinity];
  return edges.slice(1).map((high, k) => [edges[k], high]);
}

function resultConditions(people, filters, errors) {
  let metric = errors[0], mask = null;
  const inside = (measure, [low, high]) => (i) => people.series[measure.key].some((values) => (low > high ? values[i] >= low || values[i] < high : values[i] >= low && values[i] < high));
  const lists = people.measures.filter((measure) => measure.group !== 'Error').map((measure) => [measure.title, rangesOf(people, measure).map((range) => ({
    name: measure.plot === 'rose' ? `${Math.round(range[0])}° to ${Math.round(range[1])}°` : span(range[0], range[1], measure.unit), holds: inside(measure, range), pick: () => filters.setRange(measure.key, range),
  }))]);
  const groups = Object.entries(people.table.groups);
  if (groups.length) {
    lists.unshift(['Groups', groups.map(([name, list]) => {
      const set = new Set(list);
      return { name, holds: (i) => set.has(i), pick: () => filters.set({ group: name }) };
    })]);
  }
  if (!lists.length) return () => {};
  const bodies = lists.map(() => el('tbody', {}));
  const choice = el('select', { id: 'by-metric', onchange: () => {
    metric = errors.find((measure) => measure.key === choice.value);
    draw();
  } }, errors.map((measure) => el('option', { value: measure.key }, measure.title)));
  const draw = () => lists.forEach(([, rows], k) => {
    const values = people.series[metric.key][0];
    const found = rows.map((row) => {
      let count = 0, sum = 0;
      for (let i = 0; i < people.count; i++) {
        if ((mask && !mask[i]) || Number.isNaN(values[i]) || !row.holds(i)) continue;
        count++;
        sum += values[i];
      }
      return { row, count, mean: count ? sum / count : NaN };
    });
    const most = Math.max(...found.map((one) => (one.count ? Math.abs(one.mean) : 0))) || 1;
    bodies[k].replaceChildren(...found.map(({ row, count, mean }) => {
      const bar = el('span', { class: 'fillbar' });
      bar.style.width = (count ? (100 * Math.abs(mean)) / most : 0).toFixed(2) + '%';
      return el('tr', {}, el('th', { scope: 'row' }, el('button', { type: 'button', class: 'link', onclick: row.pick }, row.name)), el('td', { class: 'num' }, count ? withUnit(mean, metric.unit) : '–'),
        el('td', { class: 'num muted' }, whole(count)), el('td', { class: 'track' }, count ? bar : null));
    }));
  });
  section('conditions', 'Errors by condition', 'Mean of the persons in each part, and how many they are; a click on a part filters by it. What is known of a person stands in the store.',
    el('form', { class: 'filters', 'aria-label': 'Errors by condition', onsubmit: (event) => event.preventDefault() }, el('label', { for: 'by-metric' }, el('span', {}, 'Metric'), choice)),
    el('div', { class: 'columns' }, lists.map(([title], k) => block(title, el('table', { class: 'counts' }, bodies[k])))));
  return (changed) => {
    mask = changed;
    draw();
  };
}

// ---- filters

function resultFilters(people, filters, errors, worstFirst) {
  const groups = Object.keys(people.table.groups);
  const best = { ...errors[0], better: errors[0].better === 'lower' ? 'higher' : 'lower' };
  return filterForm(people, filters, {
    choice: groups.length ? { id: 'group', label: 'Group', key: 'group', options: ['', ...groups].map((name) => [name, name || 'all persons']) } : null,
    measured: people.measures,
    ranges: [errors[0], ...['box', 'seen', 'heading'].map((key) => people.measure(key)).filter(Boolean)],
    presets: [['Worst', { sort: worstFirst(errors[0]) }], ['Best', { sort: worstFirst(best) }]],
  });
}

// ---- where it came from

function resultProvenance(evaluation) {
  const { subject, store, settings, versions } = evaluation;
  const { licences = {}, options, stores, versions: before, sources, name, kind, ...known } = subject;
  const { licences: ofStore = {}, generations = {}, ...data } = store;
  const short = (entries) => Object.fromEntries(Object.entries(entries || {}).map(([key, value]) => [key, typeof value === 'string' && /^[0-9a-f]{40,64}$/.test(value) ? value.slice(0, 16) : value]));
  const blocks = { 'Measured': { name, kind, ...short(known) }, 'Measured on': short(data), 'Settings': settings, 'Licences': { ...ofStore, ...licences }, 'Stages of the store': short(generations), 'Versions': versions };
  if (options) blocks['Options of its training'] = options;
  if (before) blocks['Versions that trained it'] = before;
  section('provenance', 'Provenance', 'A result carries the licences of everything that went into it.', el('div', { class: 'columns' },
    Object.entries(blocks).map(([title, entries]) => block(title, facts(entries))), [stores, sources].filter(Array.isArray).flat().map((one) => block(one.stage || `Learned from ${one.dataset} ${one.split}`, facts(short(one))))));
}
