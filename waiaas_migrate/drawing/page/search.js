// The list of tables, the search, and the filters.

const search = $("search");
let items = new Map();

function drawList() {
  const numbers = shownCards().sort((one, two) => faceOf(one).name.localeCompare(faceOf(two).name, "en"));
  items = new Map(numbers.map((number) => {
    const face = faceOf(number);
    const count = face.kind === "table" ? face.rows.length : face.kind;
    const button = make("button", { type: "button", onclick: () => select(number, { move: true }) },
      make("span", {}, face.name), make("small", {}, `${count}`));
    return [number, make("li", { class: face.mark ?? "" }, button)];
  }));
  $("list").replaceChildren(...items.values());
  const kinds = new Set(numbers.map((number) => faceOf(number).kind));
  $("kind").hidden = kinds.size < 2;
  const chosen = $("kind").value;
  $("kind").replaceChildren(make("option", { value: "" }, "All kinds"), ...[...kinds].map((kind) => make("option", { value: kind }, `${kind}s`)));
  $("kind").value = kinds.has(chosen) ? chosen : "";
  const counts = [...kinds].map((kind) => plural(numbers.filter((number) => faceOf(number).kind === kind).length, kind));
  $("counts").textContent = !numbers.length ? "No tables" : [...counts, plural(linesNow().length, "relation")].join(", ");
}

function textOf(face) {
  const rows = face.rows.flatMap((row) => [row.name, row.type, row.comment, ...(row.values ?? [])]);
  return [face.name, face.comment, ...rows].filter(Boolean).join("\n").toLowerCase();
}

const searchTerms = () => search.value.toLowerCase().split(/\s+/).filter(Boolean);

// Returns the numbers of the cards that match the search and the filter; null if neither is used.
function searchHits() {
  const terms = searchTerms();
  const kind = $("kind").value;
  if (!terms.length && !kind) return null;
  return new Set(shownCards().filter((number) => {
    const face = faceOf(number);
    const text = textOf(face);
    return (!kind || face.kind === kind) && terms.every((term) => text.includes(term));
  }));
}

function highlightRows() {
  const terms = searchTerms();
  for (const row of document.querySelectorAll("#cards .row")) {
    const text = row.textContent.toLowerCase();
    row.classList.toggle("hit", terms.some((term) => term.length > 1 && text.includes(term)));
  }
}

// Marks the selected table in the list. Tab reaches one table of the list; the arrow keys reach the others.
function markList() {
  const shown = [...items.keys()].filter((number) => state.hits?.has(number) ?? true);
  const reachable = shown.includes(state.selected) ? state.selected : shown[0];
  for (const [number, item] of items) {
    item.hidden = !shown.includes(number);
    item.firstChild.setAttribute("aria-current", String(number === state.selected));
    item.firstChild.setAttribute("tabindex", number === reachable ? "0" : "-1");
  }
  $("found").textContent = state.hits === null ? "" : `${state.hits.size} of ${items.size} found`;
}

function applyFilters() {
  const kept = $("only").checked ? emphasizedCards() : null;
  document.body.classList.toggle("only", kept !== null);
  for (const group of $("lines").children) {
    group.classList.toggle("apart", kept !== null && !(kept.has(group.line.child) && kept.has(group.line.parent)));
  }
}

function applySearch() {
  state.hits = searchHits();
  highlightRows();
  emphasize();
  markList();
  applyFilters();
}

// Returns the table to open on Enter: first a name that begins with the text, then one that contains it, then any hit.
function bestHit() {
  const text = search.value.trim().toLowerCase();
  const rank = (number) => {
    const at = faceOf(number).name.toLowerCase().indexOf(text);
    return at < 0 ? 2 : Math.min(at, 1);
  };
  return [...items.keys()].filter((number) => state.hits?.has(number)).sort((one, two) => rank(one) - rank(two))[0];
}

search.addEventListener("input", () => {
  if (state.selected !== null) select(null);
  applySearch();
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && bestHit() !== undefined) {
    select(bestHit(), { move: true });
    elements[state.selected].focus({ preventScroll: true });
  }
  if (event.key === "ArrowDown") document.querySelector("#list li:not([hidden]) button")?.focus();
});
$("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const buttons = [...document.querySelectorAll("#list li:not([hidden]) button")];
  event.preventDefault();
  event.stopPropagation();
  (buttons[buttons.indexOf(document.activeElement) + step] ?? search).focus();
});
$("only").addEventListener("change", applyFilters);
$("kind").addEventListener("change", applySearch);
