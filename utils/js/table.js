// Sorting and filtering of the one table of a report page: buttons in the head, a search box and a choice above it.
(() => {
  "use strict";
  const table = document.querySelector("table.rows");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const textOf = (row) => [...row.querySelectorAll(".find")].map((cell) => cell.textContent).join(" ");
  const words = rows.map((row) => textOf(row).toLowerCase());
  const search = document.getElementById("search");
  const choice = document.getElementById("choice");
  const shown = document.getElementById("shown");

  function sort(head, column, direction) {
    const sign = direction === "ascending" ? 1 : -1;
    const value = (row) => row.cells[column].dataset.v;
    const numeric = head.dataset.kind !== "name";
    const order = (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
    const sorted = [...rows].sort((a, b) => {
      if (!value(a) || !value(b)) return Boolean(value(b)) - Boolean(value(a));
      return sign * order(value(a), value(b));
    });
    table.tBodies[0].append(...sorted);
    heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", direction);
  }

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, i) => {
      const kinds = (row.dataset.kinds || "").split(" ");
      const chosen = !choice.value || kinds.includes(choice.value);
      const good = chosen && wanted.every((word) => words[i].includes(word));
      row.hidden = !good;
      count += good;
    });
    shown.textContent = `${count} of ${rows.length} shown`;
  }

  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    const first = head.dataset.first;
    const other = first === "ascending" ? "descending" : "ascending";
    const next = () => (head.getAttribute("aria-sort") === first ? other : first);
    button.addEventListener("click", () => sort(head, column, next()));
  });
  search.addEventListener("input", filter);
  choice.addEventListener("change", filter);
  filter();
})();
