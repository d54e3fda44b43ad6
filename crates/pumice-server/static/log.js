// The live log of a job: levels, folding by action, search, failures.
"use strict";

(() => {
  const box = document.querySelector(".log[data-stream]");
  if (!box) return;
  const one = (selector) => document.querySelector(selector);
  const LEVELS = ["debug", "info", "warning", "error", "input", "target", "feedback", "results"];
  // Colours and cursor moves of a terminal (ECMA-48): they say nothing here.
  const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_]|\][^\x07]*(?:\x07|$))/g;
  const kept = (name, absent) => { try { return JSON.parse(localStorage.getItem(name)) ?? absent; } catch { return absent; } };
  const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));

  one(".levels").hidden = false;

  // Levels: a button for each.
  const hidden = new Set(kept("hidden-levels", []));
  for (const level of LEVELS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = level;
    const apply = () => {
      box.classList.toggle("no-" + level, hidden.has(level));
      button.setAttribute("aria-pressed", String(!hidden.has(level)));
    };
    button.addEventListener("click", () => {
      hidden.has(level) ? hidden.delete(level) : hidden.add(level);
      keep("hidden-levels", [...hidden]);
      apply();
    });
    apply();
    one("#levels").append(button);
  }

  const times = one("#times");
  times.checked = kept("log-times", true);
  const showTimes = () => box.classList.toggle("no-times", !times.checked);
  times.addEventListener("change", () => { keep("log-times", times.checked); showTimes(); });
  showTimes();

  // Lines stand in chunks, which the browser leaves out while they are out of sight; chunks in the action they belong to.
  const follow = one("#follow");
  const lines = [];
  let place = box, chunk = null, step = null, seen = Number(box.dataset.first || 0);
  const wanted = location.hash.match(/^#L(\d+)$/);
  if (wanted && Number(wanted[1]) < seen) { location.replace("?whole=yes" + location.hash); return; }
  let jumped = !wanted;

  const begin = (name) => {
    step = document.createElement("details");
    step.className = "step";
    step.open = true;
    const summary = document.createElement("summary");
    const title = document.createElement("b");
    title.textContent = name;
    const took = document.createElement("span");
    took.className = "took";
    summary.append(title, took);
    step.append(summary);
    box.append(step);
    place = step;
    chunk = null;
  };
  const end = (duration) => {
    if (step && duration) step.querySelector(".took").textContent = duration;
    step = null;
    place = box;
    chunk = null;
  };

  const append = (entries) => {
    for (const [number, time, level, raw, failed] of entries) {
      if (number < seen) continue;
      seen = number + 1;
      const text = raw.replace(ESCAPES, "");
      // What the runner says of its main actions: `start: 2 boot-image-retry (timeout …)`, `end: 2 boot-image-retry (duration 00:00:12)`.
      const started = level !== "target" && text.match(/^start: (\d+) (\S+)/);
      if (started) begin(started[1] + " " + started[2]);
      if (!chunk || chunk.childElementCount >= 500) {
        chunk = document.createElement("div");
        chunk.className = "chunk";
        place.append(chunk);
      }
      const line = document.createElement("div");
      line.className = "l " + level + (failed ? " failed" : "");
      line.id = "L" + number;
      const anchor = document.createElement("a");
      anchor.className = "n"; anchor.href = "#L" + number; anchor.textContent = number;
      const at = document.createElement("span");
      at.className = "t"; at.textContent = time;
      const message = document.createElement("span");
      message.className = "m"; message.textContent = text;
      line.append(anchor, at, message);
      chunk.append(line);
      lines.push(line);
      if (step && (failed || level === "error" || level === "exception")) step.classList.add("failed");
      const ended = level !== "target" && text.match(/^end: (\d+) \S+(?: \(duration ([^)]+)\))?/);
      if (ended) end(ended[2]);
    }
    if (!jumped && seen > Number(wanted[1])) {
      jumped = true;
      show(one(location.hash));
    } else if (follow.checked) {
      scrollTo(0, document.body.scrollHeight);
    }
  };

  const show = (line) => {
    if (!line) return;
    const around = line.closest("details");
    if (around) around.open = true;
    for (const old of box.querySelectorAll(".marked")) old.classList.remove("marked");
    line.classList.add("marked");
    line.scrollIntoView({ block: "center" });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#L"]');
    if (link && link.hash === location.hash) show(one(link.hash));
  });
  addEventListener("hashchange", () => { if (/^#L\d+$/.test(location.hash)) { follow.checked = false; show(one(location.hash)); } });

  // Search: every line with the text is marked; Enter walks through them.
  const find = one("#find"), found = one("#found");
  let matches = [], at = -1;
  const search = () => {
    for (const line of matches) line.classList.remove("match");
    const text = find.value.toLowerCase();
    matches = text ? lines.filter((line) => line.lastChild.textContent.toLowerCase().includes(text)) : [];
    for (const line of matches) line.classList.add("match");
    at = -1;
    found.textContent = text ? matches.length + " found" : "";
  };
  const walk = (by) => {
    if (!matches.length) return;
    follow.checked = false;
    at = (at + by + matches.length) % matches.length;
    found.textContent = at + 1 + " of " + matches.length;
    show(matches[at]);
  };
  let timer = null;
  find.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 150); });
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); if (!matches.length) search(); walk(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { find.value = ""; search(); find.blur(); }
  });

  const allFailures = () => lines.filter((line) => line.matches(".failed, .error, .exception"));
  const nextFailure = () => {
    const failures = allFailures();
    if (!failures.length) { found.textContent = "no failure"; return; }
    follow.checked = false;
    const current = lines.indexOf(box.querySelector(".marked"));
    show(failures.find((line) => lines.indexOf(line) > current) || failures[0]);
  };
  one("#next-failure").addEventListener("click", nextFailure);

  const fold = one("#fold");
  const steps = () => [...box.querySelectorAll("details.step")];
  const nameFold = () => { fold.textContent = steps().some((step) => step.open) ? "Fold all" : "Unfold all"; };
  fold.addEventListener("click", () => {
    const open = steps().some((step) => step.open);
    for (const step of steps()) step.open = !open;
    nameFold();
  });

  // What went well is folded away in a job that failed, so that what did not is in sight.
  const foldWhatWentWell = () => {
    if (!("failed" in box.dataset) || wanted || !steps().some((step) => step.classList.contains("failed"))) return;
    for (const step of steps()) step.open = step.classList.contains("failed");
    nameFold();
  };

  // The cause leads to the last line that says what the evidence says, or to the first failure.
  const leadToEvidence = () => {
    const where = one("#where"), evidence = one("#evidence");
    if (!where) return;
    const said = evidence ? evidence.textContent.trim().split("\n").pop().trim() : "";
    const line = (said && lines.findLast((line) => line.lastChild.textContent.includes(said))) || allFailures()[0];
    if (!line) return;
    where.href = "#" + line.id;
    where.textContent = "line " + line.id.slice(1) + " of the log";
    where.hidden = false;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key === "f") nextFailure();
    if (event.key === "n") walk(1);
    if (event.key === "N") walk(-1);
    if (event.key === "e") scrollTo(0, document.body.scrollHeight);
  });

  const stream = new EventSource(box.dataset.stream);
  const answered = () => box.removeAttribute("aria-busy");
  stream.addEventListener("lines", (event) => { append(JSON.parse(event.data)); answered(); });
  stream.addEventListener("state", (event) => {
    if ("live" in box.dataset) answered();
    const said = JSON.parse(event.data);
    const badge = one("#state");
    if (badge && badge.textContent !== said.word) {
      badge.textContent = said.word;
      badge.className = "badge " + said.word.toLowerCase();
    }
  });
  stream.addEventListener("end", () => {
    answered();
    stream.close();
    foldWhatWentWell();
    leadToEvidence();
    if (find.value) search();
    if ("live" in box.dataset) location.reload();
  });
})();
