"use strict";
// Sorting: a click on a column's button orders the rows by `data-v`, or by their text.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const place = [...head.parentNode.children].indexOf(head);
    const rising = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("n"));
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => {
      const cell = row.children[place];
      const text = cell.dataset.v ?? cell.textContent.trim();
      return head.classList.contains("n") ? (text === "" ? NaN : Number(text)) : text.toLowerCase();
    };
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // undefined stays last
      const sign = typeof x === "number" ? x - y : x.localeCompare(y);
      return rising ? sign : -sign;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(order));
  });
}
// Filtering: words typed must all occur in a row (or a case) for it to stay.
for (const field of document.querySelectorAll("input[type=search]")) {
  const items = document.querySelectorAll(field.dataset.items);
  const count = document.getElementById(field.dataset.count);
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items) {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      shown += item.hidden ? 0 : 1;
    }
    count.textContent = shown + " of " + items.length;
  };
  field.addEventListener("input", apply);
  apply();
}
// On paper nothing can be opened: what is folded is printed open, and folds again.
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const item of folded) item.open = true;
});
window.addEventListener("afterprint", () => { for (const item of folded) item.open = false; });
// Decisions live in this page alone, until they are saved as a file.
const save = document.getElementById("save");
if (save) {
  const decided = () =>
    [...document.querySelectorAll(".case")].flatMap((item) => {
      const choice = item.querySelector("input[type=radio]:checked");
      const reason = item.querySelector("input[type=text]").value.trim();
      if (!choice && !reason) return [];
      // What `judge decide` reads: a grade, or unsure, which a reason without a choice is too.
      const decision = choice ? choice.value : "unsure";
      const { query_id, query, candidate_id } = JSON.parse(item.dataset.pair);
      const author = document.getElementById("author").value.trim();
      return [{ query_id, query, candidate_id, decision, reason, author, time: new Date().toISOString() }];
    });
  const count = document.getElementById("decided");
  document.addEventListener("change", () => { count.textContent = decided().length + " decided"; });
  save.addEventListener("click", () => {
    const lines = decided().map((row) => JSON.stringify(row) + "\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines], { type: "application/x-ndjson" }));
    link.download = "decisions.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000); // the browser reads it after the click
  });
}
