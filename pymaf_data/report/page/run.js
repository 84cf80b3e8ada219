// The page of a training run.

const ITERATIONS = ['M0', 'M1', 'M2', 'M3'];
const MEASURES = { mpjpe: 'MPJPE', pa_mpjpe: 'PA-MPJPE', pve: 'PVE' };
const M0_NAME = 'M0, the mean body';

const lastOf = (list) => (list && list.length ? list[list.length - 1] : undefined);
const endOf = (data) => lastOf(data.steps) || 0;
// The held-out store that decides about the best network stands first.
const inOrder = (heldOut, best) => [...heldOut].sort((a, b) => (b.store === best) - (a.store === best));
const heldOutName = (data) => (data.store ? `held out: ${data.store}` : 'held out');
const known = (list) => (list || []).map((value) => (value === null ? NaN : value));

function runPage() {
  const { run, train, persons } = META;
  const options = run.options;
  const heldOut = inOrder(META.held_out, (options.validation || {}).best_of);
  const step = Math.max(...[train, ...heldOut].map(endOf));
  $('#lead').textContent = `PyMAF after ${plural(step, 'step')} of ${options.batch_size || '?'} persons.` + (META.notes.length ? ' ' + META.notes.join(' ') : '');
  summary(train, heldOut, step);
  errors(train, heldOut);
  if (persons) overTime(persons);
  losses(train);
  runProvenance(run, META.provenance);
  pageKeys([['← →', 'read the steps of a chart; move the slider of steps'], ['?', 'this list'], ['Esc', 'close']], {});
}

function summary(train, heldOut, step) {
  const best = heldOut[0] || train;
  const where = heldOut[0] ? `${plural(lastOf(best.persons), 'held-out person')}${best.store ? ' of ' + best.store : ''}` : 'last training batch';
  const entries = [[whole(step), 'steps']];
  for (const [key, name] of Object.entries(MEASURES)) {
    const table = best.errors[key];
    if (!table || !table.M3) continue;
    const baseline = lastOf(known(table.M0));
    entries.push([withUnit(lastOf(known(table.M3)), 'mm'), `${name} of M3, ${where}`, `mean body ${withUnit(baseline, 'mm')}`]);
  }
  const loss = known(train.scalars.loss);
  if (loss.length) entries.push([number(lastOf(loss)), 'loss', `first ${number(loss[0])}`]);
  section('overview', 'Overview', null, tiles(entries));
}

function errors(train, heldOut) {
  const chart = (data, key, where, note) => data.errors[key] && Object.keys(data.errors[key]).length ? lineChart({
    title: `${MEASURES[key]}, ${where}`, unit: 'mm', note,
    series: ITERATIONS.filter((name) => data.errors[key][name]).map((name) => ({ name: name === 'M0' ? M0_NAME : name, x: data.steps, y: known(data.errors[key][name]), tone: name.toLowerCase(), dashed: name === 'M0' })),
  }) : null;
  const held = (data) => Object.keys(MEASURES).map((key) => chart(data, key, heldOutName(data), 'Persons that are never trained on, in evaluation mode.')).filter(Boolean);
  const trained = Object.keys(MEASURES).map((key) => chart(train, key, 'training batches', 'One batch each, augmented, in training mode.')).filter(Boolean);
  section('errors', 'Errors of every iteration', 'Mean distance of 24 joints to those of the fit, about the middle of the hips; PA after the best similarity transform; PVE that of the vertices, of held-out persons with fits. M0 is where every person starts, the mean body, and so the baseline; M1 to M3 are the feedback loop’s iterations.',
    heldOut.length ? heldOut.map((data, k) => {
      const which = data.store ? `${data.store}: ${plural(lastOf(data.persons), 'person')} held out` : `Held out: ${plural(lastOf(data.persons), 'person')}`;
      return block(`${which}, in evaluation mode${k === 0 && heldOut.length > 1 ? '; this store decides about the best network' : ''}`, el('div', { class: 'plots wide' }, held(data)));
    }) : el('p', { class: 'note' }, 'No held-out persons were measured: `pymaf-data train --validate STORE` does.'),
    block('Training batches, in training mode', el('div', { class: 'plots wide' }, trained)),
    heldOut.length ? heldOut.map((data) => finalTable(data, heldOutName(data))) : finalTable(train, 'training batch'));
}

