// The selected table: its neighbors are emphasized, and a panel shows its details.

function select(number, { move = false } = {}) {
  state.selected = number;
  $("details").hidden = number === null;
  if (number !== null) $("details").replaceChildren(...detailsOf(number));
  emphasize();
  markList();
  makeTabbable(number);
  history.replaceState(null, "", number === null ? location.pathname : `#${encodeURIComponent(faceOf(number).name)}`);
  if (move && number !== null) reveal(number, { center: true });
  applyFilters();
}

const section = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);
const listOf = (items) => make("ul", {}, ...items.map((item) => make("li", {}, item)));

function link(number) {
  return make("button", { type: "button", class: "link", onclick: () => select(number, { move: true }) }, faceOf(number).name);
}

function columnDetails(row) {
  const item = make("li", { class: row.mark ?? "" }, make("div", {}, keyMark(row), make("b", {}, row.name), typeElement(row)));
  if (row.comment) item.append(make("p", {}, row.comment));
  const facts = [row.default && `default ${row.default}`, row.generated && `generated as (${row.generated})`, row.unique && "unique", row.primary && row.foreign && "foreign key"];
  const text = facts.filter(Boolean).join("; ");
  if (text) item.append(make("p", { class: "facts" }, text));
  if (row.values) item.append(make("p", { class: "chips" }, ...row.values.map((value) => make("code", {}, value))));
  return item;
}

function* relationsOf(number) {
  const lines = linesNow().filter(({ mark }) => mark !== "removed");
  const references = lines.filter(({ child }) => child === number);
  const back = lines.filter(({ parent }) => parent === number);
  const item = (line, other) => make("li", {}, link(other), make("p", { class: "facts" }, line.words));
  if (references.length) yield section("References", make("ul", {}, ...references.map((line) => item(line, line.parent))));
  if (back.length) yield section("Referenced by", make("ul", {}, ...back.map((line) => item(line, line.child))));
}

function* migrationsOf(number) {
  const steps = data.steps.map((step, at) => [step, at]).filter(([step]) => step.changes.some(({ card }) => card === number));
  const go = ([step, at]) => make("button", { type: "button", class: "link", onclick: () => showMoment(at) }, step.name);
  if (steps.length) yield section("Migrations", listOf(steps.map(go)));
}

function detailsOf(number) {
  const face = faceOf(number);
  const kind = [face.kind, ...(face.options ?? [])].join(", ");
  const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => deselect(number) }, "✕");
  const head = make("header", {}, make("h2", {}, face.name), close, make("p", { class: "facts" }, kind), face.comment && make("p", {}, face.comment));
  const near = neighborsOf(number).size - 1;
  if (near) {
    const words = `Show ${plural(near, "neighbor")}`;
    head.append(make("button", { type: "button", class: "wide", "aria-keyshortcuts": "n", onclick: () => fitCards([...neighborsOf(number)]) }, words));
  }
  const parts = [head, ...relationsOf(number)];
  if (face.rows.length) parts.push(section("Columns", make("ul", { class: "columns" }, ...face.rows.map(columnDetails))));
  if (face.indexes) parts.push(section("Indexes", listOf(face.indexes)));
  if (face.checks) parts.push(section("CHECKs", listOf(face.checks.map((check) => make("code", {}, check)))));
  if (face.triggers) parts.push(section("Triggers", listOf(face.triggers)));
  if (face.statement) parts.push(section("SQL", make("pre", { tabindex: "0" }, face.statement)));
  return [...parts, ...migrationsOf(number)];
}

function deselect(number) {
  select(null);
  elements[number].focus({ preventScroll: true });
}

board.addEventListener("click", (event) => {
  if (travelled >= 4) return;
  const card = event.target.closest(".card");
  const number = card ? Number(card.dataset.number) : null;
  select(number === state.selected ? null : number);
  if (number !== null && state.selected !== null) reveal(number);
});
board.addEventListener("dblclick", (event) => {
  const card = event.target.closest(".card");
  if (!card) return;
  select(Number(card.dataset.number));
  fitCards([...neighborsOf(state.selected)]);
});
