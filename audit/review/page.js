// Texts go in as text, never as markup. A reason that was begun is kept in the browser until its decision is on disk.
"use strict";
const at = (id) => document.getElementById(id);
let state = null;
let busy = false;

const draft = () => "draft " + JSON.stringify([state.item.query_id, state.item.candidate_id]);

function line(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.dir = "auto";
  return element;
}

// As the report says it: the model is never certain.
const chance = (p) => (p > 0.99 ? "over 99%" : p < 0.01 ? "under 1%" : `${(100 * p).toFixed(0)}%`);
const grade = (value) => at("pair").querySelector(`[data-decision="${value}"]`)?.textContent ?? value;

function show(next) {
  state = next;
  at("problem").textContent = "";
  at("progress").textContent = `${state.settled} of ${state.total} settled` + (state.item ? `, looking at ${state.place + 1}` : ". All done.");
  at("pair").hidden = !state.item;
  if (!state.item) return;
  const item = state.item;
  at("query").textContent = item.query;
  const fields = Object.entries(item.candidate);
  at("candidate").replaceChildren(...(fields.length ? fields : [["id", item.candidate_id]]).flatMap(([name, text]) => [line("dt", name), line("dd", text)]));
  const chances = item.probabilities ? `, the judge's probabilities: ${item.probabilities.map((p) => p.toFixed(2)).join(" / ")}` : "";
  at("label").textContent = `${grade(item.grade)}${chances}`;
  at("evidence").textContent = `${item.evidence}. Chance that the label is wrong: ${chance(item.p_wrong)}, likeliest grade: ${grade(item.likeliest)}.`;
  at("suggestion").textContent = item.seconded ? `Suggested change: ${grade(item.suggested)}. Another judge contradicts the label, as shoppers do.` : "";
  at("types").replaceChildren(...item.types.map((type) => line("li", `${type.name}: ${type.meaning}`)));
  at("reason").value = localStorage.getItem(draft()) || "";
  const decided = item.decided;
  const verdict = decided && decided.verdict + (decided.grade === null ? "" : `, ${grade(decided.grade)}`);
  at("decided").textContent = decided ? `Decided before: ${verdict}, by ${decided.author}${decided.reason && `: ${decided.reason}`}` : "";
  for (const button of document.querySelectorAll("[data-decision]")) {
    button.classList.toggle("suggested", button.dataset.decision === String(item.suggested));
  }
}

async function ask(address, body) {
  if (busy) return;
  busy = true;
  try {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const answer = await fetch(address, options);
    const value = await answer.json();
    if (!answer.ok) throw new Error(value.error);
    if (body && !value.overtaken) localStorage.removeItem(draft());
    show(value);
    at("problem").textContent = value.overtaken ? `Not saved: ${value.overtaken}.` : "";
  } catch (error) {
    at("problem").textContent = `${body ? "Not saved" : "Not shown"} (${error.message}). If the server stopped, start it again and open its new address.`;
  } finally {
    busy = false;
  }
}

function decide(decision) {
  if (!state || !state.item) return;
  const { query_id, candidate_id, decisions } = state.item;
  ask("decide", { query_id, candidate_id, decision, decisions, reason: at("reason").value });
}

const move = (step) => state && state.place !== null && ask(`state?place=${Math.min(Math.max(state.place + step, 0), state.total - 1)}`);

document.addEventListener("keydown", (event) => {
  const writing = event.target === at("reason");
  if (event.key === "Escape") at("reason").blur();
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  // A key that is held, on a button too, would decide on pairs that nobody has seen; others turn pages and go on.
  if (event.repeat && (event.key === "Enter" || event.key.length === 1)) return event.preventDefault();
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const keys = { k: () => decide("keep"), u: () => decide("unsure"), ArrowLeft: () => move(-1), ArrowRight: () => move(1), r: () => at("reason").focus() };
  const button = document.querySelector(`[data-decision="${CSS.escape(key)}"]`);
  const action = keys[key] || (button && (() => decide(key)));
  if (!action) return;
  event.preventDefault();
  action();
});
for (const button of document.querySelectorAll("[data-decision]")) {
  // The second click of a double click meant the pair that is gone.
  button.addEventListener("click", (event) => event.detail < 2 && decide(button.dataset.decision));
}
at("back").addEventListener("click", () => move(-1));
at("next").addEventListener("click", () => move(1));
at("reason").addEventListener("input", () => state && state.item && localStorage.setItem(draft(), at("reason").value));
// A link of the report names a pair behind the address.
const wanted = () => ask(location.hash.length > 1 ? `state?${location.hash.slice(1)}` : "state");
window.addEventListener("hashchange", wanted);
wanted();
