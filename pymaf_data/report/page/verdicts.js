// A human's verdicts on fits: kept by the browser where it may, saved and read as the corrections file.

const VERDICTS = ['keep', 'drop', 'prefer'];
const MOST_BYTES = 50e6;

class Verdicts {
  // key: under which the browser keeps them; changed(): called after every change.
  constructor(key, changed) {
    this.key = 'pymaf-data corrections ' + key;
    this.changed = changed;
    this.all = new Map(); // [image, annotation, source or null] → entry of the file
    this.kept = true;
    try {
      const text = localStorage.getItem(this.key);
      if (text) this.add(readCorrections(text));
    } catch (error) {
      this.kept = !(error instanceof DOMException);
    }
  }

  static name(image, annotation, source) {
    return JSON.stringify([image, annotation, source]);
  }

  get(image, annotation, source) {
    return this.all.get(Verdicts.name(image, annotation, source));
  }

  has(image, annotation, sources) {
    return [null, ...sources].some((source) => this.all.has(Verdicts.name(image, annotation, source)));
  }

  add(entries) {
    for (const one of entries) {
      if (one.verdict === 'prefer') this.unprefer(one.image, one.annotation);
      this.all.set(Verdicts.name(one.image, one.annotation, one.source), one);
    }
  }

  // The same verdict again takes it back; of a person's sources one alone is preferred.
  toggle(image, annotation, source, verdict) {
    const before = this.get(image, annotation, source);
    if (before && before.verdict === verdict) this.all.delete(Verdicts.name(image, annotation, source));
    else this.add([{ image, annotation, verdict, source, note: before ? before.note : '' }]);
    this.keep();
  }

  unprefer(image, annotation) {
    for (const [name, one] of this.all) if (one.image === image && one.annotation === annotation && one.verdict === 'prefer') this.all.delete(name);
  }

  note(image, annotation, source, note) {
    const one = this.get(image, annotation, source);
    if (one) one.note = note;
    this.keep();
  }

  clear() {
    this.all.clear();
    this.keep();
  }

  load(text) {
    const entries = readCorrections(text);
    this.add(entries);
    this.keep();
    return entries.length;
  }

  keep() {
    try {
      localStorage.setItem(this.key, this.text());
      this.kept = true;
    } catch (error) {
      this.kept = false;
    }
    this.changed();
  }

  // The corrections file; the order is that of images, whatever that of the verdicts was.
  text() {
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const verdicts = [...this.all.values()].sort((a, b) => order(a.image, b.image) || a.annotation - b.annotation || order(a.source || '', b.source || ''));
    return JSON.stringify({ corrections: 1, verdicts }, null, 1) + '\n';
  }
}

// The verdicts of a corrections file; throws an Error that says in words what is amiss.
function readCorrections(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new Error('it is no JSON');
  }
  if (!file || file.corrections !== 1 || !Array.isArray(file.verdicts)) throw new Error('it has no "corrections": 1 with a list of verdicts');
  const said = new Map();
  return file.verdicts.map((one, k) => {
    const { image, annotation, verdict, source = null, note = '' } = one || {};
    const wrong = typeof image !== 'string' ? 'image' : !Number.isSafeInteger(annotation) ? 'annotation' : !VERDICTS.includes(verdict) ? 'verdict'
      : (source !== null && typeof source !== 'string') || (source === null && verdict === 'prefer') ? 'source' : typeof note !== 'string' ? 'note' : '';
    if (wrong) throw new Error(`its verdict ${k + 1} has no ${wrong} that can be read`);
    // One verdict on each person and source, and one source to prefer: the file is refused as a whole, as elsewhere.
    for (const [name, word] of [[Verdicts.name(image, annotation, source), verdict], ...(verdict === 'prefer' ? [[`prefer ${image} ${annotation}`, source]] : [])]) {
      if (said.has(name) && said.get(name) !== word) throw new Error(`its verdict ${k + 1} contradicts another`);
      said.set(name, word);
    }
    return { image, annotation, verdict, source, note };
  });
}

// Save, load and clear; `file` is the name of what is saved.
function verdictBar(verdicts, file) {
  const count = el('b', {});
  const told = el('span', { class: 'muted', role: 'status' });
  const save = el('button', { type: 'button', onclick: () => {
    const link = el('a', { href: URL.createObjectURL(new Blob([verdicts.text()], { type: 'application/json' })), download: file });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    told.textContent = `${file} is saved: give it to attach-fits as corrections.`;
  } }, 'Save corrections');
  const input = el('input', { type: 'file', id: 'corrections', accept: '.json,application/json', class: 'hidden', tabindex: -1, 'aria-label': 'Corrections file', onchange: async () => {
    const [chosen] = input.files;
    if (!chosen) return;
    try {
      if (chosen.size > MOST_BYTES) throw new Error('it is too large');
      told.textContent = `${plural(verdicts.load(await chosen.text()), 'verdict')} of ${chosen.name} read.`;
    } catch (error) {
      told.textContent = `${chosen.name} was not read: ${error.message}.`;
    }
    input.value = '';
  } });
  const load = el('button', { type: 'button', onclick: () => input.click() }, 'Load corrections');
  const clear = el('button', { type: 'button', onclick: () => {
    if (clear.dataset.sure) verdicts.clear();
    else clear.dataset.sure = '1';
    update();
  }, onblur: () => {
    delete clear.dataset.sure;
    update();
  } });
  const update = () => {
    const { size } = verdicts.all;
    if (!size) delete clear.dataset.sure;
    count.textContent = plural(size, 'verdict');
    save.disabled = clear.disabled = !size;
    clear.textContent = clear.dataset.sure ? `Clear all ${whole(size)}: sure?` : 'Clear';
    if (!verdicts.kept) told.textContent = 'This browser keeps nothing of this page: save before you close it.';
  };
  const node = el('div', { class: 'row presets', role: 'group', 'aria-label': 'Verdicts' }, count, save, load, clear, input, told);
  return { node, update };
}
