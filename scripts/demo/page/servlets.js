import { el, make, sentenceOf } from "./dom.js";
import { ask } from "./visit.js";

/** @typedef {import("../servlets.ts").Servlet} Servlet */

export async function showServlets() {
  /** @type {Servlet[]} */
  const servlets = await (await ask("servlets")).json();
  const buttons = servlets.map((servlet) => {
    const button = make("button", { type: "button", "aria-pressed": "false" }, servlet.language);
    button.addEventListener("click", () => choose(servlet, button));
    return button;
  });
  el("languages").replaceChildren(...buttons);
  buttons[0]?.click();
  el("copy").addEventListener("click", () => void copy());
}

/** @param {Servlet} servlet @param {HTMLElement} chosen */
function choose({ code, command }, chosen) {
  for (const button of el("languages").children) button.setAttribute("aria-pressed", String(button === chosen));
  el("code").textContent = code;
  el("command").textContent = command;
  el("copied").textContent = "";
}

async function copy() {
  try {
    await navigator.clipboard.writeText(el("command").textContent ?? "");
    el("copied").textContent = "copied";
  } catch (fault) {
    el("copied").textContent = `the browser does not let a page copy: ${sentenceOf(fault)}`;
  }
}
