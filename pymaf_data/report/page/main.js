// Keys of the whole page, and which page it is.

function pageKeys(list, actions) {
  $('#help-open').addEventListener('click', () => openHelp(list));
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (typing(event.target)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const action = event.key === '?' ? () => openHelp(list) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

$('#version').textContent = META.version;
({ store: storePage, run: runPage, evaluation: evaluationPage, prediction: predictionPage })[META.kind]();
