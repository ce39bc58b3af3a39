// One script, no library. `facts` says what is shown; the attention of an example is unpacked when it is chosen.
// A head is a number: layer * facts.heads + head. A weight is 0..255, where 255 is all of a query's attention.
"use strict";

const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const count = facts.layers.length * facts.heads;
const rows = [...$("table").tBodies[0].rows]; // in the order of heads, whatever the table's order becomes
const LISTED = 7;

let head = 0; // the chosen head
let attention = null; // {n, k, tokens, keys, weights} of the chosen example, [layer, head, query, strongest]
let seen = null; // the chosen head's part: {keys, weights, starts, queries, received}
let token = 0; // the token pointed at
let kept = false; // it was clicked: pointing at others changes nothing

// ---- colours

const WHITE = [255, 255, 255];
const BLUES = [WHITE, [43, 108, 176], [16, 50, 92]];
const ORANGES = [WHITE, [192, 86, 33], [102, 41, 10]];

/** The colour at t in 0..1 of a ramp through `stops`. */
function between(stops, t) {
  const at = Math.min(t, 0.9999) * (stops.length - 1), low = Math.floor(at), part = at - low;
  return stops[low].map((from, channel) => Math.round(from + part * (stops[low + 1][channel] - from)));
}
const blue = (t) => between(BLUES, 0.05 + 0.95 * t); // never as white as the page
const css = (colour) => `rgb(${colour})`;
const ink = ([r, g, b]) => (0.3 * r + 0.59 * g + 0.11 * b > 140 ? "#222222" : "#ffffff");
const strength = (weight) => Math.sqrt(weight / 255); // weak weights still show
const MAP_COLOURS = new Uint32Array(256).map((_, weight) => {
  const [r, g, b] = weight ? between(BLUES, 0.12 + 0.88 * strength(weight)) : WHITE;
  return (255 << 24) | (b << 16) | (g << 8) | r;
});

// ---- words

