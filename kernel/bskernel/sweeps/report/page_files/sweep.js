{
  const table = document.getElementById("point-table");
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
  const rows = new Map([...table.tBodies[0].rows].map((row) => [Number(row.dataset.point), row]));
  const drawn = [...document.querySelectorAll("[data-points]")]
    .map((one) => ({ one, points: one.dataset.points.split(" ").map(Number) }));
  const buttons = [...document.querySelectorAll("button.mark")];
  const picked = new Set();
  const pointed = document.getElementById("pointed");
  const nameOf = (point) => rows.get(point).cells[0].textContent.trim();

  function mark() {
    document.body.classList.toggle("picking", picked.size > 0);
    for (const { one, points } of drawn) {
      const on = points.some((point) => picked.has(point));
      if (one.classList.contains("picked") !== on) {
        one.classList.toggle("picked", on);
        if (on && one.localName === "path") one.parentNode.append(one);
      }
      if (one.localName === "button") {
        const every = points.every((point) => picked.has(point));
        one.setAttribute("aria-pressed", every ? "true" : on ? "mixed" : "false");
      }
    }
    for (const [point, row] of rows) {
      row.classList.toggle("picked", picked.has(point));
      row.querySelector("input").checked = picked.has(point);
    }
    const names = [...picked].slice(0, 3).map(nameOf).join(", ");
    const more = picked.size > 3 ? ` and ${picked.size - 3} more` : "";
    document.getElementById("picked").textContent = picked.size ? `${picked.size} selected: ${names}${more}` : "None selected";
    if (table.classList.contains("only-picked")) show(document.querySelector('[data-filter="point-table"]'));
  }
  function pick(points, on) {
    for (const point of points) on ? picked.add(point) : picked.delete(point);
    mark();
  }
  function toggle(points) {
    pick(points, !points.every((point) => picked.has(point)));
  }
  function only(on) {
    table.classList.toggle("only-picked", on);
    document.getElementById("only").setAttribute("aria-pressed", String(on));
    show(document.querySelector('[data-filter="point-table"]'));
  }
  function none() {
    picked.clear();
    only(false);
    mark();
  }

  // Under the pointer, or at the focus: everywhere outlined, and told in the corner.
  let hot = [];
  function heat(points) {
    if (points.length === hot.length && points.every((point, at) => point === hot[at])) return;
    hot = points;
    for (const { one, points: its } of drawn) one.classList.toggle("hot", its.some((point) => hot.includes(point)));
    for (const [point, row] of rows) row.classList.toggle("hot", hot.includes(point));
    pointed.hidden = hot.length === 0;
    if (hot.length === 0) return;
    const title = document.createElement("h3");
    title.textContent = nameOf(hot[0]);
    const list = document.createElement("dl");
    [...rows.get(hot[0]).cells].slice(1, 15).forEach((cell, at) => {
      if (!cell.textContent.trim()) return;
      const [name, value] = [document.createElement("dt"), document.createElement("dd")];
      name.textContent = heads[at + 1];
      value.textContent = cell.textContent;
      list.append(name, value);
    });
    pointed.replaceChildren(title, list);
    if (hot.length > 1) {
      const others = document.createElement("p");
      const names = hot.slice(1, 5).map(nameOf).join(", ");
      others.textContent = `On the same place: ${names}${hot.length > 5 ? ` and ${hot.length - 5} more` : ""}`;
      pointed.append(others);
    }
  }
  for (const one of buttons) {
    const points = one.dataset.points.split(" ").map(Number);
    one.addEventListener("click", () => toggle(points));
    one.addEventListener("pointerenter", () => heat(points));
    one.addEventListener("pointerleave", () => heat([]));
    one.addEventListener("focus", () => { if (one.matches(":focus-visible")) heat(points); });
    one.addEventListener("blur", () => heat([]));
  }
  for (const plot of document.querySelectorAll(".plot")) {
    const marks = [...plot.querySelectorAll(".mark")]; // from left to right
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -marks.length, End: marks.length };
    const first = Math.max(0, marks.findIndex((one) => one.classList.contains("recommended")));
    marks.forEach((one, at) => { one.tabIndex = at === first ? 0 : -1; });
    plot.addEventListener("keydown", (event) => {
      const at = marks.indexOf(document.activeElement);
      if (at < 0 || !(event.key in steps)) return;
      event.preventDefault();
      const next = marks[Math.min(marks.length - 1, Math.max(0, at + steps[event.key]))];
      marks[at].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
  for (const [point, row] of rows) {
    row.addEventListener("click", (event) => {
      if (event.target.closest("a") || String(getSelection())) return;
      toggle([point]);
    });
    row.addEventListener("pointerenter", () => { heat([point]); pointed.hidden = true; });
    row.addEventListener("pointerleave", () => heat([]));
  }

  const lines = document.querySelector(".lines");
  if (lines) {
    const axes = [...lines.querySelectorAll(".axis")];
    const paths = [...lines.querySelectorAll("path")].map((one) => {
      const places = axes.map(() => null);
      for (const [, x, y] of one.getAttribute("d").matchAll(/([\d.]+),([\d.]+)/g)) {
        places[Math.round(x / 1000 * (axes.length - 1))] = 1 - y / 1000;
      }
      return { point: Number(one.dataset.points), places, one };
    });
    const spot = (event) => {
      const box = lines.getBoundingClientRect();
      return { across: (event.clientX - box.left) / box.width * (axes.length - 1), up: 1 - (event.clientY - box.top) / box.height, box };
    };
    const nearest = ({ across, up, box }) => {
      const left = Math.min(axes.length - 2, Math.max(0, Math.floor(across)));
      let best = null, least = 14 / box.height;
      for (const { point, places: { [left]: from, [left + 1]: to }, one } of paths) {
        if (from === null || to === null || one.classList.contains("faded")) continue;
        const far = Math.abs(from + (to - from) * (across - left) - up);
        if (far < least) [best, least] = [point, far];
      }
      return best;
    };
    let begin = null, brush = null;
    lines.addEventListener("pointermove", (event) => {
      const here = spot(event);
      if (begin && begin.axis !== null && Math.abs(begin.up - here.up) * here.box.height > 5) {
        brush ??= lines.appendChild(Object.assign(document.createElement("div"), { className: "brush" }));
        const [low, high] = [begin.up, here.up].sort((one, other) => one - other).map((up) => Math.min(1.02, Math.max(-.02, up)));
        Object.assign(brush.style, { left: `${100 * begin.axis / (axes.length - 1)}%`, bottom: `${100 * low}%`, height: `${100 * (high - low)}%` });
        return;
      }
      const point = nearest(here);
      heat(point === null ? [] : [point]);
    });
    lines.addEventListener("pointerleave", () => heat([]));
    lines.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const here = spot(event);
      const axis = Math.round(here.across);
      const far = Math.abs(here.across - axis) * here.box.width / (axes.length - 1);
      begin = { up: here.up, axis: far < 24 ? axis : null };
      if (event.pointerType === "mouse") { lines.setPointerCapture(event.pointerId); event.preventDefault(); }
    });
    lines.addEventListener("pointerup", (event) => {
      const here = spot(event);
      if (brush) {
        const [low, high] = [begin.up, here.up].sort((one, other) => one - other);
        const inside = paths.filter(({ places, one }) => !one.classList.contains("faded")
          && places[begin.axis] !== null && places[begin.axis] >= low - .012 && places[begin.axis] <= high + .012);
        picked.clear();
        pick(inside.map(({ point }) => point), true);
      } else if (begin) {
        const point = nearest(here);
        if (point !== null) toggle([point]);
      }
      brush?.remove();
      begin = brush = null;
    });
    lines.addEventListener("pointercancel", () => { brush?.remove(); begin = brush = null; });
  }

  table.addEventListener("filtered", () => {
    if (table.classList.contains("only-picked")) return;
    for (const { one, points } of drawn) {
      one.classList.toggle("faded", points.every((point) => rows.get(point).hidden));
    }
  });
  document.getElementById("only").addEventListener("click", () => only(!table.classList.contains("only-picked")));
  document.getElementById("all-shown").addEventListener("click", () => {
    pick([...rows].filter(([, row]) => !row.hidden).map(([point]) => point), true);
  });
  document.getElementById("none").addEventListener("click", none);
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row?.hidden && table.contains(row)) { only(false); row.scrollIntoView(); }
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") none(); });
}
