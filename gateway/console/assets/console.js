// The console's one script. Every page is whole without it; with it, the main
// part of a live page is loaded again when the journal has something new. What
// is loaded is the same page, made by the same server: nothing is put together
// here.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  const line = document.getElementById("live");
  if (!main || !line || !window.EventSource || !window.fetch) return;

  const settle = 300; // ms to wait for more of the same
  const grow = 30000; // ms after which ages are wrong enough
  let paused = false, due = false, busy = false, timer = 0;

  const words = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  line.append(words, " ", button);
  const say = (text) => { if (words.textContent !== text) words.textContent = text; };
  const label = () => {
    button.textContent = paused ? "Go live" : "Pause";
    if (paused) say("Paused.");
  };

  // inUse reports whether the reader is at something that a new main part
  // would take away: a field, or selected text.
  const inUse = () => {
    const at = document.activeElement;
    if (at && main.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) return true;
    const chosen = window.getSelection();
    return Boolean(chosen && !chosen.isCollapsed && main.contains(chosen.anchorNode));
  };

  const remember = () => {
    const open = new Map([...main.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
    const places = new Map([...main.querySelectorAll("pre[id]")].map((p) =>
      [p.id, p.scrollHeight - p.scrollTop - p.clientHeight < 8 ? Infinity : p.scrollTop]));
    const fields = [...main.querySelectorAll("select[id], input[id]")].filter((f) =>
      f.options ? f.selectedIndex !== Math.max(0, [...f.options].findIndex((o) => o.defaultSelected)) : f.value !== f.defaultValue).map((f) => [f.id, f.value]);
    const at = document.activeElement;
    const focus = at && main.contains(at) ? at.id || at.getAttribute("href") : null;
    return () => {
      for (const [id, was] of open) { const d = document.getElementById(id); if (d) d.open = was; }
      for (const [id, top] of places) {
        const p = document.getElementById(id);
        if (p) p.scrollTop = top === Infinity ? p.scrollHeight : top;
      }
      for (const [id, value] of fields) { const f = document.getElementById(id); if (f) f.value = value; }
      if (!focus) return;
      const again = document.getElementById(focus) || [...main.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === focus);
      if (again) again.focus({ preventScroll: true });
    };
  };

  const load = async () => {
    if (paused || busy || document.hidden) { due = true; return; }
    if (inUse()) { due = true; say("Something changed; shown when you leave what you are at."); return; }
    busy = true;
    due = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected) { location.reload(); return; } // the session is over
      if (!answer.ok) throw new Error("answer " + answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("main");
      if (next && !inUse() && !paused) {
        const restore = remember();
        main.replaceChildren(...[...next.childNodes].map((n) => document.adoptNode(n)));
        restore();
        say("Live.");
        const stamp = page.querySelector(".foot p"), here = document.querySelector(".foot p");
        if (stamp && here) here.replaceWith(document.adoptNode(stamp));
      } else {
        due = true;
      }
    } catch (failure) {
      say("Not live: the page could not be loaded again.");
    } finally {
      busy = false;
      if (due) soon();
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(load, due ? 2000 : settle);
  };

  const end = document.querySelector("pre.output");
  if (end) end.scrollTop = end.scrollHeight;

  const source = new EventSource("/events-stream");
  source.addEventListener("open", () => say("Live."));
  source.addEventListener("change", soon);
  source.addEventListener("error", () => say("Not live: waiting for the gateway."));
  setInterval(load, grow);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && due) load(); });
  main.addEventListener("focusout", () => { if (due) soon(); });
  window.addEventListener("pagehide", () => source.close());
  button.addEventListener("click", () => {
    paused = !paused;
    label();
    if (!paused) { say("Live."); load(); }
  });
  label();
})();
