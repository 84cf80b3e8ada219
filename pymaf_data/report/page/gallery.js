// Persons as cards, made when they come into sight, and one person in a larger view.

const PANELS = [['keypoints', 'crop and keypoints'], ['fit', 'chosen fit'], ['side', 'the fit from the side'], ['iuv', 'IUV map']];
const PAGE = 48;

function card(people, i, open) {
  const name = people.table.names[i];
  const images = people.images(i);
  const error = people.value('reprojection', i);
  const views = images ? PANELS.map(([key, title]) => images[key] && el('span', {}, el('img', { src: images[key], alt: `${title} of ${name}, annotation ${people.table.annotations[i]}`, width: 256, height: 256, decoding: 'async' }))) : [];
  const state = people.table.states[people.state[i]];
  return el('button', { type: 'button', class: 'card' + (images ? '' : ' bare') + (people.lacksFit(i) ? ' lacking' : ''), 'data-person': i, tabindex: -1, onclick: () => open(i) },
    images ? el('span', { class: 'views' }, views) : null,
    el('span', { class: 'name' }, name.split('/').pop(), el('span', { class: 'muted' }, ' #' + people.table.annotations[i])),
    el('span', { class: 'chips' },
      people.lacksFit(i) ? el('span', { class: 'chip warn' }, state) : el('span', { class: 'chip' }, withUnit(error, 'px')),
      Number.isNaN(people.value('heading', i)) ? null : el('span', { class: 'chip' }, 'faces ' + number(Math.round(people.value('heading', i))) + '°'),
      Number.isNaN(people.value('seen', i)) ? null : el('span', { class: 'chip' }, whole(people.value('seen', i)) + ' seen'),
      images ? null : el('span', { class: 'chip' }, 'image not in this page')));
}

class Gallery {
  // A grid of cards that grows as it is scrolled; arrow keys move in it.
  constructor(people, open, make = card) {
    this.people = people;
    this.open = open;
    this.make = make;
    this.order = [];
    this.grid = el('div', { class: 'cards', role: 'group', 'aria-label': 'Persons; arrow keys move, Enter opens' });
    this.end = el('div', { class: 'end', 'aria-hidden': 'true' });
    this.node = el('div', {}, this.grid, this.end);
    this.grid.addEventListener('keydown', (event) => this.key(event));
    this.grid.addEventListener('focusin', (event) => this.hold(event.target.closest('.card')));
    if ('IntersectionObserver' in window) new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.more(), { rootMargin: '600px' }).observe(this.end);
  }

  show(order) {
    this.order = order;
    this.grid.replaceChildren();
    if (!order.length) this.grid.append(el('p', { class: 'muted' }, 'No person matches. Clear a filter to see some.'));
    else this.more();
  }

  more(least = 0) {
    const have = this.grid.querySelectorAll('.card').length;
    if (have >= this.order.length) return;
    const until = Math.max(have + PAGE, least + 1);
    this.grid.append(...this.order.slice(have, until).map((i) => this.make(this.people, i, (one) => this.open(one, this.order))));
    if (!have) this.grid.querySelector('.card').tabIndex = 0;
  }

  hold(item) {
    if (!item) return;
    for (const other of this.grid.querySelectorAll('.card[tabindex="0"]')) other.tabIndex = -1;
    item.tabIndex = 0;
  }

  focusAt(place) {
    if (place < 0 || place >= this.order.length) return;
    this.more(place >= this.grid.querySelectorAll('.card').length - 1 ? place : -PAGE);
    this.grid.querySelectorAll('.card')[place].focus();
  }

  key(event) {
    const cards = [...this.grid.querySelectorAll('.card')];
    const at = cards.indexOf(event.target.closest('.card'));
    if (at < 0) return;
    const columns = Math.max(1, cards.findIndex((one) => one.offsetTop > cards[0].offsetTop));
    const move = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: cards.length - 1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.focusAt(event.key === 'ArrowDown' ? Math.min(move, this.order.length - 1) : move);
  }
}

class PersonView {
  // The dialog: large images, every measure with where it stands among all persons; arrow keys go on.
  constructor(people, panels = PANELS, without = '`pymaf-data report --persons` raises how many are.') {
    this.people = people;
    this.panels = panels;
    this.without = 'The images of this person are not in this page: ' + without;
    this.node = $('#person');
    this.node.addEventListener('keydown', (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (move) {
        event.preventDefault();
        this.step(move);
      }
    });
    this.node.addEventListener('click', (event) => event.target === this.node && this.node.close());
  }

  open(i, order) {
    this.order = order;
    this.at = order.indexOf(i);
    this.draw();
    if (!this.node.open) this.node.showModal();
  }

  step(move) {
    const next = this.at + move;
    if (next < 0 || next >= this.order.length) return;
    this.at = next;
    this.draw();
  }

  draw() {
    const { people } = this;
    const i = this.order[this.at];
    const images = people.images(i);
    const name = people.table.names[i];
    const bodies = images ? this.panels.filter(([key]) => images[key]).map(([key, title]) => el('figure', {}, el('img', { src: images[key], alt: title, width: 256, height: 256 }), el('figcaption', {}, title))) : [el('p', { class: 'muted' }, this.without)];
    this.node.replaceChildren(
      el('header', {}, el('div', {}, el('h2', { id: 'person-title' }, name), el('p', { class: 'muted' }, `annotation ${people.table.annotations[i]} · row ${people.table.rows ? people.table.rows[i] : i} · ${people.table.states[people.state[i]]}`)),
        el('div', { class: 'steps' },
          el('button', { type: 'button', onclick: () => this.step(-1), 'aria-label': 'Previous person', disabled: this.at === 0 }, '←'),
          el('span', { class: 'muted' }, `${whole(this.at + 1)} of ${whole(this.order.length)}`),
          el('button', { type: 'button', onclick: () => this.step(1), 'aria-label': 'Next person', disabled: this.at === this.order.length - 1 }, '→'),
          el('form', { method: 'dialog' }, el('button', { autofocus: true }, 'Close')))),
      el('div', { class: 'person' }, el('div', { class: 'large' }, bodies), this.numbers(i)));
    announce(`${name}, ${this.at + 1} of ${this.order.length}`);
  }

  numbers(i) {
    const { people } = this;
    const row = (measure, s) => {
      const value = people.series[measure.key][s][i];
      const dot = el('i', {});
      if (!Number.isNaN(value)) dot.style.left = (100 * people.rank(measure.key, s, i)).toFixed(1) + '%';
      return el('tr', { title: measure.note }, el('th', { scope: 'row' }, measure.title + (measure.series[s] ? ', ' + measure.series[s] : '')),
        el('td', { class: 'num' }, withUnit(value, measure.unit)),
        el('td', {}, Number.isNaN(value) ? null : el('span', { class: 'among', role: 'img', 'aria-label': `above ${Math.round(100 * people.rank(measure.key, s, i))}% of the persons` }, dot)));
    };
    const rows = people.measures.filter((measure) => measure.group !== 'Shape').flatMap((measure) => measure.series.map((_, s) => row(measure, s)));
    return el('table', { class: 'numbers' }, el('caption', {}, 'Each value, and where it stands among all persons'), el('tbody', {}, rows));
  }
}