function finalTable(data, where) {
  const at = lastOf(data.steps);
  if (at === undefined || !data.errors.mpjpe) return null;
  const measures = Object.entries(MEASURES).filter(([key]) => data.errors[key]);
  const rows = ITERATIONS.filter((name) => data.errors.mpjpe[name]).map((name) => el('tr', {}, el('th', { scope: 'row' }, name === 'M0' ? M0_NAME : name),
    measures.map(([key]) => el('td', { class: 'num' }, withUnit(lastOf(known(data.errors[key][name])), 'mm')))));
  return block(`At step ${whole(at)}, ${where}`, el('table', { class: 'numbers final' }, el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'iteration'), measures.map(([, name]) => el('th', { scope: 'col', class: 'num' }, name)))), el('tbody', {}, rows)));
}

// ---- the same persons over time

function panelsOf(k) {
  const lines = $('#p' + k).textContent.trim().split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), 'data:image/webp;base64,' + line.slice(line.indexOf(':') + 1)]));
}

function overTime(persons) {
  const panels = persons.rows.map((_, k) => panelsOf(k));
  if (!panels.length || !panels[0].truth) return;
  let side = false;
  const grid = el('div', {});
  const toggle = el('button', { type: 'button', 'aria-pressed': 'false', onclick: () => {
    side = !side;
    toggle.setAttribute('aria-pressed', String(side));
    draw();
  } }, 'From the side');
  const image = (k, name, label) => el('figure', {}, el('img', { src: panels[k][side && name !== 'view' ? name + '-side' : name], alt: `${label}, row ${persons.rows[k]}`, width: 256, height: 256, decoding: 'async' }));
  const head = (names) => el('thead', {}, el('tr', {}, names.map((name) => el('th', { scope: 'col' }, name))));
  const draw = () => grid.replaceChildren(el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'The same persons over time; scrolls sideways' }, el('table', { class: 'times' }, head(['image', 'target', ...persons.steps.map((step) => 'step ' + whole(step))]),
    el('tbody', {}, persons.rows.map((row, k) => el('tr', {}, el('td', {}, image(k, 'view', 'image')), el('td', {}, image(k, 'truth', 'target')),
      persons.steps.map((step, s) => el('td', {}, image(k, String(step), `step ${step}`), el('p', { class: 'muted' }, withUnit(persons.mpjpe[k][s], 'mm'))))))))));
  draw();
  const last = lastOf(persons.steps);
  const loop = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'The feedback loop at the last step' }, el('table', { class: 'times' }, head(['image', ...ITERATIONS.map((name) => (name === 'M0' ? M0_NAME : name)), 'target']),
    el('tbody', {}, persons.rows.map((row, k) => el('tr', {}, el('td', {}, el('img', { src: panels[k].view, alt: `image, row ${row}`, width: 256, height: 256 })),
      ITERATIONS.map((name, t) => el('td', {}, el('img', { src: panels[k]['m' + t], alt: `${name}, row ${row}`, width: 256, height: 256 }), el('p', { class: 'muted' }, withUnit(persons.iterations[k][t], 'mm')))),
      el('td', {}, el('img', { src: panels[k].truth, alt: `target, row ${row}`, width: 256, height: 256 })))))));
  const kind = persons.held_out ? 'Held-out persons, which are never trained on' : 'Persons of the training data';
  section('persons', 'The same persons over time', `${kind}: the result of the last iteration over the image, beside the fit that is the target. Below each, its MPJPE.`, scrubber(persons, panels), el('div', { class: 'row' }, toggle), grid,
    block(`The feedback loop at step ${whole(last)}: from the mean body to the result`, loop));
}