const PERCENT = "\u00a0%";
const percent = (weight) => `${((100 * weight) / 255).toFixed(weight < 25 ? 1 : 0)}${PERCENT}`;
const layerOf = (head) => facts.layers[Math.floor(head / facts.heads)];
const nameOf = (head) => `${layerOf(head)} · head ${head % facts.heads}`;
const SIGNS = { " ": "␣", "\n": "↵", "\t": "⇥" };
const code = (sign) => SIGNS[sign] ?? `⟨${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

/** A token as it can be seen: what has no ink, or turns the writing round, by its sign or code point. */
function shown(text) {
  if (!text) return "∅";
  const blank = /^[\p{C}\p{Z}]+$/u.test(text);
  return text.replace(blank ? /./gsu : /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, code);
}
const quoted = (at) => {
  const signs = [...shown(attention.tokens[at])];
  return `${at} “${signs.length > 30 ? signs.slice(0, 29).join("") + "…" : signs.join("")}”`;
};

/** A canvas of so many CSS pixels, sharp on any screen; returns what draws on it. */
function sized(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return pen;
}

/** The text, cut in its middle to fit. */
function cut(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  const signs = [...text];
  for (let keep = Math.min(20, signs.length >> 1); keep > 0; keep--) {
    const short = signs.slice(0, keep).join("") + "…" + signs.slice(-keep).join("");
    if (pen.measureText(short).width <= width) return short;
  }
  return "…";
}

// ---- the overview: layers down, heads across

const chosenColumn = () => facts.columns[$("column")?.selectedIndex]; // undefined if the table has no numbers
const overview = { left: 0, top: 22, cell: 20 };

/** What differs between the layers' names: `blocks.0.attn`, `blocks.1.attn` are 0, 1. */
function shortNames(names) {
  if (names.length < 2) return names;
  const common = (a, b) => { let i = 0; while (i < a.length && a[i] === b[i]) i++; return a.slice(0, i); };
  const backwards = (text) => [...text].reverse().join("");
  const start = names.reduce(common).replace(/\d+$/, "").length;
  const rests = names.map((name) => name.slice(start));
  const end = backwards(rests.map(backwards).reduce(common)).replace(/^\d+/, "").length;
  const short = rests.map((rest) => rest.slice(0, rest.length - end));
  return short.every(Boolean) ? short : names;
}
const layerNames = shortNames(facts.layers);

/** For each head where its value lies: t in 0..1, and which ramp. null: no value. */
function shades(column) {
  const values = column.values.filter((value) => value !== null);
  const low = Math.min(...values), high = Math.max(...values);
  const signed = low < 0 && high > 0, reach = Math.max(-low, high);
  const shade = (value) => {
    if (value === null) return null;
    if (signed) return between(value < 0 ? ORANGES : BLUES, Math.abs(value) / reach);
    return blue(high > low ? (value - low) / (high - low) : 0.4);
  };
  return { colours: column.values.map(shade), low, high, signed, reach, empty: !values.length };
}

function drawOverview() {
  const canvas = $("overview"), room = canvas.parentNode.clientWidth;
  let pen = canvas.getContext("2d");
  pen.font = "12px system-ui, sans-serif";
  const widest = Math.max(...layerNames.map((name) => pen.measureText(name).width), pen.measureText("layer").width);
  overview.left = Math.min(Math.ceil(widest), 110) + 8;
  overview.cell = Math.max(6, Math.min(34, Math.floor((room - overview.left - 2) / facts.heads)));
  const { left, top, cell } = overview;
  pen = sized(canvas, left + cell * facts.heads + 2, top + cell * facts.layers.length + 2);
  const column = chosenColumn();
  const colours = column ? shades(column).colours : new Array(count).fill(blue(0));

  const every = Math.ceil(18 / cell); // labels that do not touch
  pen.fillStyle = "#5d6570";
  pen.textAlign = "right";
  pen.fillText("layer", left - 8, 10);
  layerNames.forEach((name, i) => i % every || pen.fillText(cut(pen, name, left - 8), left - 8, top + cell * (i + 0.5)));
  pen.textAlign = "center";
  for (let i = 0; i < facts.heads; i += every) pen.fillText(i, left + cell * (i + 0.5), 10);
  pen.font = `600 ${Math.min(13, cell * 0.6)}px system-ui, sans-serif`;
  for (let i = 0; i < count; i++) {
    const x = left + cell * (i % facts.heads), y = top + cell * Math.floor(i / facts.heads);
    pen.fillStyle = colours[i] ? css(colours[i]) : "#ffffff";
    pen.fillRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
    if (!colours[i]) { // no value: a grey frame, crossed out
      pen.strokeStyle = "#b8b8b8";
      pen.strokeRect(x + 1, y + 1, cell - 2, cell - 2);
      pen.beginPath(); pen.moveTo(x + 1, y + cell - 1); pen.lineTo(x + cell - 1, y + 1); pen.stroke();
    }
    if (cell < 13) continue;
    pen.fillStyle = colours[i] ? ink(colours[i]) : "#222222";
    pen.fillText(facts.letters[facts.roles[i]] ?? "", x + cell / 2, y + cell / 2 + 1);
  }
  const x = left + cell * (head % facts.heads), y = top + cell * Math.floor(head / facts.heads);
  pen.lineWidth = 5; pen.strokeStyle = "#ffffff"; pen.strokeRect(x, y, cell, cell);
  pen.lineWidth = 3; pen.strokeStyle = "#c05621"; pen.strokeRect(x, y, cell, cell);
}

function describeColumn() {
  const column = chosenColumn();
  if (!column) return;
  const { low, high, signed, reach, empty } = shades(column);
  const brief = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
  const stops = signed ? [...ORANGES].reverse().concat(BLUES.slice(1)) : [0, 0.5, 1].map(blue);
  $("low").textContent = empty ? "" : brief(signed ? -reach : low);
  $("high").textContent = empty ? "" : brief(signed ? reach : high);
  $("ramp").style.background = `linear-gradient(90deg, ${stops.map(css)})`;
  $("ramp-caption").textContent = signed
    ? `Blue is a positive “${column.name}”, orange a negative one, white is 0; crossed out: no value.`
    : `The darker, the higher its “${column.name}”, from the lowest to the highest of all heads; crossed out: no value.`;
}

function headAt(event) {
  const { left, top, cell } = overview;
  const across = Math.floor((event.offsetX - left) / cell), down = Math.floor((event.offsetY - top) / cell);
  const inside = across >= 0 && across < facts.heads && down >= 0 && down < facts.layers.length;
  return inside ? down * facts.heads + across : null;
}

function describeHead(at) {
  const column = chosenColumn();
  const role = facts.roles[at] || "no role", value = column?.values[at];
  const number = value == null ? "" : ` · ${column.name} ${Number(value.toPrecision(3))}`.replace("-", "−");
  $("overview-readout").textContent = `${nameOf(at)} · ${role}${number}`;
}

function listRoles() {
  const counts = new Map();
  for (const role of facts.roles) counts.set(role, (counts.get(role) ?? 0) + 1);
  $("roles").append(...[...counts].sort((a, b) => b[1] - a[1]).map(([role, number]) => {
    const item = document.createElement("li"), letter = document.createElement("b"), many = document.createElement("span");
    letter.textContent = facts.letters[role] ?? "\u00a0";
    many.textContent = ` ${number}`;
    item.append(letter, ` ${role || "no role"}`, many);
    return item;
  }));
}

/** Arrow keys move over the heads, and stop at the edges. */
function steer(event) {
  const across = head % facts.heads, H = facts.heads;
  const step = { ArrowLeft: across > 0 && -1, ArrowRight: across < H - 1 && 1, ArrowUp: -H, ArrowDown: H }[event.key];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (step && head + step >= 0 && head + step < count) chooseHead(head + step);
}

// ---- the chosen head

function chooseHead(next) {
  rows[head].classList.remove("current");
  head = next;
  rows[head].classList.add("current");
  const role = facts.roles[head];
  $("head-name").textContent = nameOf(head) + (role ? ` · ${role}` : "");
  const headings = $("table").tHead.rows[0].cells;
  $("head-facts").replaceChildren(...[...rows[head].cells].slice(3).map((cell, i) => {
    const pair = document.createElement("div"), name = document.createElement("dt"), value = document.createElement("dd");
    name.textContent = headings[i + 3].textContent;
    value.textContent = cell.textContent;
    pair.append(name, value);
    return pair;
  }));
  drawOverview();
  describeHead(head);
  readHead();
}

/** Cuts the head's rows out of the example and turns them round: who looks at each key. */
function readHead() {
  if (!attention) return;
  const { n, k } = attention, size = n * k;
  const keys = attention.keys.subarray(head * size, (head + 1) * size);
  const weights = attention.weights.subarray(head * size, (head + 1) * size);
  const starts = new Uint32Array(n + 1); // of each key in `queries`
  let mass = 0;
  for (let i = 0; i < size; i++) if (weights[i]) { starts[keys[i] + 1]++; mass += weights[i]; }
  for (let key = 0; key < n; key++) starts[key + 1] += starts[key];
  const free = starts.slice(), queries = new Uint16Array(starts[n]), received = new Uint8Array(starts[n]);
  for (let i = 0; i < size; i++) {
    if (!weights[i]) continue;
    const at = free[keys[i]]++;
    queries[at] = Math.floor(i / k);
    received[at] = weights[i];
  }
  seen = { keys, weights, starts, queries, received };
  const share = Math.min(100, (100 * mass) / (255 * n)).toFixed(0);
  const held = `in this head and example they hold ${share}${PERCENT} of the attention, the mean over rows. `;
  $("mass").textContent =
    (k < n ? `Only the ${k} strongest keys of each query are kept; ${held}` : "All keys of each query are kept. ") +
    `Weights are rounded to 1/255: less than 0.2${PERCENT} counts as nothing.`;
  describeCell(null);
  drawMap();
  point(token);
}

const looksAt = (query) => {
  const found = [];
  for (let i = query * attention.k; i < (query + 1) * attention.k && seen.weights[i]; i++) {
    found.push([seen.keys[i], seen.weights[i]]);
  }
  return found;
};
const lookedAtBy = (key) => {
  const found = [];
  for (let i = seen.starts[key]; i < seen.starts[key + 1]; i++) found.push([seen.queries[i], seen.received[i]]);
  return found.sort((a, b) => b[1] - a[1]);
};

// ---- the tokens

let spans = [], painted = [];

function writeTokens() {
  const { tokens, n } = attention;
  spans = tokens.map((text, at) => {
    const span = document.createElement("span");
    span.textContent = shown(text);
    span.dataset.at = at;
    return span;
  });
  const letters = tokens.reduce((sum, text) => sum + text.length, 0) / n < 1.5;
  $("tokens").classList.toggle("letters", letters);
  // A place to break the line after each token, without a space that is not there.
  $("tokens").replaceChildren(...spans.flatMap((span) => [span, document.createElement("wbr")]));
  painted = [];
}

/** Shows what a token looks at and what looks at it. */
function point(at) {
  token = at;
  const at_ = looksAt(at), by = lookedAtBy(at);
  for (const i of painted) spans[i].removeAttribute("style");
  for (const span of $("tokens").querySelectorAll(".pointed")) span.className = "";
  for (const [i, weight] of at_) {
    const colour = between(BLUES, 0.12 + 0.5 * strength(weight));
    spans[i].style.background = css(colour);
    spans[i].style.color = ink(colour);
  }
  for (const [i, weight] of by) {
    spans[i].style.boxShadow = `inset 0 -3px rgba(192, 86, 33, ${(0.25 + 0.75 * strength(weight)).toFixed(2)})`;
  }
  painted = [...at_, ...by].map(([i]) => i);
  spans[at].className = kept ? "pointed kept" : "pointed";
  $("token-name").textContent = quoted(at);
  list($("looks-at"), at_, BLUES[1]);
  list($("looked-at-by"), by, ORANGES[1]);
  drawCross();
}

/** The strongest as bars; each leads to its token. */
function list(element, found, colour) {
  const items = found.slice(0, LISTED).map(([at, weight]) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const number = document.createElement("b"), text = document.createElement("span"), place = document.createElement("i");
    number.textContent = percent(weight);
    text.textContent = shown(attention.tokens[at]);
    place.textContent = at;
    button.dataset.at = at;
    const end = `${((100 * weight) / 255).toFixed(1)}%`;
    button.style.background = `linear-gradient(90deg, rgba(${colour}, 0.22) ${end}, transparent ${end})`;
    button.append(number, text, place);
    item.append(button);
    return item;
  });
  const rest = document.createElement("li");
  rest.className = "rest";
  rest.textContent = !found.length ? "nothing that was kept" : found.length > LISTED ? `and ${found.length - LISTED} more` : "";
  element.replaceChildren(...items, rest);
}

/** Keeps a token, or lets go of the one that is kept. */
function keep(at) {
  kept = !(kept && at === token);
  point(at);
}

/** Scrolls the box of tokens, and never the page. */
function reveal(at) {
  const box = $("tokens"), top = spans[at].offsetTop - box.offsetTop;
  if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 30) box.scrollTop = top - box.clientHeight / 2;
}

// ---- the map: queries down, keys across

const MARGIN = 12; // right and below, for labels that stand out
const map = { left: 0, top: 0, side: 0, cells: 0 };

/** Where axis labels stand: every token if there is room, else round positions. */
function ticks(n, room) {
  if (room / n >= 13) return { every: 1, words: true };
  const rough = (n * 45) / room, power = 10 ** Math.floor(Math.log10(rough));
  return { every: [1, 2, 5, 10].find((step) => step * power >= rough) * power, words: false };
}

function drawMap() {
  const { n, k, tokens } = attention, scale = devicePixelRatio || 1;
  const room = Math.max(160, Math.min($("map-box").clientWidth - MARGIN, 620));
  const { every, words } = ticks(n, room - 74);
  map.left = words ? 74 : 40;
  map.top = words ? 74 : 28;
  const pixels = Math.floor((room - map.left) * scale); // of the screen, along one side
  map.cells = Math.min(n, pixels);
  const whole = Math.floor(pixels / n);
  map.side = (whole >= 1 && (whole >= 4 || whole * n > 0.85 * pixels) ? Math.min(whole * n, 40 * n * scale) : pixels) / scale;

  const cells = map.cells, strongest = new Uint8Array(cells * cells);
  for (let query = 0, i = 0; query < n; query++) {
    const row = Math.floor((query * cells) / n) * cells;
    for (let end = i + k; i < end; i++) {
      const cell = row + Math.floor((seen.keys[i] * cells) / n);
      if (seen.weights[i] > strongest[cell]) strongest[cell] = seen.weights[i];
    }
  }
  const image = new ImageData(cells, cells), colours = new Uint32Array(image.data.buffer);
  for (let cell = 0; cell < strongest.length; cell++) colours[cell] = MAP_COLOURS[strongest[cell]];
  const small = document.createElement("canvas");
  small.width = small.height = cells;
  small.getContext("2d").putImageData(image, 0, 0);

  const pen = sized($("map"), map.left + map.side + MARGIN, map.top + map.side + MARGIN);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, map.left, map.top, map.side, map.side);
  pen.strokeStyle = "#b8b8b8";
  pen.lineWidth = 1;
  pen.strokeRect(map.left - 0.5, map.top - 0.5, map.side + 1, map.side + 1);
  pen.fillStyle = "#5d6570";
  const unit = map.side / n;
  for (let at = 0; at < n; at += every) {
    const middle = (at + 0.5) * unit;
    const text = words ? cut(pen, shown(tokens[at]), 58) : String(at);
    pen.textAlign = "right";
    pen.fillText(text, map.left - 10, map.top + middle);
    pen.save();
    pen.translate(map.left + middle, map.top - 10);
    if (words) pen.rotate(-Math.PI / 2);
    pen.textAlign = words ? "left" : "center";
    pen.fillText(text, 0, words ? 0 : -6);
    pen.restore();
  }
  $("binned").textContent = cells < n
    ? `Here ${n} tokens share ${cells} pixels a side; a pixel shows the strongest weight in it.` : "";
}

/** The lines over the map: the chosen token's row and column. */
function drawCross() {
  const { left, top, side } = map, unit = side / attention.n, start = token * unit;
  const pen = sized($("cross"), left + side + MARGIN, top + side + MARGIN);
  for (const [colour, across] of [[BLUES[1], true], [ORANGES[1], false]]) {
    const [x, y, length] = across ? [left, top + start, side] : [left + start, top, side];
    pen.strokeStyle = css(colour);
    pen.fillStyle = `rgba(${colour}, 0.4)`; // thin rows stay legible under their line
    if (unit >= 5) pen.strokeRect(x - 0.5, y - 0.5, across ? length + 1 : unit + 1, across ? unit + 1 : length + 1);
    else pen.fillRect(x, y, across ? length : Math.max(unit, 1), across ? Math.max(unit, 1) : length);
    pen.fillStyle = css(colour); // a wedge in the margin points at it
    const middle = start + unit / 2;
    pen.beginPath();
    for (const [out, along] of [[1, 0], [7, -4], [7, 4]]) {
      if (across) pen.lineTo(left - out, top + middle + along);
      else pen.lineTo(left + middle + along, top - out);
    }
    pen.fill();
  }
}

/** The query and the key under the pointer; of several under one pixel, those with the strongest weight. */
function cellAt(event) {
  const { n, k } = attention, { left, top, side, cells } = map;
  const across = Math.floor(((event.offsetX - left) / side) * cells), down = Math.floor(((event.offsetY - top) / side) * cells);
  if (across < 0 || down < 0 || across >= cells || down >= cells) return null;
  const first = (cell) => Math.ceil((cell * n) / cells);
  let found = { query: first(down), key: first(across), weight: 0 };
  for (let query = first(down); query < first(down + 1); query++) {
    for (let i = query * k; i < (query + 1) * k; i++) {
      const key = seen.keys[i], weight = seen.weights[i];
      if (weight > found.weight && key >= first(across) && key < first(across + 1)) found = { query, key, weight };
    }
  }
  return found;
}

function describeCell(cell) {
  const { n, k } = attention;
  $("map-readout").textContent = !cell ? "Point at the map to read a weight; click to keep the token that looks."
    : `${quoted(cell.query)} looks at ${quoted(cell.key)}: ` +
      (cell.weight ? percent(cell.weight) : `less than 0.2${PERCENT}` + (k < n ? `, or not among the ${k} kept` : ""));
}

// ---- the example

async function unpacked(id) {
  const text = atob($(id).textContent), packed = new Uint8Array(text.length);
  for (let i = 0; i < packed.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function complain(sentence) {
  $("problem").textContent = sentence;
  $("problem").hidden = !sentence;
  $("reading").hidden = Boolean(sentence);
}

let wanted = 0;

async function chooseExample(index) {
  if (typeof DecompressionStream === "undefined") {
    complain("This browser is too old to unpack the attention (it has no DecompressionStream): the overview and the " +
      "table work, tokens and map need Chrome or Edge 80, Firefox 113 or Safari 16.4.");
    return;
  }
  wanted = index;
  const { tokens, k } = facts.examples[index], n = tokens.length;
  try {
    const [keys, weights] = await Promise.all([unpacked(`keys-${index}`), unpacked(`weights-${index}`)]);
    if (wanted !== index) return; // another was chosen meanwhile
    attention = { n, k, tokens, keys: new Uint16Array(keys), weights: new Uint8Array(weights) };
  } catch (error) {
    complain(`The attention of this example could not be unpacked; the file may be cut short. (${error})`);
    return;
  }
  complain("");
  $("example-facts").textContent = `${n} tokens`;
  token = Math.min(Math.floor(n / 2), 20); // in sight
  kept = false;
  writeTokens();
  readHead();
}

// ---- the table

/** A click on a heading sorts, by number where all cells are numbers; another turns round. Heads without a value go last. */
function sortBy(heading) {
  const column = heading.cellIndex, turned = heading.getAttribute("aria-sort") === "ascending", up = turned ? -1 : 1;
  const values = facts.columns.find(({ name }) => name === heading.dataset.name)?.values;
  const layer = (i) => Math.floor(i / facts.heads), order = rows.map((_, i) => i);
  const key = column === 0 ? layer : column === 1 ? (i) => i % facts.heads : values ? (i) => values[i] : null;
  const text = (i) => rows[i].cells[column].textContent;
  order.sort((a, b) => {
    if (!key) return up * text(a).localeCompare(text(b)) || a - b;
    const x = key(a), y = key(b);
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    return up * (x - y) || a - b;
  });
  $("table").tBodies[0].append(...order.map((i) => rows[i]));
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", turned ? "descending" : "ascending");
}

// ---- what a person does

$("column")?.addEventListener("change", () => { drawOverview(); describeColumn(); describeHead(head); });
$("overview").addEventListener("pointermove", (event) => describeHead(headAt(event) ?? head));
$("overview").addEventListener("pointerleave", () => describeHead(head));
$("overview").addEventListener("click", (event) => chooseHead(headAt(event) ?? head));
$("overview").addEventListener("keydown", steer);
$("table").addEventListener("click", (event) => {
  const heading = event.target.closest("th"), row = event.target.closest("tr[data-head]");
  if (heading) sortBy(heading);
  if (row) chooseHead(Number(row.dataset.head));
});

if (facts.examples.length) {
  const tokenOf = (event) => (attention && event.target.dataset.at ? Number(event.target.dataset.at) : null);
  $("example").addEventListener("change", (event) => chooseExample(Number(event.target.value)));
  $("tokens").addEventListener("pointerover", (event) => {
    const at = tokenOf(event);
    if (at !== null && at !== token && !kept) point(at);
  });
  $("tokens").addEventListener("click", (event) => {
    const at = tokenOf(event);
    if (at !== null) keep(at);
  });
  $("tokens").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], next = token + step;
    if (!attention || !step) return;
    event.preventDefault();
    if (next < 0 || next >= attention.n) return;
    kept = true;
    point(next);
    reveal(next);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !attention) return;
    kept = false;
    point(token);
  });
  for (const id of ["looks-at", "looked-at-by"]) {
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      kept = true;
      point(Number(button.dataset.at));
      reveal(token);
    });
  }
  $("cross").addEventListener("keydown", steer);
  $("cross").addEventListener("pointermove", (event) => attention && describeCell(cellAt(event)));
  $("cross").addEventListener("pointerleave", () => attention && describeCell(null));
  $("cross").addEventListener("click", (event) => {
    const cell = attention && cellAt(event);
    if (!cell) return;
    kept = true;
    point(cell.query);
    reveal(token);
  });
}

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return; // a phone's address bar came or went
  width = innerWidth;
  drawOverview();
  if (attention) { drawMap(); drawCross(); }
});

listRoles();
describeColumn();
chooseHead(0);
if (facts.examples.length) chooseExample(0);
$("overview").focus({ preventScroll: true });
