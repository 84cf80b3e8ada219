// The filters above a list of persons: search, a choice, order, ranges, presets.

// `choice`: {id, label, key, options: [[value, text]]}, a select that sets filters[key], or null. `measured`: by which
// persons may be ordered. `ranges`: those with two fields. `presets`: [[text, what the filters are set to]].
function filterForm(people, filters, { choice, measured, ranges, presets }) {
  const options = (pairs) => pairs.map(([value, text]) => el('option', { value }, text));
  const search = el('input', { type: 'search', id: 'search', placeholder: 'image name or annotation', oninput: () => filters.set({ text: search.value.trim() }) });
  const select = choice && el('select', { id: choice.id, onchange: () => filters.set({ [choice.key]: select.value }) }, options(choice.options));
  const sorts = measured.filter((measure) => measure.series.length === 1).flatMap((measure) => [[measure.key + ' desc', measure.title + ', largest first'], [measure.key + ' asc', measure.title + ', smallest first']]);
  const sort = el('select', { id: 'sort', onchange: () => filters.set({ sort: sort.value }) }, options([...sorts, ['row asc', 'Row of the store']]));
  const pictured = el('input', { type: 'checkbox', id: 'pictured', onchange: () => filters.set({ pictured: pictured.checked }) });
  const inputs = ranges.map((measure) => rangeInputs(measure, filters));
  const count = el('p', { class: 'found', 'aria-live': 'polite' });
  const chips = el('ul', { class: 'active' });
  const field = (label, id, input) => el('label', { for: id }, el('span', {}, label), input);
  const node = el('form', { class: 'filters', 'aria-label': 'Filters', onsubmit: (event) => event.preventDefault() },
    el('div', { class: 'row' }, field('Search', 'search', search), choice && field(choice.label, choice.id, select), field('Order', 'sort', sort), el('label', { class: 'check', for: 'pictured' }, pictured, el('span', {}, 'only persons whose images are in this page'))),
    el('div', { class: 'row' }, inputs.map((one) => one.node)),
    el('div', { class: 'row presets' }, presets.map(([text, changes]) => el('button', { type: 'button', onclick: () => filters.set(changes) }, text)), el('button', { type: 'button', onclick: () => filters.clear() }, 'Clear filters'), count),
    chips);
  const update = (matching, shown) => {
    if (document.activeElement !== search) search.value = filters.text;
    if (choice) select.value = filters[choice.key];
    sort.value = filters.sort;
    pictured.checked = filters.pictured;
    inputs.forEach((one) => one.update());
    count.textContent = `${whole(matching)} of ${plural(people.count, 'person')} match` + (filters.pictured ? `; images of ${whole(shown)} are in this page` : '');
    chips.replaceChildren(...[...filters.ranges].map(([key, filter]) => chip(people.measure(key), filter, filters)));
  };
  return { node, search, update };
}

function chip(measure, { range }, filters) {
  const label = measure.plot === 'rose' ? `${Math.round(range[0])}° to ${Math.round(range[1])}°` : span(range[0], range[1], measure.unit);
  return el('li', {}, el('button', { type: 'button', class: 'chip', 'aria-label': `Remove the filter ${measure.title} ${label}`, onclick: () => filters.setRange(measure.key, null) }, `${measure.title}: ${label}`, el('span', { 'aria-hidden': 'true' }, ' ×')));
}

function rangeInputs(measure, filters) {
  const one = (which) => el('input', { type: 'number', step: 'any', 'aria-label': `${measure.title} ${which}${measure.unit ? ', ' + measure.unit : ''}`, placeholder: which, onchange: () => commit() });
  const low = one('from'), high = one('to');
  const read = (input, otherwise) => (input.value === '' ? otherwise : Number(input.value));
  const ends = measure.plot === 'rose' ? [-180, 180] : [-Infinity, Infinity];
  const commit = () => filters.setRange(measure.key, low.value === '' && high.value === '' ? null : [read(low, ends[0]), read(high, ends[1])], null, true);
  const text = (value) => (Number.isFinite(value) ? Number(value.toFixed(2)) : '');
  const update = () => {
    const filter = filters.ranges.get(measure.key);
    for (const [input, k] of [[low, 0], [high, 1]]) if (document.activeElement !== input) input.value = filter ? text(filter.range[k]) : '';
  };
  const unit = measure.unit ? ` (${measure.unit})` : '';
  return { node: el('fieldset', { title: measure.note }, el('legend', {}, measure.title + unit), low, el('span', { 'aria-hidden': 'true' }, '–'), high), update };
}

function matchBar(filters, count, total) {
  const bar = $('#matches');
  bar.hidden = !filters.active;
  bar.replaceChildren(el('span', {}, el('b', {}, whole(count)), ` of ${plural(total, 'person')} match`),
    el('a', { href: '#persons' }, 'See them'), el('button', { type: 'button', onclick: () => filters.clear() }, 'Clear filters'));
}

