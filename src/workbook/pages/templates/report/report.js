"use strict";
const root = document.documentElement;
const button = (id, action) => document.getElementById(id)?.addEventListener("click", action);

// A page opened from a folder may be refused its storage: then the choice is not kept.
const stored = (value) => {
  try {
    if (value) localStorage.setItem("workbook-theme", value);
    return localStorage.getItem("workbook-theme");
  } catch {
    return null;
  }
};

const setTheme = (theme) => {
  if (theme === "light" || theme === "dark") root.style.colorScheme = theme;
};

const isDark = () =>
  (root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

setTheme(stored());
document.querySelector(".buttons").hidden = false;

button("theme", () => {
  const theme = isDark() ? "light" : "dark";
  setTheme(theme);
  stored(theme);
});
button("print", () => window.print());
button("show-code", (event) => {
  const open = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(open));
  document.querySelectorAll("details.code:not(.formula)").forEach((each) => (each.open = open));
});

// Of a file that was opened from a folder the clipboard may be out of reach.
button("copy", async (event) => {
  const own = event.currentTarget;
  const before = own.textContent;
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    const box = document.body.appendChild(document.createElement("textarea"));
    box.value = location.href;
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  own.textContent = own.dataset.done;
  setTimeout(() => (own.textContent = before), 2000);
});

// Figures and tables of a claim's page can be taken along; nothing is fetched for it.
const texts = document.querySelector("main[data-name]")?.dataset;

const save = (name, content) => {
  const link = document.createElement("a");
  link.href = typeof content === "string" ? content : URL.createObjectURL(content);
  link.download = name;
  link.click();
};

const inflated = async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Blob([await new Response(stream).arrayBuffer()], { type: "image/svg+xml" });
};

// A spreadsheet must not take a text for a formula; a number keeps its sign.
const field = (cell) => {
  const text = cell.textContent.trim().replace(/\s+/g, " ").replaceAll("−", "-");
  const safe = /^[=+@\-]/.test(text) && !/^[+-]?[\d.,]+( ?%)?$/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
};

const asCsv = (table) => {
  const rows = [...table.rows].map((row) => [...row.cells].map(field).join(","));
  return new Blob([`\ufeff${rows.join("\r\n")}\r\n`], { type: "text/csv" });
};

const offer = (target, kind, name, make) => {
  let line = target.nextElementSibling;
  if (!line?.classList.contains("downloads")) {
    line = document.createElement("p");
    line.className = "downloads";
    target.after(line);
  }
  const own = document.createElement("button");
  own.type = "button";
  own.textContent = `${texts.download}: ${texts[kind]}`;
  own.setAttribute("aria-label", `${own.textContent}, ${name}`);
  own.addEventListener("click", async () => save(`${texts.name}-${name}.${kind}`, await make()));
  line.append(own, " ");
};

if (texts) {
  document.querySelectorAll("main figure").forEach((figure, i) => {
    const image = figure.querySelector("img");
    if (image) offer(figure, "png", i + 1, () => image.src);
    if (figure.dataset.svg && window.DecompressionStream) {
      offer(figure, "svg", i + 1, () => inflated(figure.dataset.svg));
    }
  });
  document.querySelectorAll("main table").forEach((table, i) => {
    offer(table.closest(".table, .checks") ?? table, "csv", `table-${i + 1}`, () => asCsv(table));
  });
}
