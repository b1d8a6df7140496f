// Keeps the list of what happens up to date: the stream of events says when, and the server makes the list.
"use strict";
(() => {
  const KINDS = ["rollback", "deployment", "hold", "outage"];
  const REFRESH_MS = 1000; // however much happens, the list is asked for once in this time
  const ANNOUNCE_MS = 5000; // and a screen reader says so much less often
  const live = document.getElementById("live");
  const button = document.getElementById("pause");
  const list = () => document.getElementById("activity");
  if (!list() || !live || !button || !window.EventSource) return;

  let isPaused = false, isOpen = null, unseen = 0, timer = null, refreshed = 0, announced = 0;

  function say(text) {
    if (live.textContent !== text) live.textContent = text;
  }

  function sayState() {
    if (isOpen === null) say("Connecting.");
    else if (!isOpen) say("Not live now: the console does not answer. It is tried again.");
    else if (isPaused) say(unseen ? `Paused. ${unseen} new.` : "Paused.");
    else say("Live.");
  }

  function refresh() {
    timer = null;
    if (isPaused || !window.htmx) return;
    refreshed = Date.now();
    window.htmx.trigger(list(), "refresh");
  }

  function happened() {
    unseen += 1;
    if (isPaused) {
      if (unseen === 1 || Date.now() - announced > ANNOUNCE_MS) {
        announced = Date.now();
        sayState();
      }
      return;
    }
    const wait = Math.max(200, refreshed + REFRESH_MS - Date.now());
    if (timer === null) timer = setTimeout(refresh, wait);
  }

  // The refresh by the clock (console.js) looks for this attribute.
  function setPaused(paused) {
    isPaused = paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Go on" : "Pause";
    if (paused) list().removeAttribute("data-refresh-s");
    else refresh();
    sayState();
  }

  function shown() {
    if (!unseen || isPaused) return;
    const first = list().querySelector("tbody tr");
    if (first && Date.now() - announced > ANNOUNCE_MS) {
      announced = Date.now();
      const cells = [...first.querySelectorAll("td")].slice(1).map((each) => each.textContent.trim().replace(/\s+/g, " "));
      say(`Live. ${unseen} new: ${cells.join(" ")}`);
    }
    unseen = 0;
  }

  const source = new EventSource(list().dataset.stream);
  for (const kind of KINDS) source.addEventListener(kind, happened);
  source.addEventListener("open", () => { isOpen = true; sayState(); });
  source.addEventListener("error", () => { isOpen = false; sayState(); });
  document.addEventListener("htmx:after:swap", shown);
  button.addEventListener("click", () => setPaused(!isPaused));
  button.hidden = false;
  sayState();
})();
