// The worst fits, every source side by side, with verdicts on each.

class Worst {
  constructor(report) {
    const { worst, sources } = report;
    Object.assign(this, { sources, worst, count: worst.rows.length });
    this.measures = new Map(report.measures.map((measure) => [measure.key, measure]));
    const data = bytes($('#worst').textContent).buffer;
    const column = (k) => new Float32Array(data, 4 * this.count * k, this.count);
    this.values = sources.map((_, s) => Object.fromEntries(worst.keys.map((key, k) => [key, column(s * worst.keys.length + k)])));
    const after = 4 * this.count * sources.length * worst.keys.length;
    this.missing = sources.map((_, s) => new Uint8Array(data, after + this.count * s, this.count));
    this.ranked = worst.ranked.filter((key) => this.measures.has(key));
  }

  // Why source s has no fit of person u; empty where it has one.
  reason(s, u) {
    const code = this.missing[s][u];
    return code === 255 ? 'not attached yet' : this.worst.reasons[s][code];
  }

  images(u) {
    const node = $('#w' + this.worst.rows[u]);
    return node ? imagesOf(node) : null;
  }

  // Whether the choice stands to source s of person u as the filter asks: '', 'chosen', 'other' or 'none'.
  stands(s, u, state) {
    const chosen = this.worst.chosen[u];
    return !state || (state === 'chosen' ? chosen === s : state === 'none' ? chosen < 0 : chosen >= 0 && chosen !== s);
  }

  // [person, source] of the worst fits, a person once.
  list({ source, measure, state }, passes) {
    const sign = this.measures.get(measure).worst === 'high' ? -1 : 1;
    const found = [];
    for (let u = 0; u < this.count; u++) {
      let best = null;
      for (let s = 0; s < this.sources.length; s++) {
        const value = sign * this.values[s][measure][u];
        if (Number.isNaN(value) || (source !== '' && s !== Number(source)) || !this.stands(s, u, state)) continue;
        if (!best || value < best[2]) best = [u, s, value];
      }
      if (best && passes(u)) found.push(best);
    }
    return found.sort((a, b) => a[2] - b[2] || a[0] - b[0]).slice(0, this.worst.count);
  }
}

const BATCH = 10;

function worstSection(report) {
  const data = new Worst(report);
  if (!data.ranked.length) return;
  const names = data.sources.map((source) => source.name);
  const { dataset, split, persons } = report.store;
  const filters = { source: '', measure: data.ranked[0], state: '', judged: '' };
  const verdicts = new Verdicts(persons.slice(0, 16), () => judged());
  const bar = verdictBar(verdicts, `${dataset}-${split}-corrections.json`.replace(/[^\w.-]+/g, '_'));
  const has = (u) => verdicts.has(data.worst.names[u], data.worst.annotations[u], names);
  const cards = el('div', { class: 'judgements' });
  const end = el('div', { class: 'sight', 'aria-hidden': 'true' });
  const found = el('p', { class: 'listed', 'aria-live': 'polite' });
  let list = [], open = [];

  const more = () => {
    const made = list.slice(open.length, open.length + BATCH).map(([u, s]) => new Judgement(data, u, s, filters.measure, verdicts));
    open.push(...made);
    cards.append(...made.map((one) => one.node));
    watch();
  };
  const show = () => {
    list = data.list(filters, (u) => !filters.judged || has(u) === (filters.judged === 'with'));
    open = [];
    cards.replaceChildren();
    if (list.length) more();
    else cards.append(el('p', { class: 'muted' }, 'No fit matches.'));
    found.textContent = `the worst ${plural(list.length, 'person')}`;
  };
  const judged = () => {
    open.forEach((one) => one.update());
    bar.update();
  };
  const observer = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && open.length < list.length && more(), { rootMargin: '600px' });
  // Told only when the end comes into sight: where it stays there, cards being short, it must be looked at anew.
  const watch = () => {
    observer.unobserve(end);
    observer.observe(end);
  };
  section('worst-fits', 'Worst fits by source', 'Every source’s fit of the same person, from the front and from the side. Verdicts stay in this browser; saved as a corrections file, they are what attach-fits chooses by.',
    el('form', { class: 'filters', 'aria-label': 'Worst fits', onsubmit: (event) => event.preventDefault() }, worstFilters(data, filters, show, found), bar.node), cards, end);
  show();
  judged();
}

function worstFilters(data, filters, changed, found) {
  const field = (label, key, options) => {
    const input = el('select', { id: 'worst-' + key, onchange: () => {
      filters[key] = input.value;
      changed();
    } }, options.map(([value, name]) => el('option', { value }, name)));
    return el('label', { for: 'worst-' + key }, el('span', {}, label), input);
  };
  return el('div', { class: 'row' },
    field('By', 'measure', data.ranked.map((key) => [key, data.measures.get(key).title + (data.measures.get(key).worst === 'high' ? ', largest first' : ', smallest first')])),
    field('Fits of', 'source', [['', 'all sources'], ...data.sources.map((source, s) => [String(s), source.name])]),
    field('Which', 'state', [['', 'chosen or not'], ['chosen', 'are chosen'], ['other', 'are not, another is'], ['none', 'are not, nothing is']]),
    field('Verdict', 'judged', [['', 'with or without'], ['without', 'none yet'], ['with', 'with a verdict']]), found);
}

