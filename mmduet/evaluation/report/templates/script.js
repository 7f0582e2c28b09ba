'use strict';
/* Sorting, filtering, copying, and all cases on demand. Texts of files become text nodes alone. */
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const draw = (tag, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  document.documentElement.classList.add('script');

  /* A click on a column's head sorts the rows of each group; another click turns them round. */
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return '';
    const said = cell.dataset.value ?? cell.firstChild?.textContent ?? '';
    return said === '' || Number.isNaN(Number(said)) ? cell.textContent.trim() : Number(said);
  };
  const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === 'number' ? -1 : 1;
  for (const table of all('table.sortable')) {
    all('thead th', table).forEach((head, column) => {
      const button = make('button', {type: 'button', class: 'sort'}, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') === 'ascending';
        all('thead th', table).forEach(other => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        for (const body of table.tBodies) {
          const rows = Array.from(body.rows).filter(row => !row.classList.contains('group'));
          rows.sort((a, b) => (down ? -1 : 1) * compare(valueOf(a, column), valueOf(b, column)));
          body.append(...rows);
        }
      });
    });
  }
  const filter = $('#filter-slices');
  if (filter) filter.addEventListener('input', () => {
    const word = filter.value.trim().toLowerCase();
    for (const body of $('#slice-table').tBodies) {
      const rows = Array.from(body.rows);
      const group = rows.find(row => row.classList.contains('group'));
      const whole = group && group.textContent.toLowerCase().includes(word);
      let shown = 0;
      for (const row of rows) if (row !== group) {
        row.hidden = !whole && !row.cells[0].textContent.toLowerCase().includes(word);
        shown += row.hidden ? 0 : 1;
      }
      if (group) group.hidden = shown === 0;
    }
  });

  /* Copying: by the browser's clipboard, or else the text is selected for the keyboard. */
  for (const button of all('button.copy')) button.addEventListener('click', async () => {
    const area = document.getElementById(button.dataset.from);
    area.select();
    let done = false;
    try { await navigator.clipboard.writeText(area.value); done = true; } catch { done = document.execCommand('copy'); }
    $('#said').textContent = done ? `${button.dataset.what} copied` : 'Press Ctrl+C to copy the selected text';
    button.textContent = done ? 'Copied' : 'Press Ctrl+C';
  });

  /* All cases: parsed when they are first asked for, a page at a time. */
  const form = $('#browse');
  if (!form) return;
  const SHOWN = 24;
  const {colours, small} = form.dataset;
  let data = null, found = [], page = 0;
  const load = () => { data ??= JSON.parse($('#data').textContent); return data; };
  const outcomeFits = (answer, wanted) => wanted === '' || (wanted === 'hit' ? answer[1] === 0 : wanted === 'miss' ? answer[1] !== 0
    : answer[1] === Number(wanted));
  const bothFit = (answers, wanted) => {
    if (wanted === '') return true;
    const [other, which] = wanted.split(':').map(Number);
    const first = answers[0][1] === 0, second = answers[other][1] === 0;
    return [first && second, !first && second, first && !second, !first && !second][which];
  };
  const orders = {
    file: null,
    worst: (a, b) => mean(a) - mean(b), best: (a, b) => mean(b) - mean(a),
    sure: (a, b) => score(b) - score(a), unsure: (a, b) => score(a) - score(b),
    words: (a, b) => data.cases[a][2].localeCompare(data.cases[b][2]),
  };
  const mean = index => data.cases[index][5].reduce((sum, answer) => sum + answer[0], 0);
  const score = index => data.cases[index][5].reduce((sum, answer) => sum + (answer[3] ?? 0), 0);
  const search = () => {
    load();
    const get = name => form.elements[name]?.value ?? '';
    const words = get('words').trim().toLowerCase().split(/\s+/).filter(Boolean);
    const inside = get('slice') === '' ? null : new Set(data.slices[Number(get('slice'))]);
    found = [];
    data.cases.forEach((one, index) => {
      if (inside && !inside.has(index)) return;
      if (words.length) {
        const text = `${one[0]} ${one[2]} ${data.images[one[3]][0]}`.toLowerCase();
        if (!words.every(word => text.includes(word))) return;
      }
      if (!one[5].every((answer, number) => outcomeFits(answer, get(`outcome${number}`)))) return;
      if (!bothFit(one[5], get('both'))) return;
      found.push(index);
    });
    const order = orders[get('order')];
    if (order) found.sort((a, b) => order(a, b) || a - b);
    page = 0;
    show();
  };
  const frame = ([x1, y1, x2, y2]) => ({x: x1, y: y1, width: x2 - x1, height: y2 - y1});
  const card = index => {
    const [id, split, words, number, targets, answers] = data.cases[index];
    const [image, width, height, uri] = data.images[number];
    const margin = 0.015 * Math.max(width, height);
    const svg = draw('svg', {viewBox: `${-margin} ${-margin} ${width + 2 * margin} ${height + 2 * margin}`, role: 'img',
      'aria-label': `${image}: target and predictions${uri ? '' : ', without the image'}`});
    const back = uri ? draw('image', {href: uri, width, height, preserveAspectRatio: 'none'})
      : draw('rect', {width, height, class: 'blank'});
    if (uri && Math.max(width, height) <= Number(small)) back.setAttribute('class', 'blocks');
    svg.append(back);
    const box = (corners, kind) => svg.append(draw('rect', {...frame(corners), class: 'rim'}),
      draw('rect', {...frame(corners), class: `box ${kind}`}));
    targets.forEach(corners => box(corners, 'target'));
    answers.forEach((answer, system) => { if (answer[2]) box(answer[2], `s${system % Number(colours)}`); });
    const lines = answers.map(([overlap, outcome, , sure], system) => {
      const name = data.systems.length > 1 ? `${data.systems[system]}: ` : '';
      const on = outcome === 0 ? '' : outcome === data.outcomes.length - 1 ? `, ${data.outcomes[outcome]}` : `, on ${data.outcomes[outcome]}`;
      return make('p', {class: 'found'}, make('span', {class: `key s${system % Number(colours)}`}),
        `${name}IoU ${overlap.toFixed(2)}${on}${sure === null ? '' : `, score ${sure.toFixed(2)}`}`);
    });
    return make('figure', {class: 'card'}, svg, make('figcaption', {}, make('p', {class: 'words'}, words), ...lines,
      make('p', {class: 'id'}, `${data.splits[split]} ${id}`, make('span', {class: 'wide'}, ` · ${image}`))));
  };
  const show = () => {
    const pages = Math.max(1, Math.ceil(found.length / SHOWN));
    page = Math.min(Math.max(page, 0), pages - 1);
    $('#found').replaceChildren(...found.slice(page * SHOWN, (page + 1) * SHOWN).map(card));
    $('#count').textContent = `${found.length.toLocaleString('en')} of ${data.cases.length.toLocaleString('en')} cases`
      + (found.length ? `, page ${page + 1} of ${pages}` : '');
    for (const button of all('button[data-turn]')) {
      button.disabled = Number(button.dataset.turn) < 0 ? page === 0 : page >= pages - 1;
    }
  };
  form.addEventListener('submit', event => { event.preventDefault(); search(); });
  form.addEventListener('input', search);
  form.addEventListener('reset', () => setTimeout(search));
  for (const button of all('button[data-turn]')) button.addEventListener('click', () => {
    load();
    page += Number(button.dataset.turn);
    show();
    $('#count').scrollIntoView({block: 'start'});
  });
  /* A link of a slice names it behind the mark, so that it can be sent and the browser's back works. */
  const follow = () => {
    const slice = /^#slice-(\d+)$/.exec(location.hash);
    if (slice && form.elements.slice.querySelector(`option[value="${slice[1]}"]`)) {
      form.reset();
      form.elements.slice.value = slice[1];
      search();
      $('#all-cases').scrollIntoView();
      $('#all-cases h3').focus({preventScroll: true});
    }
  };
  addEventListener('hashchange', follow);
  $('#all-cases').hidden = false;
  if ('IntersectionObserver' in window) {
    new IntersectionObserver((entries, observer) => {
      if (entries.some(entry => entry.isIntersecting) && !data) { observer.disconnect(); search(); }
    }, {rootMargin: '400px'}).observe($('#all-cases'));
  } else search();
  follow();
})();
