
// The map: filters in the address, order of the regions, arrow keys, sheets of paper.
root.classList.add("js");
const map = document.querySelector(".matrix");
const whole = map?.querySelector("table");
const form = document.querySelector(".filters");

const rowsOf = (table) => [...table.rows].filter((row) => !row.classList.contains("theme"));
const heads = () => [...whole.querySelectorAll("thead [data-size]")];
const isCell = "td:not(.pooled, .line)";

const startMap = () => {
  const rows = rowsOf(whole);
  const given = heads();
  const first = rows[0].cells.length - given.length; // cells before the regions
  const columns = given.map((head, i) => ({
    head,
    name: head.textContent.trim(),
    size: Number(head.dataset.size),
    supported: rows.filter((row) => row.cells[first + i]?.classList.contains("s")).length,
    cells: rows.map((row) => row.cells[first + i]),
    number: i,
  }));
  const orders = {
    "": (a, b) => a.number - b.number,
    name: (a, b) => a.name.localeCompare(b.name),
    size: (a, b) => b.size - a.size || a.number - b.number,
    supported: (a, b) => b.supported - a.supported || a.number - b.number,
  };
  let order = "";

  const apply = () => {
    const wanted = Object.fromEntries(new FormData(form));
    if (wanted.order !== order) {
      order = wanted.order;
      const sorted = columns.toSorted(orders[order]);
      rows.forEach((row, i) => row.append(...sorted.map((column) => column.cells[i])));
    }
    const [region, text] = [wanted.region, wanted.text].map((each) => each.trim().toLowerCase());
    const open = columns.filter((column) => column.name.toLowerCase().includes(region));
    for (const column of columns) {
      const isOpen = open.includes(column);
      if (isOpen === column.head.hidden) column.cells.forEach((cell) => (cell.hidden = !isOpen));
    }
    let claims = 0;
    for (const body of whole.tBodies) {
      for (const row of rowsOf(body)) {
        const place = rows.indexOf(row);
        const own = open.map((column) => column.cells[place]);
        const fits =
          (!wanted.theme || body.dataset.theme === wanted.theme) &&
          row.cells[0].textContent.toLowerCase().includes(text) &&
          (!wanted.verdict || own.some((cell) => cell.classList.contains(wanted.verdict)));
        row.hidden = !fits;
        claims += fits && Boolean(row.id);
        own.forEach((cell) => cell.classList.toggle("off", Boolean(wanted.verdict) && !cell.classList.contains(wanted.verdict)));
      }
      body.hidden = [...body.rows].every((row) => row.hidden || row.classList.contains("theme"));
    }
    const said = form.querySelector("output");
    const shown = claims && open.length ? said.dataset.shown : said.dataset.none;
    said.value = shown.replace("{claims}", claims).replace("{regions}", open.length);
  };

  const fill = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) if (field.name) field.value = asked.get(field.name) ?? "";
    apply();
  };
  const changed = () => {
    apply();
    const set = [...new FormData(form)].filter(([, value]) => value);
    history.replaceState(null, "", set.length ? `#${new URLSearchParams(set)}` : "#");
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(changed));
  addEventListener("hashchange", () => location.hash.includes("=") && fill());
  if (location.hash.includes("=")) fill();

  const readout = document.getElementById("readout");
  const isCompact = map.classList.contains("compact");
  const words = (cell) => {
    const before = getComputedStyle(cell.querySelector("i"), "::before").content;
    const [symbol, ...rest] = cell.textContent.trim();
    return `${symbol} ${before.startsWith('"') ? before.slice(1, -1) : ""}${rest.join("")}`;
  };
  const tell = (event) => {
    const cell = event.target.closest?.(isCell);
    if (!cell || !isCompact) return (readout.textContent = "");
    const head = rows[0].cells[cell.cellIndex].textContent.trim();
    const [id, title] = [...cell.parentNode.cells[0].childNodes].map((node) => node.textContent);
    readout.textContent = `${head} · ${id}${title ?? ""}: ${words(cell)}`;
  };
  map.addEventListener("pointerover", tell);
  map.addEventListener("focusin", tell);
  map.addEventListener("pointerleave", () => (readout.textContent = ""));
  map.addEventListener("focusout", () => (readout.textContent = ""));

  // One stop of the tabulator for the whole map; from there on the arrow keys go.
  let stop = null;
  const stay = (link) => {
    if (stop) stop.tabIndex = -1;
    else whole.querySelectorAll(`${isCell} > a`).forEach((each) => (each.tabIndex = -1));
    stop = link;
    stop.tabIndex = 0;
  };
  map.addEventListener("focusin", (event) => event.target.closest(isCell) && stay(event.target));
  map.addEventListener("click", (event) => event.target.matches(isCell) && event.target.querySelector("a")?.click());
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  map.addEventListener("keydown", (event) => {
    const cell = document.activeElement.closest(isCell);
    const step = steps[event.key];
    if (!cell || !step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    let [row, column] = [rows.indexOf(cell.parentNode), cell.cellIndex];
    for (;;) {
      row += step[0];
      column += step[1];
      const next = rows[row]?.cells[column];
      if (!next) return;
      const link = next.offsetParent && next.matches(isCell) && next.querySelector("a");
      if (!link) continue;
      link.focus({ preventScroll: true });
      return next.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  });
};

// Paper does not scroll: the regions that are shown are cut into sheets, each with all heads.
const cut = () => {
  const most = Number(map.dataset.most);
  const shown = heads().filter((cell) => !cell.hidden).map((cell) => cell.cellIndex);
  if (shown.length <= most) return;
  root.classList.add("has-sheets");
  const sheets = Math.ceil(shown.length / most);
  for (let sheet = 0; sheet < sheets; sheet++) {
    const own = new Set(shown.slice(sheet * most, (sheet + 1) * most));
    const table = whole.cloneNode(true);
    table.classList.remove("whole");
    table.querySelectorAll("[id]").forEach((each) => each.removeAttribute("id"));
    for (const row of rowsOf(table)) {
      [...row.cells].forEach((cell, i) => (cell.matches(isCell) || cell.dataset.size) && !own.has(i) && cell.remove());
    }
    table.querySelectorAll("[colspan]").forEach((each) => (each.colSpan = own.size + 1));
    const names = [...own].map((i) => whole.rows[0].cells[i].textContent.trim());
    const facts = { sheet: sheet + 1, sheets, first: names[0], last: names.at(-1) };
    const box = document.createElement("section");
    box.className = "sheet";
    const head = document.createElement("h3");
    head.textContent = map.dataset.sheet.replace(/\{(\w+)\}/g, (_, name) => facts[name]);
    box.append(head, table);
    map.append(box);
  }
};
const join = () => {
  root.classList.remove("has-sheets");
  map.querySelectorAll(".sheet").forEach((each) => each.remove());
};

if (whole) {
  startMap();
  // What cells say is laid out for screen readers when there is time: it is thousands of texts.
  addEventListener("load", () => (window.requestIdleCallback ?? setTimeout)(() => root.classList.add("read")));
  addEventListener("beforeprint", cut);
  addEventListener("afterprint", join);
}