// A slider through the steps, all persons at once.
function scrubber(persons, panels) {
  const images = persons.rows.map((row, k) => [el('img', { alt: `prediction, row ${row}`, width: 256, height: 256 }), el('img', { src: panels[k].truth, alt: `target, row ${row}`, width: 256, height: 256 }), el('figcaption', {})]);
  const label = el('output', { for: 'scrub' });
  const slider = el('input', { id: 'scrub', type: 'range', min: 0, max: persons.steps.length - 1, step: 1, value: persons.steps.length - 1, 'aria-label': 'Step', oninput: () => show() });
  const show = () => {
    const s = Number(slider.value);
    label.textContent = 'step ' + whole(persons.steps[s]);
    slider.setAttribute('aria-valuetext', label.textContent);
    images.forEach(([image, , caption], k) => {
      image.src = panels[k][String(persons.steps[s])];
      caption.textContent = `row ${persons.rows[k]}: ${withUnit(persons.mpjpe[k][s], 'mm')}`;
    });
  };
  show();
  return el('div', { class: 'scrubber' }, el('p', {}, slider, label), el('div', { class: 'cards pairs' }, images.map(([prediction, target, caption]) => el('figure', { class: 'plot' }, el('div', { class: 'pair' }, el('div', {}, prediction, el('small', {}, 'network')), el('div', {}, target, el('small', {}, 'target'))), caption))));
}

// ---- losses, provenance

function losses(train) {
  const { loss, learning_rate: rate, gradient_norm: norm, images_per_second: images, waiting, ...terms } = train.scalars;
  const one = (title, values, tone, log, note, unit = '') => (values ? lineChart({ title, unit, log, note, series: [{ name: title, x: train.steps, y: known(values), tone }] }) : null);
  const tones = ['m3', 'c5', 'm2', 'm1', 'c4'];
  const parts = Object.entries(terms).map(([name, values], k) => one(name, values, tones[k % tones.length], true, 'One weighted term of the loss, summed over the iterations that are supervised.')).filter(Boolean);
  section('curves', 'Curves', 'On training batches; logarithmic axes where values fall by orders of magnitude.',
    block('Loss and optimizer', el('div', { class: 'plots wide' }, [one('loss', loss, 'm3', true, 'Sum of the weighted terms.'), one('learning rate', rate, 'm2', false), one('gradient norm', norm, 'm1', true, 'Before clipping.')].filter(Boolean))),
    images ? block('Pace', el('div', { class: 'plots wide' }, [one('images a second', images, 'm3', false, 'Since the logged step before; time to measure and to save counts.'), one('waiting for data', waiting.map((share) => (share === null ? null : 100 * share)), 'm1', false, 'Share of the time that passed until the next batch was there.', '%')].filter(Boolean))) : null,
    block('Terms of the loss', el('div', { class: 'plots' }, parts)));
}

function runProvenance(run, known_) {
  const { stores = [], licences = {}, versions = {}, ...machine } = known_;
  const { model, loss, optimizer, augmentation, validation, snapshots, ...plainOptions } = run.options;
  const data = stores.map((store) => block(`${store.dataset} ${store.split}: ${plural(store.persons, 'person')}`, facts(Object.fromEntries(Object.entries(store.generations).map(([stage, digest]) => [stage, digest.slice(0, 16)])))));
  section('provenance', 'Provenance', 'The network carries the licences of everything that it learned from.',
    el('div', { class: 'columns' }, block('Licences', facts(licences)), block('Made with', facts({ ...machine, ...versions })), ...data,
      block('Options', facts(plainOptions)), ...Object.entries({ model, loss, optimizer, augmentation, validation, snapshots }).filter(([, value]) => value).map(([name, value]) => block(name, facts(value)))));
}
