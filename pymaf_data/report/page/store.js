// The page of a store.

const GROUPS = { Image: 'Image and keypoints', Fit: 'Fit', Posture: 'Posture', Shape: 'Shape' };
const QUICK = ['box', 'seen', 'reprojection', 'heading'];

function storePage() {
  const people = new People(META.table);
  const plots = new Map();
  const view = new PersonView(people);
  const open = (i, order) => view.open(i, order);
  const filters = new Filters(people, () => refresh());
  const gallery = new Gallery(people, open);
  overview(people);
  distributions(people, filters, plots);
  extremes(people, open);
  lacking(people, filters, open);
  if (META.sources) {
    sourcesSection(META.sources);
    worstSection(META.sources);
  }
  const panel = filterPanel(people, filters);
  section('persons', 'Persons', null, panel.node, gallery.node);
  provenance(META.store);

  function refresh() {
    const mask = filters.active ? filters.mask() : null;
    const count = mask ? mask.reduce((sum, one) => sum + one, 0) : people.count;
    for (const [key, plot] of plots) plot.update(mask, filters.ranges.has(key) ? filters.ranges.get(key).bins : null);
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
  addEventListener('beforeprint', () => document.querySelectorAll('.stage').forEach((stage) => stage.setAttribute('open', '')));
}

function overview(people) {
  const { store, table } = META;
  const whole_ = table.states.map((name, s) => [name, people.state.reduce((sum, one) => sum + (one === s), 0)]);
  const fits = whole_.filter(([name]) => name.startsWith('fit of ')).reduce((sum, [, count]) => sum + count, 0);
  const images = people.flags.reduce((sum, flag) => sum + (flag & 1), 0);
  const maps = people.flags.reduce((sum, flag) => sum + ((flag >> 1) & 1), 0);
  const errors = sortedOf(Array.from(people.series.reprojection[0]));
  $('#lead').textContent = `${store.attributes.title || store.dataset}, split ${store.split}: ${plural(store.persons, 'person')} in ${size(store.bytes)}.` +
    (people.count < store.persons ? ` Columns of ${whole(people.count)} of them, evenly spread, are in this page.` : '') +
    ` ${plural(people.shown.size, 'person')} with images.` + (META.notes.length ? ' ' + META.notes.join(' ') : '');
  section('overview', 'Overview', null,
    tiles([
      [whole(store.persons), 'persons'], [percent(images, people.count), 'with an image', `${whole(images)} of ${whole(people.count)}`],
      [percent(fits, people.count), 'with a fit', `${whole(fits)} of ${whole(people.count)}`], [percent(maps, people.count), 'with an IUV map', `${whole(maps)} of ${whole(people.count)}`],
      [withUnit(quantile(errors, 0.5), 'px'), 'median reprojection', errors.length ? `95% below ${withUnit(quantile(errors, 0.95), 'px')}` : ''],
    ]),
    el('div', { class: 'columns' }, el('div', { class: 'stack' },
      block('Annotations, by what became of them', countBars(outcomes(store), store.counts.total || store.persons, (name) => expectation(store, name), (name) => (name === 'kept' ? '' : 'dim'))),
      block('Persons, by what is there of them', countBars(Object.fromEntries(whole_), people.count, null, (name) => (name.startsWith('fit of ') ? '' : 'warn'))),
      block('Licences', el('p', { class: 'intro' }, 'Whoever copies data out of this store carries them on.'), facts(store.licences))),
      marks(table.marks)));
}

function outcomes(store) {
  const { total, dropped, ...rest } = store.counts;
  return { kept: rest.kept || 0, ...rest };
}

function expectation(store, name) {
  const wanted = store.expected[name];
  return wanted !== undefined && wanted !== store.counts[name] ? `whole data set: ${whole(wanted)}` : '';
}

function marks(rows) {
  const total = (row) => row.seen + row.hidden + row.absent;
  const part = (row, name) => {
    const bar = el('span', { class: 'mark ' + name });
    bar.style.width = ((100 * row[name]) / total(row)).toFixed(2) + '%';
    return bar;
  };
  const lines = rows.map((row) => el('tr', {}, el('th', { scope: 'row' }, row.joint.replaceAll('_', ' ')), el('td', { class: 'track marks' }, ['seen', 'hidden', 'absent'].map((name) => part(row, name))),
    el('td', { class: 'num' }, percent(row.seen, total(row))), el('td', { class: 'num muted' }, percent(row.hidden, total(row)))));
  const head = el('thead', {}, el('tr', {}, ['joint', '', 'seen', 'hidden'].map((name, k) => el('th', { scope: 'col', class: k > 1 ? 'num' : null }, name))));
  const legend = el('p', { class: 'legend' }, el('span', { class: 'seen' }, 'seen'), el('span', { class: 'hidden-mark' }, 'hidden'), el('span', { class: 'absent' }, 'not labelled'));
  return block('Keypoints, by visibility', rows.length ? legend : null, rows.length ? el('table', { class: 'counts joints' }, head, el('tbody', {}, lines)) : el('p', { class: 'muted' }, 'no keypoint is labelled'));
}

function distributions(people, filters, plots) {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const figures = people.measures.filter((measure) => measure.group === group).map((measure) => {
      const series = people.series[measure.key];
      if (!series.some((values) => values.some((value) => !Number.isNaN(value)))) return null;
      const plot = new Distribution(measure, series, (range, bins) => filters.setRange(measure.key, range, bins));
      plots.set(measure.key, plot);
      return plot.node;
    }).filter(Boolean);
    return figures.length ? block(title, el('div', { class: 'plots' + (group === 'Shape' ? ' small' : '') }, figures)) : null;
  });
  section('distributions', 'Distributions', 'Click a bar, or drag over several, to see only those persons everywhere on this page; the pale bars stay as all persons are.', groups);
}

