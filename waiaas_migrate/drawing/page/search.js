// The list of tables, the search, and the filters.

const search = $("search");
let items = new Map();

function listed() {
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

// The numbers of the cards that the search and the filter find; null if neither is used.
function found() {
  const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = $("kind").value;
  if (!terms.length && !kind) return null;
  return new Set(shownCards().filter((number) => {
    const face = faceOf(number);
    const text = textOf(face);
    return (!kind || face.kind === kind) && terms.every((term) => text.includes(term));
  }));
}

function highlightRows() {
  const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll("#cards .row")) {
    const text = row.textContent.toLowerCase();
    row.classList.toggle("hit", terms.some((term) => term.length > 1 && text.includes(term)));
  }
}

// One table of the list can be reached with Tab; the arrow keys go on from there.
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
  const out = $("only").checked ? standingOut() : null;
  document.body.classList.toggle("only", out !== null);
  for (const group of $("lines").children) {
    group.classList.toggle("apart", out !== null && !(out.has(group.line.child) && out.has(group.line.parent)));
  }
}

function look() {
  state.hits = found();
  highlightRows();
  emphasize();
  markList();
  applyFilters();
}

// Names that begin with the text come first, then those that contain it.
function best() {
  const text = search.value.trim().toLowerCase();
  const rank = (number) => {
    const at = faceOf(number).name.toLowerCase().indexOf(text);
    return at < 0 ? 2 : Math.min(at, 1);
  };
  return [...items.keys()].filter((number) => state.hits?.has(number)).sort((one, two) => rank(one) - rank(two))[0];
}

search.addEventListener("input", () => {
  if (state.selected !== null) select(null);
  look();
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && best() !== undefined) {
    select(best(), { move: true });
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
$("kind").addEventListener("change", look);
