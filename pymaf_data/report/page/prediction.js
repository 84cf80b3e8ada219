// The page of predictions.

function predictionPage() {
  const { about, counted, persons, images } = META;
  const shown = images.reduce((sum, image) => sum + image.persons.length, 0);
  $('#lead').textContent = `${counted}.` + (shown < persons ? ` Of these bodies ${whole(shown)}, evenly spread, are in this page.` : '') + ' Open a person to turn the body.';
  const faces = new Uint16Array(bytes($('#faces').textContent).buffer);
  const view = new BodyView(images, faces);
  const cards = images.flatMap((image, k) => image.persons.map((person, n) => bodyCard(view, images, k, n)));
  section('images', 'Images', 'The bodies over the image, and each, in its colour, from the left of the image.', images.map((image, k) => el('div', { class: 'looked' },
    el('figure', {}, el('img', { src: panel(`i${k}`, 'overlay'), alt: `${image.name} with its bodies`, loading: 'lazy' }), el('figcaption', {}, image.name)),
    el('div', { class: 'cards' }, cards.filter((card) => card.dataset.image === String(k))))));
  section('network', 'Network', null, facts(about));
  pageKeys([['Enter', 'open a person'], ['← → ↑ ↓', 'turn the body of an open person'], ['Esc', 'close'], ['?', 'this list']], {});
}

function panel(id, name) {
  const line = document.getElementById(id).textContent.split('\n').find((one) => one.startsWith(name + ':'));
  return 'data:image/jpeg;base64,' + line.slice(name.length + 1);
}

function bodyCard(view, images, k, n) {
  const person = images[k].persons[n];
  return el('button', { type: 'button', class: 'card', 'data-image': k, onclick: () => view.open(k, n) },
    el('span', { class: 'views' }, el('span', {}, el('img', { src: panel(`i${k}p${n}`, 'side'), alt: `${person.title} from the left of the image`, width: 256, height: 256 }))),
    el('span', { class: 'name' }, person.title), el('span', { class: 'chips' }, person.told.map((text) => el('span', { class: 'chip' }, text))));
}

class BodyView {
  // The dialog: one body, turned by hand.
  constructor(images, faces) {
    this.images = images;
    this.mesh = new MeshView(faces);
    this.node = $('#person');
    this.node.addEventListener('click', (event) => event.target === this.node && this.node.close());
  }

  open(k, n) {
    const image = this.images[k], person = image.persons[n];
    const line = document.getElementById(`i${k}p${n}`).textContent.split('\n').find((one) => one.startsWith('mesh:'));
    this.node.replaceChildren(
      el('header', {}, el('div', {}, el('h2', { id: 'person-title' }, image.name), el('p', { class: 'muted' }, [person.title, ...person.told].join(' · '))),
        el('form', { method: 'dialog' }, el('button', {}, 'Close'))),
      el('div', { class: 'turned' }, this.mesh.canvas, el('p', { class: 'muted' }, 'Drag, or use the arrow keys, to turn the body.')));
    if (!this.node.open) this.node.showModal();
    this.mesh.show(unpackMesh(bytes(line.slice(5)), person.low, person.step));
    this.mesh.canvas.focus();
  }
}