function extremes(people, open) {
  const error = people.series.reprojection[0];
  const known = [...people.shown.keys()].filter((i) => !Number.isNaN(error[i])).sort((a, b) => error[b] - error[a] || a - b);
  if (!known.length) return;
  const row = (title, order) => block(title, el('div', { class: 'cards strip' }, order.map((i) => {
    const one = card(people, i, () => open(i, order));
    one.tabIndex = 0;
    return one;
  })));
  section('extremes', 'Worst and best', 'By reprojection: the mean distance of the fit’s joints to the keypoints, in pixels of the 224 px view.',
    row('Worst', known.slice(0, 6)), row('Best', known.slice(-6).reverse()));
}

function lacking(people, filters, open) {
  const list = [];
  for (let i = 0; i < people.count; i++) if (people.lacksFit(i)) list.push(i);
  if (!list.length) {
    section('missing', 'Missing', 'None: every person has an image and a fit.');
    return;
  }
  const counts = {};
  for (const i of list) counts[people.table.states[people.state[i]]] = (counts[people.table.states[people.state[i]]] || 0) + 1;
  const shown = list.filter((i) => people.shown.has(i)).slice(0, 6);
  const names = el('ul', { class: 'names' }, list.slice(0, 200).map((i) => el('li', {}, el('button', { type: 'button', class: 'link', onclick: () => open(i, list) }, people.table.names[i]), ` #${people.table.annotations[i]}, ${people.table.states[people.state[i]]}`)));
  section('missing', 'Missing', `${plural(list.length, 'person lacks', 'persons lack')} an image or a fit. They keep their row, so that numbers stay what they were.`,
    countBars(counts, people.count, null, () => 'warn'),
    shown.length ? el('div', { class: 'cards strip' }, shown.map((i) => {
      const one = card(people, i, () => open(i, list));
      one.tabIndex = 0;
      return one;
    })) : null,
    el('details', {}, el('summary', {}, list.length > 200 ? 'The first 200' : 'All of them'), names),
    el('p', {}, el('button', { type: 'button', onclick: () => {
      filters.set({ stateName: '*without', pictured: false });
      $('#persons').scrollIntoView();
    } }, 'Show them among the persons')));
}

// ---- filters

function filterPanel(people, filters) {
  const states = [['', 'all persons'], ['*fits', 'with a fit'], ['*without', 'without a fit'], ...people.table.states.map((name) => [name, name])];
  return filterForm(people, filters, {
    choice: { id: 'state', label: 'Show', key: 'stateName', options: states },
    measured: people.measures.filter((measure) => measure.group !== 'Shape'),
    ranges: QUICK.map((key) => people.measure(key)),
    presets: [['Worst fits', { sort: 'reprojection desc' }], ['Best fits', { sort: 'reprojection asc' }], ['Most hidden', { sort: 'hidden desc' }], ['Missing', { stateName: '*without', pictured: false }]],
  });
}

// ---- where it came from

function provenance(store) {
  const stages = store.stages.map((stage) => el('details', { class: 'stage' }, el('summary', {}, el('b', {}, stage.stage), ` ${stage.generation.slice(0, 16)}, ${stage.complete ? 'complete' : `${stage.missing.length} of ${stage.shards} shards missing`}${stage.current ? ', current' : ''}, ${size(stage.bytes)}`), facts(stage.attributes)));
  section('provenance', 'Provenance', null,
    el('div', { class: 'columns' }, block('Made with', facts({ 'store format': store.format_version, ...store.options, ...store.versions })),
      block('Made from', facts({ 'data set': store.dataset, split: store.split, homepage: store.attributes.homepage, citation: store.attributes.citation, manifest: store.manifest_digest.slice(0, 16), ...Object.fromEntries(Object.entries(store.inputs).map(([name, digest]) => [name, digest.slice(0, 16)])) }))),
    block('Stages', stages));
}
