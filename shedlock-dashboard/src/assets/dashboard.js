// Makes a page that is complete without this script pleasant: it replaces what is old, and listens to keys.
"use strict";

const byId = (id) => document.getElementById(id);
const live = byId("live");
const pauseButton = byId("pause");
const help = byId("help");
const filter = byId("filter");
const box = byId("q");

let events = null;
let paused = false;
let busy = false;
let again = false;

function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

// The reader's own time beside UTC.
function localTimes(within) {
  for (const time of within.querySelectorAll("time")) {
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.getTime())) time.title += ` (${date.toLocaleString()} here)`;
  }
}

function copyButtons(within) {
  for (const code of within.querySelectorAll("code[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${code.textContent}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Press Ctrl-C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    code.after(button);
  }
}

// Somebody who has marked text is about to copy it.
function isSelecting() {
  const selection = getSelection();
  return !selection.isCollapsed && document.querySelector("main").contains(selection.anchorNode);
}

function replace(fresh) {
  const focused = document.activeElement && document.activeElement.dataset.key;
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || next.innerHTML === old.dataset.was) continue;
    old.dataset.was = next.innerHTML;
    old.replaceChildren(...document.importNode(next, true).childNodes);
    localTimes(old);
  }
  document.title = fresh.title;
  if (focused) {
    const same = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused);
    if (same && same !== document.activeElement) same.focus({ preventScroll: true });
  }
}

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    do {
      again = false;
      const asked = location.href;
      const answer = await fetch(asked, { headers: { accept: "text/html" } });
      const text = await answer.text();
      if (asked !== location.href) again = true;
      else replace(new DOMParser().parseFromString(text, "text/html"));
    } while (again);
  } catch {
    say("Not connected");
  } finally {
    busy = false;
  }
}

function listen() {
  if (events || paused || document.hidden) return;
  events = new EventSource("api/v1/events");
  events.addEventListener("open", () => say("Live"));
  events.addEventListener("error", () => {
    say("Not connected");
    if (events && events.readyState === EventSource.CLOSED) { rest(); setTimeout(listen, 5000); }
  });
  events.addEventListener("snapshot", () => { if (!isSelecting()) refresh(); });
}

function rest() {
  if (events) events.close();
  events = null;
}

function setPaused(now) {
  paused = now;
  pauseButton.setAttribute("aria-pressed", String(paused));
  if (paused) { rest(); say("Paused"); } else { refresh(); listen(); }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { rest(); } else if (!paused) { refresh(); listen(); }
});
addEventListener("pagehide", rest);
addEventListener("pageshow", (event) => { if (event.persisted) listen(); });

if (filter) {
  let waiting = 0;
  const apply = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(filter)) if (value) query.set(name, value);
    history.replaceState(null, "", query.size ? `locks?${query}` : "locks");
    refresh();
  };
  filter.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 150); });
  filter.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(waiting); apply(); });
  filter.querySelector("button").hidden = true;
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  const to = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  if (rows[to]) rows[to].focus();
  else if (to < 0 && box) box.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const target = event.target;
  const typing = target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (target === box) {
      box.value = "";
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.blur();
    } else if (typing) {
      target.blur();
    } else {
      const back = document.querySelector("[data-back]");
      if (back) back.click();
    }
    return;
  }
  if (typing && !(target === box && event.key === "ArrowDown")) return;
  const act = {
    "/": () => { if (box) { box.focus(); box.select(); } },
    "?": () => help.showModal(),
    p: () => setPaused(!paused),
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
  }[event.key];
  if (!act || ((event.key === "ArrowDown" || event.key === "ArrowUp") && !document.querySelector("[data-row]"))) return;
  event.preventDefault();
  act();
});

pauseButton.hidden = false;
pauseButton.addEventListener("click", () => setPaused(!paused));
byId("keys").hidden = false;
byId("keys").addEventListener("click", () => help.showModal());
localTimes(document);
copyButtons(document);
// A form was just sent and refused: the page must not ask for it again.
if (!document.querySelector(".refused")) listen();