class Judgement {
  // One person: its image, and of every source the fit, its measures and the buttons. `rank` is the source that is here for `measure`.
  constructor(data, u, rank, measure, verdicts) {
    Object.assign(this, { data, u, rank, measure, verdicts, parts: [] });
    this.image = data.worst.names[u];
    this.annotation = data.worst.annotations[u];
    const chosen = data.worst.chosen[u], images = data.images(u), id = 'judged-' + data.worst.rows[u];
    const against = data.worst.kept_out ? data.worst.kept_out_by[data.worst.kept_out[u]] : '';
    const from = (chosen < 0 ? 'nothing is chosen' : `chosen: ${data.sources[chosen].name}`) + (against ? ` · the first choice: ${against}` : '');
    const all = this.button(null, 'drop', 'Drop every fit');
    this.node = el('article', { class: 'judgement', 'aria-labelledby': id },
      el('header', {}, el('div', {}, el('h3', { id }, this.image), el('p', { class: 'muted' }, `annotation ${this.annotation} · row ${data.worst.rows[u]} · ${from}`)), all),
      el('div', { class: 'fits' }, images && images.keypoints ? el('figure', {}, this.view(images.keypoints, 'crop and keypoints'), el('figcaption', {}, 'crop and keypoints')) : null,
        el('div', { class: 'of-sources' }, data.sources.map((source, s) => this.fit(source, s, images, chosen === s)))),
      images ? null : el('p', { class: 'muted' }, 'The images of this person are not in this page.'));
    this.update();
  }

  view(src, what) {
    return el('img', { src, alt: `${what} of ${this.image}, annotation ${this.annotation}`, width: 192, height: 192, decoding: 'async' });
  }

  fit(source, s, images, isChosen) {
    const reason = this.data.reason(s, this.u), views = images && images['front' + s] ? [['front' + s, 'from the front'], ['side' + s, 'from the side']] : [];
    return el('div', { class: 'fit' + (s === this.rank ? ' ranked' : '') },
      el('h4', {}, source.name, isChosen ? el('span', { class: 'chip' }, 'chosen') : null),
      reason ? el('p', { class: 'muted' }, `no fit: ${reason}`) : null,
      views.length ? el('div', { class: 'pair' }, views.map(([key, what]) => this.view(images[key], `fit of ${source.name} ${what}`))) : null,
      reason ? null : el('p', { class: 'chips' }, this.numbers(s)),
      reason ? null : this.buttons(source.name));
  }

  numbers(s) {
    return this.data.worst.keys.map((key) => [key, this.data.values[s][key][this.u]]).filter(([key, value]) => !Number.isNaN(value) && this.data.measures.has(key)).map(([key, value]) => {
      const measure = this.data.measures.get(key), mark = key === this.measure && s === this.rank ? ' warn' : '';
      return el('span', { class: 'chip' + mark, title: measure.note }, `${SHORT[key] || measure.title} ${withUnit(value, measure.unit)}`);
    });
  }

  buttons(source) {
    const note = el('input', { type: 'text', placeholder: 'note', maxlength: 200, 'aria-label': `Note on the fit of ${source}`, onchange: () => this.verdicts.note(this.image, this.annotation, source, note.value.trim()) });
    this.parts.push(() => {
      const one = this.verdicts.get(this.image, this.annotation, source);
      note.hidden = !one;
      if (document.activeElement !== note) note.value = one ? one.note : '';
    });
    return el('div', { class: 'verdict', role: 'group', 'aria-label': `Verdict on the fit of ${source} of ${this.image}, annotation ${this.annotation}` },
      VERDICTS.map((verdict) => this.button(source, verdict, verdict[0].toUpperCase() + verdict.slice(1))), note);
  }

  button(source, verdict, label) {
    const node = el('button', { type: 'button', class: 'judge ' + verdict, title: MEANING[verdict], onclick: () => {
      this.verdicts.toggle(this.image, this.annotation, source, verdict);
      announce(`${label} ${source || ''}: ${node.getAttribute('aria-pressed') === 'true' ? 'set' : 'taken back'}. ${plural(this.verdicts.all.size, 'verdict')}.`);
    } }, label);
    this.parts.push(() => {
      const one = this.verdicts.get(this.image, this.annotation, source);
      node.setAttribute('aria-pressed', String(Boolean(one && one.verdict === verdict)));
    });
    return node;
  }

  update() {
    this.parts.forEach((part) => part());
  }
}

const MEANING = { keep: 'no gate rejects this fit', drop: 'this fit is not chosen', prefer: 'this fit is chosen, whatever the rule says' };
const SHORT = { reprojection: 'reprojection', weak_residual: 'π', betas_max: '|β|', mask_iou: 'IoU', beyond_limits: 'limits', pose_prior: 'prior', mirrored: 'mirror', scale: 'scale', conversion_mm: 'conversion', conversion_degrees: 'conversion', apart_mm: 'apart', apart_degrees: 'apart' };
