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
