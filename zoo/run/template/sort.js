// A click on a heading sorts its column; another click turns it round. Rows without a number go last.
for (const heading of document.querySelectorAll("th")) {
  heading.addEventListener("click", () => {
    const body = heading.closest("table").tBodies[0];
    const column = heading.cellIndex;
    const up = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const numeric = heading.classList.contains("number");
    const key = (row) => {
      const cell = row.cells[column];
      return numeric ? parseFloat(cell.dataset.sort ?? "NaN") : cell.textContent.trim();
    };
    const rows = [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b);
      if (!numeric) return up * x.localeCompare(y);
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return up * (x - y);
    });
    body.append(...rows);
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up === 1 ? "ascending" : "descending");
  });
}
