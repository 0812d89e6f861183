// The history: the schema after each migration, with the migration's changes marked.

function drawAll() {
  draw();
  drawList();
  applySearch();
  if (state.selected === null) $("details").hidden = true;
  else $("details").replaceChildren(...detailsOf(state.selected));
}

// Shows the schema after the migration with the index `moment`, or the current schema for "now".
function showMoment(moment) {
  state.moment = moment;
  const isPast = moment !== "now";
  document.body.classList.toggle("past", isPast);
  $("history").hidden = !isPast;
  $("past").setAttribute("aria-expanded", String(isPast));
  if (isPast) drawStep(data.steps[moment], moment);
  drawAll();
  const changed = isPast ? [...new Set(data.steps[moment].changes.map(({ card }) => card))].filter(faceOf) : [];
  fitCards(changed.length ? changed : undefined, { largest: changed.length ? 0.9 : 1 });
}

function drawStep(step, moment) {
  $("moment").value = moment;
  $("moment").setAttribute("aria-valuetext", step.name);
  $("earlier").disabled = moment === 0;
  $("later").disabled = moment === data.steps.length - 1;
  $("step").replaceChildren(step.name, make("small", {}, `${moment + 1} of ${data.steps.length}`));
  const items = step.changes.map(({ words, card, mark }) =>
    make("li", { class: mark }, make("button", { type: "button", onclick: () => faceOf(card) && reveal(card, { center: true }) }, words)));
  $("changes").replaceChildren(...(items.length ? items : [make("li", {}, "The tables stay as they are.")]));
}

function stepBy(count) {
  if (state.moment === "now") return;
  showMoment(Math.min(Math.max(state.moment + count, 0), data.steps.length - 1));
}

const toggleHistory = () => data.steps.length && showMoment(state.moment === "now" ? data.steps.length - 1 : "now");

$("past").hidden = !data.steps.length;
$("moment").max = data.steps.length - 1;
$("moment").addEventListener("input", () => showMoment(Number($("moment").value)));
$("earlier").addEventListener("click", () => stepBy(-1));
$("later").addEventListener("click", () => stepBy(1));
$("present").addEventListener("click", () => showMoment("now"));
$("past").addEventListener("click", toggleHistory);
