// The sources of a store's fits beside each other: where they come from, distributions, and how far they are apart.

const orUnknown = (value) => (value === null || value === undefined ? NaN : value);

function sourcesSection(report) {
  const names = report.sources.map((source) => source.name);
  const count = plural(report.sources.length, 'source');
  section('sources', 'Sources of fits', `${count}. ${report.rule ? 'Chosen: ' + report.rule + '.' : 'Nothing was chosen yet.'} CSV and JSON with all of this lie beside the page.`,
    el('div', { class: 'columns' }, report.sources.map((source) => sourceBlock(report, source))),
    Object.keys(report.kept_out).length ? block('Persons whose first choice was kept from them, by what did', countBars(report.kept_out, report.persons, null, () => 'warn')) : null,
    report.measures.length ? block('Each measure by source', el('div', { class: 'plots wide' }, report.measures.map((measure) => ridges(measure, names)))) : null,
    report.measures.length ? block('In numbers: median, and below what 95% are (where low is bad: above what)', el('div', { class: 'scroll' }, measureTable(report))) : null,
    agreementBlock(report));
}

function sourceBlock(report, source) {
  const frames = Object.entries(source.frames).filter(([, count]) => count).map(([name, count]) => (count === source.valid ? name : `${name} ${whole(count)}`));
  const marks_ = [source.forced ? 'attached by force: ' + source.forced : '', source.proved ? '' : 'not proved, never chosen'].filter(Boolean);
  return block(source.name,
    marks_.length ? el('p', { class: 'chips' }, marks_.map((text) => el('span', { class: 'chip warn' }, text))) : null,
    countBars({ 'with a fit': source.valid, chosen: source.chosen, ...source.without }, report.persons, null, (name) => (name === 'with a fit' ? '' : name === 'chosen' ? 'dim' : 'warn')),
    facts({ format: source.format, body: source.body + (source.converted_from ? `, converted from ${source.converted_from}` : ''), camera: source.native_kind, 'root seen from': frames.join(', '), licences: Object.entries(source.licences).map(([what, licence]) => `${what}: ${licence}`), generation: source.generation.slice(0, 16) }));
}

function measureTable(report) {
  const head = el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'source'), report.measures.map((measure) => el('th', { scope: 'col', class: 'num', title: measure.note }, measure.title + (measure.unit ? `, ${measure.unit}` : '')))));
  const cell = (measure, about) => el('td', { class: 'num' }, about.known ? [number(about.median), el('small', {}, ' ' + number(measure.worst === 'high' ? about.p95 : about.p05))] : '–');
  const rows = report.sources.map((source, s) => el('tr', {}, el('th', { scope: 'row' }, source.name), report.measures.map((measure) => cell(measure, measure.of[s]))));
  return el('table', { class: 'numbers' }, head, el('tbody', {}, rows));
}

function agreementBlock(report) {
  const pairs = report.agreement.filter((pair) => pair.compared);
  if (!pairs.length) return block('Agreement', el('p', { class: 'muted' }, 'No person has the fits of two sources that can be compared.'));
  const bounded = pairs.some((pair) => pair.compared < pair.both);
  const told = (about) => el('td', { class: 'num' }, about.known ? [number(about.median), el('small', {}, ' ' + number(about.p95))] : '–');
  const head = el('thead', {}, el('tr', {}, ['sources', 'persons with both', 'body joints, °', 'root, °', '24 joints, PA mm'].map((name, k) => el('th', { scope: 'col', class: k ? 'num' : null }, name))));
  const rows = pairs.map((pair) => el('tr', {}, el('th', { scope: 'row' }, `${pair.first} and ${pair.second}`), el('td', { class: 'num' }, whole(pair.both)), told(pair.angle), told(pair.root), told(pair.distance)));
  return block('Agreement, on the persons whom both have: median, and below what 95% are',
    el('p', { class: 'intro' }, 'Body joints: the angle between the rotations of a joint, mean over 23. Root: both turned to the same frame. PA: joints of each source’s own body, after the best similarity transform.' +
      (bounded ? ` Each two were compared on an even spread of ${whole(report.most_compared)} of the persons whom both have.` : '')),
    el('div', { class: 'scroll' }, el('table', { class: 'numbers' }, head, el('tbody', {}, rows))),
    el('details', {}, el('summary', {}, 'Joint by joint: median angle, °'), el('div', { class: 'scroll' }, jointTable(pairs))));
}

function jointTable(pairs) {
  const most = Math.max(1e-9, ...pairs.flatMap((pair) => Object.values(pair.joints).map((value) => value || 0)));
  const bar = (value) => {
    const fillbar = el('span', { class: 'fillbar' });
    fillbar.style.width = ((100 * (value || 0)) / most).toFixed(1) + '%';
    return fillbar;
  };
  const head = el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'joint'), pairs.map((pair) => el('th', { scope: 'col', colspan: 2 }, `${pair.first} and ${pair.second}`))));
  const rows = Object.keys(pairs[0].joints).map((joint) => el('tr', {}, el('th', { scope: 'row' }, joint.replaceAll('_', ' ').replace(' smpl', '')),
    pairs.map((pair) => [el('td', { class: 'num' }, number(orUnknown(pair.joints[joint]))), el('td', { class: 'joint-track' }, bar(pair.joints[joint]))])));
  return el('table', { class: 'counts' }, head, el('tbody', {}, rows));
}
