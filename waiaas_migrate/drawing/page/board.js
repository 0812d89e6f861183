// The board: the cards and lines at one moment. A moment is "now", or the index of a migration for the schema after it.
// Cards are referred to by their index in `data.cards`. A face is the content of a card at some moment.

const data = JSON.parse(document.getElementById("data").textContent);
const state = { moment: "now", selected: null, hits: null };
const $ = (id) => document.getElementById(id);
const world = $("world");

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== "" && child !== 0));
  return element;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const series = () => (state.moment === "now" ? "now" : "past");
const isShown = ({ during: [first, last] }) => state.moment === "now" || (first <= state.moment && state.moment <= last);

// Returns the face of a card at the current moment; undefined if the card doesn't exist then.
function faceOf(number) {
  const shown = data.cards[number][series()]?.faces.find(isShown);
  return shown && data.faces[shown.face];
}

const boxOf = (number) => data.cards[number][series()].box;
const linesNow = () => data.lines[series()].filter(isShown);
const shownCards = () => data.cards.map((_, number) => number).filter(faceOf);

// Splits a name so that the browser can break its line between words.
function breakable(name) {
  const parts = name.split(/(?<=[_\-.])|(?<=[a-z])(?=[A-Z])/);
  return parts.flatMap((part, at) => (at ? [make("wbr"), part] : [part]));
}

function keyMark(row) {
  const [text, kind] = row.primary ? ["PK", "pk"] : row.foreign ? ["FK", "fk"] : row.unique ? ["U", "u"] : ["", ""];
  const words = [row.primary && "primary key", row.foreign && "foreign key", row.unique && "unique"].filter(Boolean);
  return make("span", { class: `mark ${kind}`, title: words.join(", ") }, text);
}

function typeElement(row) {
  const sign = row.nullable ? make("span", { class: "null", title: "may be NULL" }, "?") : "";
  return make("span", { class: "type" }, row.type ?? "", sign);
}

function rowElement(row) {
  const item = make("li", { class: `row ${row.mark ?? ""}` },
    keyMark(row), make("span", { class: "column", title: row.name }, row.name), typeElement(row));
  if (row.values) item.append(make("span", { class: "line values", title: row.values.join("\n") }, row.values.join(" · ")));
  if (row.comment) item.append(make("span", { class: "line", title: row.comment }, row.comment));
  item.dataset.column = row.name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return item;
}

function headElement(face) {
  const head = make("header", {}, make("h2", { title: face.name }, face.name));
  if (face.options) head.append(...face.options.map((option) => make("span", { class: "tag" }, option)));
  const below = face.comment ?? (face.kind === "table" ? "" : face.kind);
  if (below) head.append(make("p", { title: below }, below));
  return head;
}

const elements = data.cards.map((_, number) => {
  const card = make("article", { class: "card", tabindex: "-1" });
  card.dataset.number = number;
  return card;
});

function drawCard(number) {
  const card = elements[number];
  const face = faceOf(number);
  card.hidden = !face;
  if (!face) return;
  const [x, y, width, height] = boxOf(number);
  Object.assign(card.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${x}px, ${y}px)` });
  if (card.face === face) return;
  card.face = face;
  card.className = `card ${face.kind.replace(" ", "-")} ${face.mark ?? ""}`;
  const longest = Math.max(...face.name.split(/[_\-.]|(?<=[a-z])(?=[A-Z])/).map((part) => part.length + 1));
  card.style.setProperty("--fit", `${Math.min((width + 64) / (longest * 0.58), height / 2)}px`);
  card.setAttribute("aria-roledescription", face.kind);
  const marked = face.mark ? `, ${face.mark}` : "";
  card.setAttribute("aria-label", `${face.name}, ${face.kind}, ${plural(face.rows.length, "column")}${marked}`);
  const shown = face.rows.filter((row) => !row.hidden);
  const hidden = face.rows.length - shown.length;
  card.replaceChildren(headElement(face), make("div", { class: "far", "aria-hidden": "true" }, ...breakable(face.name)),
    make("ul", {}, ...shown.map(rowElement), hidden && make("li", { class: "row more" }, make("span", { class: "column" }, `${hidden} more`))));
}

function drawLines() {
  const svg = "http://www.w3.org/2000/svg";
  $("lines").replaceChildren(...linesNow().map((line) => {
    const group = document.createElementNS(svg, "g");
    const path = document.createElementNS(svg, "path");
    const title = document.createElementNS(svg, "title");
    path.setAttribute("d", line.path);
    title.textContent = line.words;
    group.append(title, path);
    if (line.mark) group.classList.add(line.mark);
    group.line = line;
    return group;
  }));
}

// Draws the board at `state.moment`.
function draw() {
  elements.forEach((_, number) => drawCard(number));
  drawLines();
  if (state.selected !== null && !faceOf(state.selected)) state.selected = null;
  emphasize();
}

function neighborsOf(number) {
  const found = new Set([number]);
  for (const { child, parent } of linesNow()) {
    if (child === number) found.add(parent);
    if (parent === number) found.add(child);
  }
  return found;
}

// Returns the cards to emphasize: the selected card and its neighbors, or else the hits of the search; null for none.
function emphasizedCards() {
  return state.selected === null ? state.hits : neighborsOf(state.selected);
}

function emphasize() {
  const emphasized = emphasizedCards();
  document.body.classList.toggle("dimmed", emphasized !== null);
  elements.forEach((card, number) => {
    card.classList.toggle("near", Boolean(emphasized?.has(number)));
    card.classList.toggle("selected", number === state.selected);
  });
  for (const group of $("lines").children) {
    const { child, parent } = group.line;
    group.classList.toggle("hot", state.selected !== null && (child === state.selected || parent === state.selected));
  }
}

// Highlights the lines of the card under the pointer, and more strongly the foreign keys of the row under the pointer.
function highlightLinesAt(target) {
  const number = Number(target?.closest?.(".card")?.dataset.number ?? -1);
  const column = target?.closest?.(".row")?.dataset.column;
  for (const group of $("lines").children) {
    const { child, parent, columns } = group.line;
    const isOfRow = child === number && columns.includes(column);
    group.classList.toggle("traced", isOfRow || child === number || parent === number);
    group.classList.toggle("exact", isOfRow);
  }
}

$("cards").append(...elements);
$("cards").addEventListener("pointerover", (event) => highlightLinesAt(event.target));
$("cards").addEventListener("pointerleave", () => highlightLinesAt(null));
