/**
 * @typedef {object} Visit
 * @property {string} key Reads this page's ladder; kept for a reload.
 * @property {string} line
 * @property {string} user
 * @property {string} url Of the gateway.
 * @property {string} uri
 */

/** An answer of the demo; rejects with its own sentence. @param {string} path @param {RequestInit} [init] */
export async function ask(path, init) {
  const response = await fetch(`/demo/${path}`, { cache: "no-store", ...init });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? `the demo answered ${response.status}: load the page anew`);
}

/** @param {string} path @param {unknown} value */
export const post = (path, value) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

/** @returns {Promise<Visit>} */
export async function open() {
  const key = sessionStorage.getItem("key");
  const visit = await (await post("visit", key === null ? {} : { key })).json();
  sessionStorage.setItem("key", visit.key);
  return visit;
}

/** What only this page may read. @param {Visit} visit @param {string} path @param {RequestInit} [init] */
export const askOwn = ({ key }, path, init) => ask(path, { ...init, headers: { "x-demo-key": key } });
