import { el, make, sentenceOf } from "./dom.js";
import { post } from "./visit.js";

/** @typedef {import("../../../src/cli/verdict.ts").Judged} Judged */

const samples = {
  good: "good",
  expired: "expired",
  wrong: "wrong password",
  "too-long": "lives too long",
  stranger: "another's domain",
  token: "token",
  narrowed: "narrowed token",
  forged: "forged token",
};

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (el(id));

export function showInspector() {
  for (const [kind, name] of Object.entries(samples)) {
    const button = make("button", { type: "button" }, name);
    button.addEventListener("click", () => void trySample(kind));
    el("samples").append(button);
  }
  el("inspect").addEventListener("submit", (event) => {
    event.preventDefault();
    void inspect();
  });
  for (const id of ["username", "password", "token"])
    input(id).addEventListener("input", () => spread(input(id).value));
}

/** @param {string} kind */
async function trySample(kind) {
  try {
    fill(await (await post("sample", { kind })).json());
    await inspect();
  } catch (fault) {
    say(sentenceOf(fault));
  }
}

/** @param {{ username?: string, password?: string, token?: string }} given */
function fill({ username = "", password = "", token = "" }) {
  input("username").value = username;
  input("password").value = password;
  input("token").value = username ? "" : token;
}

/** What a servlet printed was pasted whole. @param {string} text */
function spread(text) {
  if (!text.trim().startsWith("{")) return;
  try {
    const { username, password, token } = JSON.parse(text);
    if (username || token) fill({ username, password, token });
  } catch {
    // Not whole yet: it stays as it was typed.
  }
}

async function inspect() {
  const [username = "", password = "", token = ""] = ["username", "password", "token"].map((id) =>
    input(id).value.trim(),
  );
  const given = token && !username ? { token } : { username, password };
  try {
    show(await (await post("inspect", given)).json(), token && !username ? token : "", username);
  } catch (fault) {
    say(sentenceOf(fault));
  }
}

/** @param {string} sentence */
const say = (sentence) => el("verdict").replaceChildren(make("p", { className: "stamp bad" }, sentence));

/** @param {Judged} judged @param {string} token @param {string} username */
function show({ accepted, code, customer, secret, user, secondsLeft, sentence }, token, username) {
  const stamp = make(
    "p",
    { className: `stamp ${accepted ? "good" : "bad"}` },
    make("strong", {}, accepted ? "accepted" : (code ?? "refused")),
    ` ${sentence}`,
  );
  const facts = { customer, "secret or key": secret, user, "seconds left": secondsLeft };
  const rows = Object.entries(facts).filter(([, value]) => value !== null);
  const list = make(
    "dl",
    { className: "facts" },
    ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]),
  );
  const read = token ? tokenParts(token) : usernameParts(username);
  el("verdict").replaceChildren(stamp, list, ...read);
}

/** Read here in the page: what it says, proved or not. @param {string} token */
function tokenParts(token) {
  const parts = token
    .replace(/^bearer +/i, "")
    .split(".")
    .slice(0, 2)
    .map(decoded);
  return ["Header", "Claims"].flatMap((name, at) => [
    make("h3", {}, name),
    make("pre", { className: "code" }, parts[at] ?? "there is none"),
  ]);
}

/** @param {string} part */
function decoded(part) {
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (letter) =>
      letter.charCodeAt(0),
    );
    return JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), undefined, 2);
  } catch {
    return "this is no base64url of a JSON text";
  }
}

/** @param {string} username */
function usernameParts(username) {
  const [, expiry] = /^(\d{1,12}):/.exec(username) ?? [];
  if (expiry === undefined) return [];
  return [make("p", {}, `The username says: until ${new Date(Number(expiry) * 1000).toUTCString()}.`)];
}
