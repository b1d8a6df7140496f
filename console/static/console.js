// What every page does: ages grow, and what has `data-refresh-s` asks for itself anew.
"use strict";
(() => {
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  function ageText(seconds) {
    const size = Math.abs(seconds);
    for (const [unit, name] of UNITS) {
      if (size >= unit) {
        const text = `${Math.floor(size / unit)} ${name}`;
        return seconds > 0 ? `${text} ago` : `in ${text}`;
      }
    }
    return "now";
  }

  // The clock of this machine may be wrong, so ages count from what the server said.
  function growAges() {
    for (const each of document.querySelectorAll("time[data-age]")) {
      const offset = clockOffset();
      const seconds = (Date.now() + offset - Date.parse(each.dateTime)) / 1000;
      const text = ageText(seconds);
      if (each.textContent !== text) each.textContent = text;
    }
  }

  let offset = null;
  function clockOffset() {
    if (offset === null) {
      const said = Date.parse(document.body.dataset.now);
      offset = Number.isNaN(said) ? 0 : said - Date.now();
    }
    return offset;
  }

  // Somebody who fills in a form, or has marked some text, is not disturbed.
  function isBusy(element) {
    const selection = document.getSelection();
    const isMarking = selection && !selection.isCollapsed && element.contains(selection.anchorNode);
    return isMarking || element.querySelector("details.action[open], form :focus") !== null;
  }

  const asked = new WeakMap();
  function refresh() {
    if (document.hidden || !window.htmx) return;
    for (const each of document.querySelectorAll("[data-refresh-s]")) {
      const seconds = Number(each.dataset.refreshS);
      if (!asked.has(each)) asked.set(each, Date.now());
      if (Date.now() - asked.get(each) < seconds * 1000 || isBusy(each)) continue;
      asked.set(each, Date.now());
      window.htmx.trigger(each, "refresh");
    }
  }

  function say(isStale) {
    const note = document.getElementById("stale");
    if (note) note.hidden = !isStale;
  }

  // A script may have changed the address of the page since the server wrote the form.
  document.addEventListener("submit", (event) => {
    const back = event.target.querySelector('input[name="next"]');
    if (back && event.target.matches("form.inline")) back.value = location.pathname + location.search;
  });

  clockOffset();
  document.addEventListener("htmx:error", () => say(true));
  document.addEventListener("htmx:response:error", () => say(true));
  document.addEventListener("htmx:after:swap", () => { say(false); growAges(); });
  setInterval(growAges, 1000);
  setInterval(refresh, 1000);
})();
