"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent);
const agents = [...document.querySelectorAll(".agent")];
const links = [...document.querySelectorAll(".link")];
const measure = document.getElementById("measure"), head = document.getElementById("head");
let chosen = 0;

for (const [value, text] of [["mean", "all heads"], ...facts.heads.map((name, i) => [String(i), name])]) {
  const option = document.createElement("option");
  option.value = value;
  option.textContent = text;
  head.append(option);
}

function strength(link) {
  if (head.value !== "mean") return facts.attention[Number(head.value)][link];
  return facts.attention.reduce((sum, row) => sum + row[link], 0) / facts.attention.length;
}

function draw() {
  const acts = facts.acts[measure.value][chosen];
  const most = Math.max(1e-12, ...acts.map(([, value]) => Math.abs(value)));
  const shade = new Map(acts.map(([agent, value]) => [agent, Math.abs(value) / most]));
  agents.forEach((mark, i) => {
    mark.classList.toggle("chosen", i === chosen);
    mark.querySelector("circle").style.fill = `rgba(192, 86, 33, ${shade.get(i) ?? 0})`;
  });
  const weights = links.map((_, i) => strength(i)), top = Math.max(1e-12, ...weights);
  links.forEach((mark, i) => {
    const [supplier, buyer] = facts.links[i];
    const near = (buyer === chosen || shade.has(buyer)) && shade.has(supplier);
    mark.style.strokeWidth = 0.4 + 3.6 * weights[i] / top;
    mark.style.opacity = near ? 0.85 : 0.12;
  });
  document.getElementById("chosen").textContent = facts.names[chosen];
  const rows = acts.slice(0, 15).map(([agent, value]) => {
    const row = document.createElement("tr");
    for (const text of [facts.names[agent], value.toFixed(3)]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  });
  document.getElementById("actors").replaceChildren(...rows);
}

agents.forEach((mark, i) => {
  mark.addEventListener("click", () => { chosen = i; draw(); });
  mark.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); chosen = i; draw(); }
  });
});
measure.addEventListener("change", draw);
head.addEventListener("change", draw);
document.querySelector("svg").classList.toggle("crowded", agents.length > 60);
chosen = facts.acts.gradient.reduce((best, acts, i, all) => acts.length > all[best].length ? i : best, 0);
draw();
