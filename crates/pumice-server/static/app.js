// What the pages do beyond HTML: theme, keys, the live log, the live check of a submission.
"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Theme: as the system, or as chosen.
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
function switchTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
}

// Times: as the reader's clock says; in tables how long ago, when that is a day or less. The exact time stands on hover.
const SINCE = new Intl.RelativeTimeFormat([], { numeric: "auto", style: "short" });
function ago(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  if (Math.abs(seconds) < 60) return SINCE.format(seconds, "second");
  if (Math.abs(seconds) < 3600) return SINCE.format(Math.round(seconds / 60), "minute");
  return Math.abs(seconds) <= 86400 ? SINCE.format(Math.round(seconds / 3600), "hour") : null;
}
function showTimes() {
  for (const time of all("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title = time.dateTime;
    time.textContent = (time.closest("td") && ago(at)) || at.toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
  }
}

// Keys: g then a letter goes somewhere; / searches; j and k walk through a table.
const places = { h: "/", j: "/scheduler/alljobs", q: "/scheduler/queue", d: "/scheduler/alldevices", w: "/scheduler/allworkers",
  t: "/scheduler/device_types", s: "/scheduler/jobsubmit", r: "/results/", m: "/me/" };
let after = null;
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  if (after === "g" && places[event.key]) { location.href = places[event.key]; after = null; return; }
  after = event.key === "g" ? "g" : null;
  if (event.key === "/") { const box = one("main input[type=search]"); if (box) { box.focus(); event.preventDefault(); } }
  if (event.key === "?") { const help = one("#keys"); if (help) help.showModal(); }
  if (event.key === "T") switchTheme();
  if (event.key === "j" || event.key === "k") {
    const links = all("main tbody tr a:first-of-type");
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = Math.max(0, Math.min(links.length - 1, at + (event.key === "j" ? 1 : -1)));
    links[next].focus();
  }
}

// The live check of a definition.
function checkDefinition(text) {
  const list = one("#mistakes");
  let timer = null, asked = 0;
  const show = (found) => {
    list.replaceChildren(...found.map((mistake) => {
      const item = document.createElement("li");
      item.className = mistake.severity;
      const place = mistake.line ? mistake.line + ":" + mistake.column + " " : "";
      item.textContent = place + mistake.message + (mistake.help ? " — " + mistake.help : "");
      if (mistake.line) {
        item.style.cursor = "pointer";
        item.addEventListener("click", () => {
          const start = text.value.split("\n").slice(0, mistake.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
          text.focus();
          text.setSelectionRange(start + mistake.column - 1, start + mistake.column - 1);
        });
      }
      return item;
    }));
    one("#verdict").textContent = found.some((m) => m.severity === "error") ? "It would be refused."
      : text.value.trim() ? "It would be accepted." : "";
  };
  const check = async () => {
    const number = ++asked;
    const answer = await fetch("/scheduler/jobsubmit/check", { method: "POST", body: text.value,
      headers: { "Content-Type": "text/plain", "X-Requested-With": "pumice" } });
    if (answer.ok && number === asked) show(await answer.json());
  };
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 250); });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
  });
  check();
}

document.addEventListener("keydown", onKey);
document.addEventListener("DOMContentLoaded", () => {
  showTimes();
  setInterval(showTimes, 30000);
  const theme = one("#theme");
  if (theme) theme.addEventListener("click", switchTheme);
  const definition = one("textarea[data-check]");
  if (definition) checkDefinition(definition);
  for (const form of all("form[data-ask]")) {
    form.addEventListener("submit", (event) => { if (!confirm(form.dataset.ask)) event.preventDefault(); });
  }
});
