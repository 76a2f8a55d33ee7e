/** @template {HTMLElement} [One=HTMLElement] @param {string} id @returns {One} */
export const el = (id) => /** @type {One} */ (document.getElementById(id));

/**
 * An element with these properties; texts are never read as markup.
 * @param {string} name
 * @param {Record<string, unknown>} [properties] What has a dash, or is `role`, is an attribute.
 * @param {...(Node | string)} children
 */
export function make(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, String(value));
    else Object.assign(made, { [key]: value });
  }
  made.append(...children);
  return made;
}

/** @param {HTMLElement} within @param {string} selector */
export const part = (within, selector) => /** @type {HTMLElement} */ (within.querySelector(selector));

/** A sentence for people from whatever went wrong. @param {unknown} fault */
export const sentenceOf = (fault) => (fault instanceof Error ? fault.message : String(fault));
