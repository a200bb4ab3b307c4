// Keeps the locks' page up to date: fetches its live part and changes only what differs, so that
// selection, focus and scroll stay where they are. Without it the page works, standing still.
"use strict";

(() => {
  const page = document.getElementById("locks");
  const live = document.getElementById("lk-live");
  if (!page || !live) return;

  const status = document.getElementById("lk-status");
  const pause = document.getElementById("lk-pause");
  const data = page.dataset;
  const every = Number(data.everySeconds) * 1000;
  const patience = Math.max(8000, every * 2);

  let paused = sessionStorage.getItem("locks-paused") === "yes";
  let asOf = live.querySelector("[data-now]").dataset.now;
  let timer = 0;
  let running = false;

  // --- changing only what differs --------------------------------------------------------------

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined);

  const alike = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function morphAttributes(from, to) {
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name)) from.removeAttribute(name);
    }
    for (const { name, value } of [...to.attributes]) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  }

  function morphChildren(from, to) {
    const keyed = new Map();
    for (const child of from.children) {
      if (child.dataset.key) keyed.set(child.dataset.key, child);
    }
    const coming = new Set([...to.children].map((child) => child.dataset.key).filter(Boolean));
    let here = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      while (here && keyOf(here) && !coming.has(keyOf(here))) here = drop(here);
      const key = keyOf(wanted);
      const known = key ? keyed.get(key) : here && alike(here, wanted) ? here : null;
      if (!known || known.nodeName !== wanted.nodeName) {
        from.insertBefore(document.importNode(wanted, true), here);
        continue;
      }
      if (known === here) here = here.nextSibling;
      else from.insertBefore(known, here);
      morph(known, wanted);
    }
    while (here) here = drop(here);
  }

  function drop(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  function morph(from, to) {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if ("keep" in from.dataset) return; // what the visitor ticks, types or what is counted here
    morphAttributes(from, to);
    morphChildren(from, to);
  }

  function show(html) {
    const coming = new DOMParser().parseFromString(html, "text/html").querySelector("[data-now]");
    if (!coming) throw new Error("not the live part");
    const focused = document.activeElement;
    morph(live.querySelector("[data-now]"), coming);
    if (focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    asOf = coming.dataset.now;
    // Logging in again, in another tab, changes it.
    for (const token of page.querySelectorAll('[name="csrfmiddlewaretoken"]')) {
      token.value = coming.dataset.csrf;
    }
    tickAgain();
    countSelected();
  }

  // --- the selection ---------------------------------------------------------------------------

  const ticks = () => [...live.querySelectorAll('input[name="lock"]')];
  let chosen = new Set();

  const ticked = () => ticks().filter((tick) => tick.checked);

  function remember() {
    chosen = new Set(ticked().map((tick) => tick.value));
  }

  const elsewhere = () => {
    const here = new Set(ticks().map((tick) => tick.value));
    return [...chosen].filter((value) => !here.has(value));
  };

  // A table that was away for a moment, as without Redis, comes back as it was left, and so does
  // a row that another one has moved to the next page. One that is gone for good is forgotten.
  function tickAgain() {
    if (!document.getElementById("lk-all")) return;
    for (const tick of ticks()) tick.checked ||= chosen.has(tick.value);
    if (!live.querySelector(".lk-pages")) remember();
  }

  function countSelected() {
    const button = document.getElementById("lk-clear-selected");
    if (!button) return;
    const here = ticked().length;
    const selected = here + elsewhere().length;
    document.getElementById("lk-selected").textContent = `(${selected})`;
    button.disabled = selected === 0;
    const everything = document.getElementById("lk-all");
    if (!everything) return;
    everything.checked = here > 0 && here === ticks().length;
    everything.indeterminate = here > 0 && here < ticks().length;
  }

  live.addEventListener("change", (event) => {
    if (event.target.id === "lk-all") {
      for (const tick of ticks()) tick.checked = event.target.checked;
    }
    const away = elsewhere();
    remember();
    for (const value of away) chosen.add(value);
    countSelected();
  });

  document.getElementById("lk-clear").addEventListener("formdata", (event) => {
    for (const value of elsewhere()) event.formData.append("lock", value);
  });

  // --- refreshing ------------------------------------------------------------------------------

  function tell(mode, text) {
    const changed = status.dataset.mode !== mode;
    status.dataset.mode = mode;
    page.toggleAttribute("data-lost", mode === "lost");
    // Screen readers hear a change of mode, not every refresh.
    status.setAttribute("aria-live", changed ? "polite" : "off");
    status.textContent = `${text} ${asOf}`;
  }

  async function refresh() {
    if (running) return;
    running = true;
    try {
      const answer = await fetch(data.liveUrl + location.search, {
        headers: { "X-Requested-With": "XMLHttpRequest" },
        credentials: "same-origin",
        signal: AbortSignal.timeout(patience),
      });
      if (paused) return;
      if (answer.redirected || answer.status === 401 || answer.status === 403) {
        tell("lost", data.textLogin);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (paused) return;
      show(html);
      tell("live", data.textFresh);
    } catch {
      if (!paused) tell("lost", data.textLost);
    } finally {
      running = false;
    }
  }

  async function turn() {
    clearTimeout(timer);
    if (paused) return;
    if (!document.hidden) await refresh();
    clearTimeout(timer);
    if (!paused) timer = setTimeout(turn, every);
  }

  function showPause() {
    pause.textContent = paused ? data.textGoOn : data.textPause;
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) tell("paused", data.textPaused);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    sessionStorage.setItem("locks-paused", paused ? "yes" : "no");
    showPause();
    turn();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) turn();
  });

  pause.hidden = false;
  showPause();
  countSelected();
  turn();
})();
