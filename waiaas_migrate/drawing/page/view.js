// The view: which part of the board is visible, and at which scale `k`.

const board = $("board");
const view = { x: 0, y: 0, k: 1 };
const LIMITS = [0.04, 3];
// Below this scale, cards show only their names.
const FAR = 0.5;
let settling;

function showView({ x = view.x, y = view.y, k = view.k }, { smooth = false } = {}) {
  Object.assign(view, { x, y, k: Math.min(Math.max(k, LIMITS[0]), LIMITS[1]) });
  document.body.classList.toggle("gliding", smooth);
  document.body.classList.add("moving");
  clearTimeout(settling);
  settling = setTimeout(() => document.body.classList.remove("moving", "gliding"), 260);
  world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.k})`;
  world.style.setProperty("--k", view.k);
  document.body.classList.toggle("is-far", view.k < FAR);
  $("scale").textContent = `${Math.round(view.k * 100)}%`;
}

function zoom(factor, at = { x: board.clientWidth / 2, y: board.clientHeight / 2 }, options = {}) {
  const k = Math.min(Math.max(view.k * factor, LIMITS[0]), LIMITS[1]);
  const ratio = k / view.k;
  showView({ x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio, k }, options);
}

// Returns the part of the board that no panel covers.
function freeArea() {
  const area = { left: 24, top: 24, right: board.clientWidth - 24, bottom: board.clientHeight - 64 };
  const origin = board.getBoundingClientRect().left;
  if (!$("details").hidden && innerWidth > 800) area.right = $("details").getBoundingClientRect().left - origin - 24;
  if (!$("history").hidden) area.bottom = $("history").getBoundingClientRect().top - 24;
  return area;
}

// Zooms and pans so that the cards fit into the free area.
function fitCards(numbers = shownCards(), { largest = 1, smooth = true } = {}) {
  if (!numbers.length) return;
  const boxes = numbers.map(boxOf);
  const left = Math.min(...boxes.map(([x]) => x));
  const top = Math.min(...boxes.map(([, y]) => y));
  const width = Math.max(...boxes.map(([x, , w]) => x + w)) - left;
  const height = Math.max(...boxes.map(([, y, , h]) => y + h)) - top;
  const area = freeArea();
  const [wide, high] = [area.right - area.left, area.bottom - area.top];
  const k = Math.max(Math.min(wide / width, high / height, largest), LIMITS[0]);
  showView({ x: area.left + (wide - width * k) / 2 - left * k, y: area.top + (high - height * k) / 2 - top * k, k }, { smooth });
}

// Pans to the card if it is outside the free area. With `center`, centers it, and zooms in until its columns are legible.
function reveal(number, { center = false } = {}) {
  const [x, y, width, height] = boxOf(number);
  const area = freeArea();
  const k = center ? Math.max(view.k, 0.8) : view.k;
  const newOffset = (start, size, from, to, offset) => {
    const [low, high] = [start * k + offset, (start + size) * k + offset];
    const isInside = low >= from && high <= to;
    if (isInside && !center) return offset;
    return size * k > to - from ? from - start * k : (from + to) / 2 - (start + size / 2) * k;
  };
  showView({ x: newOffset(x, width, area.left, area.right, view.x), y: newOffset(y, height, area.top, area.bottom, view.y), k }, { smooth: true });
}

board.addEventListener("wheel", (event) => {
  event.preventDefault();
  const origin = board.getBoundingClientRect();
  const at = { x: event.clientX - origin.left, y: event.clientY - origin.top };
  const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
  if (event.shiftKey) showView({ x: view.x - pixels - event.deltaX });
  else zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015)), at);
}, { passive: false });

// One pointer pans, two pointers zoom. A press that moves less than 4 pixels is a click.
const pointers = new Map();
let travelled = 0;

board.addEventListener("pointerdown", (event) => {
  if (event.button === 0 || event.button === 1) pointers.set(event.pointerId, event);
  if (pointers.size === 1) travelled = 0;
});
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
  travelled += Math.abs(dx) + Math.abs(dy);
  if (travelled < 4) return;
  document.body.classList.add("dragging");
  const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
  pointers.set(event.pointerId, event);
  if (!other) return void showView({ x: view.x + dx, y: view.y + dy });
  const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
  const origin = board.getBoundingClientRect();
  const middle = { x: (event.clientX + other.clientX) / 2 - origin.left, y: (event.clientY + other.clientY) / 2 - origin.top };
  zoom(distance(event) / distance(before), middle);
});
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) document.body.classList.remove("dragging");
  });
}
