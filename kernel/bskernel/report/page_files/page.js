"use strict";
function value(cell) {
  const text = (cell.dataset.value ?? cell.textContent).trim();
  const number = Number(text.replaceAll(",", "").replace(/\s*(%|s|ms|MiB)$/, ""));
  return text === "" ? null : Number.isNaN(number) ? text : number;
}
function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => {
    const numbers = head.classList.contains("n");
    const now = head.getAttribute("aria-sort");
    const up = now ? now !== "ascending" : !numbers;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row.cells[at]), row]);
    rows.sort(([one], [other]) => one === null || other === null
      ? (one === null) - (other === null) : (up ? 1 : -1) * compare(one, other));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }));
}
const relations = {
  "<": (one, other) => one < other, "<=": (one, other) => one <= other, "=": (one, other) => one === other,
  ">": (one, other) => one > other, ">=": (one, other) => one >= other,
};
// A condition on a column, as PE>=4; null for a word, and for a column that the table lacks.
function condition(word, heads) {
  const [, name, relation, wanted] = word.match(/^([^<>=]+)(<=|>=|<|>|=)(.+)$/) ?? [];
  if (!name) return null;
  const at = [(head) => head === name, (head) => head.startsWith(name), (head) => head.includes(name)]
    .map((fits) => heads.findIndex(fits)).find((found) => found >= 0);
  if (at === undefined) return null;
  const limit = Number(wanted);
  return (row) => {
    const found = value(row.cells[at]);
    if (found === null) return false;
    if (typeof found === "number" && !Number.isNaN(limit)) return relations[relation](found, limit);
    return relation === "=" && row.cells[at].textContent.trim().toLowerCase().includes(wanted);
  };
}
function show(input) {
  const table = document.getElementById(input.dataset.filter);
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim().toLowerCase());
  const words = input.value.toLowerCase().replace(/\s*(<=|>=|<|>|=)\s*/g, "$1").split(/\s+/).filter(Boolean);
  const tests = words.map((word) => condition(word, heads) ?? ((row, text) => text.includes(word)));
  const rows = [...table.tBodies[0].rows];
  const only = table.classList.contains("only-picked");
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !tests.every((test) => test(row, text)) || (only && !row.classList.contains("picked"));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  document.querySelector(`[data-count="${table.id}"]`).textContent = `${shown} of ${rows.length}`;
  table.dispatchEvent(new Event("filtered"));
}
for (const input of document.querySelectorAll("[data-filter]")) {
  input.addEventListener("input", () => show(input));
  show(input);
}
addEventListener("hashchange", () => {
  const row = document.getElementById(location.hash.slice(1));
  if (row instanceof HTMLTableRowElement && row.hidden) {
    const input = document.querySelector(`[data-filter="${row.closest("table").id}"]`);
    input.value = "";
    show(input);
    row.scrollIntoView();
  }
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
