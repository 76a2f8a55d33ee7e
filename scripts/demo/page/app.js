import { showButton } from "./button.js";
import { el, sentenceOf } from "./dom.js";
import { showInspector } from "./inspector.js";
import { showLadder } from "./ladder.js";
import { showPhone } from "./phone.js";
import { showServlets } from "./servlets.js";
import { open } from "./visit.js";

/** WAI-ARIA tabs: arrows move, the chosen one alone is in the tab order. */
function showTabs() {
  const tabs = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[role=tab]")]);
  const choose = (/** @type {HTMLElement} */ chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      el(tab.getAttribute("aria-controls") ?? "").hidden = tab !== chosen;
    }
  };
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      const next = step && tabs.at((at + step) % tabs.length);
      if (!next) return;
      choose(next);
      next.focus();
    });
  }
}

showTabs();
showInspector();
try {
  const visit = await open();
  el("who").textContent = visit.uri.replace("sip:", "");
  showLadder(visit);
  showButton(visit);
  showPhone(visit);
  await showServlets();
} catch (fault) {
  const line = el("fault");
  line.textContent = sentenceOf(fault);
  line.hidden = false;
}
