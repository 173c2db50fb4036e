
"use strict";

/* Sortable tables: the head's cells become buttons; without this script they are plain. */
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    const raw = cell.dataset.key ?? cell.textContent;
    const empty = raw.trim() === "" || raw === "–" || raw === "nan";
    return { raw, empty, number: empty ? NaN : Number(raw) };
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => {
        if (a.empty || b.empty) return a.empty - b.empty; /* what is missing stays last */
        const numeric = !Number.isNaN(a.number) && !Number.isNaN(b.number);
        return sign * (numeric ? a.number - b.number : a.raw.localeCompare(b.raw));
      });
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      body.append(...rows.map(([, row]) => row));
    });
  });
}

/* Hover values: the mark nearest to the pointer, if it is near, gets a ring and its label. */
for (const card of document.querySelectorAll("[data-marks]")) {
  const marks = JSON.parse(card.dataset.marks);
  const image = card.querySelector("img");
  const ring = document.createElement("div");
  const tip = document.createElement("div");
  ring.className = "ring";
  tip.className = "tip";
  ring.hidden = tip.hidden = true;
  card.append(ring, tip);
  const show = (event) => {
    const box = image.getBoundingClientRect();
    let nearest = null;
    let least = 28;
    for (const [x, y, label] of marks) {
      const distance = Math.hypot(
        event.clientX - box.left - x * box.width,
        event.clientY - box.top - y * box.height,
      );
      if (distance < least) [least, nearest] = [distance, [x, y, label]];
    }
    ring.hidden = tip.hidden = nearest === null;
    if (nearest === null) return;
    const left = image.offsetLeft + nearest[0] * box.width;
    const top = image.offsetTop + nearest[1] * box.height;
    ring.style.left = `${left}px`;
    ring.style.top = `${top}px`;
    tip.textContent = nearest[2];
    const right = Math.max(card.clientWidth, image.offsetLeft + image.offsetWidth);
    tip.style.left = `${Math.max(0, Math.min(left + 12, right - tip.offsetWidth))}px`;
    tip.style.top = `${top > 40 ? top - 36 : top + 14}px`;
  };
  card.addEventListener("pointermove", show);
  card.addEventListener("pointerdown", show);
  card.addEventListener("pointerleave", () => {
    ring.hidden = tip.hidden = true;
  });
}
