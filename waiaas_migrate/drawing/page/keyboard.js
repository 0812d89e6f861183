// The keyboard and the buttons; then the code that starts the page.

// Tab reaches one card; the arrow keys reach the others.
function makeTabbable(number) {
  const chosen = number ?? shownCards()[0];
  elements.forEach((card, at) => card.setAttribute("tabindex", at === chosen ? "0" : "-1"));
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Returns the nearest card in a direction. Distance to the side counts double.
function nearest(number, [dx, dy]) {
  const middle = ([x, y, width, height]) => [x + width / 2, y + height / 2];
  const [x, y] = middle(boxOf(number));
  const distances = shownCards().filter((other) => other !== number).map((other) => {
    const [ox, oy] = middle(boxOf(other));
    const ahead = (ox - x) * dx + (oy - y) * dy;
    const aside = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
    return [ahead > 1 && aside < ahead * 3 ? ahead + 2 * aside : Infinity, other];
  });
  const [distance, other] = distances.sort(([one], [two]) => one - two)[0] ?? [Infinity];
  return distance < Infinity ? other : undefined;
}

function moveFocus(event) {
  const direction = DIRECTIONS[event.key];
  const card = document.activeElement.closest(".card");
  if (event.shiftKey || !card) {
    return showView({ x: view.x - direction[0] * 80, y: view.y - direction[1] * 80 }, { smooth: true });
  }
  const other = nearest(Number(card.dataset.number), direction);
  if (other === undefined) return undefined;
  makeTabbable(other);
  elements[other].focus({ preventScroll: true });
  return reveal(other);
}

function goBack() {
  if (search.value) {
    search.value = "";
    return applySearch();
  }
  if (state.selected !== null) return deselect(state.selected);
  if (state.moment !== "now") return showMoment("now");
  return document.activeElement.blur();
}

function toggleSelection(event) {
  const card = document.activeElement.closest(".card");
  if (!card) return;
  event.preventDefault();
  const number = Number(card.dataset.number);
  select(number === state.selected ? null : number);
}

function switchTheme() {
  const root = document.documentElement;
  const isDark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("waiaas-migrate-theme", root.dataset.theme);
  } catch { /* the browser may forbid storage */ }
}

const KEYS = {
  "/": () => search.select(), "+": () => zoom(1.25, undefined, { smooth: true }), "=": () => zoom(1.25, undefined, { smooth: true }),
  "-": () => zoom(0.8, undefined, { smooth: true }), 0: () => fitCards(), h: toggleHistory, t: switchTheme, "?": () => $("keys").showModal(),
  n: () => state.selected !== null && fitCards([...neighborsOf(state.selected)]), "[": () => stepBy(-1), "]": () => stepBy(1),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.key === "Escape") return void goBack();
  if (event.target.closest("input, select")) return;
  if (event.key === "Enter" || event.key === " ") return void toggleSelection(event);
  const action = event.key in DIRECTIONS ? () => moveFocus(event) : KEYS[event.key];
  if (!action || (event.key in DIRECTIONS && event.target.closest(".panel"))) return;
  event.preventDefault();
  action();
});

$("in").addEventListener("click", KEYS["+"]);
$("out").addEventListener("click", KEYS["-"]);
$("fit").addEventListener("click", KEYS[0]);
$("theme").addEventListener("click", switchTheme);
$("help").addEventListener("click", KEYS["?"]);

try {
  const theme = localStorage.getItem("waiaas-migrate-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* the browser may forbid storage */ }

drawAll();
makeTabbable(null);
fitCards(undefined, { smooth: false });
const named = decodeURIComponent(location.hash.slice(1));
const first = shownCards().find((number) => faceOf(number).name === named);
if (first !== undefined) select(first, { move: true });
document.body.classList.add("ready");
