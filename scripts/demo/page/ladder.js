import { el, make, part, sentenceOf } from "./dom.js";
import { askOwn } from "./visit.js";

/** @typedef {import("../row.ts").Row} Row */
/** @typedef {import("../ladder.ts").Told} Told */

/** Milliseconds until a reading that broke off is begun anew. */
const again = 1_000;
const mostRows = 500;

/** @type {{ row: Row, item: HTMLElement }[]} In the order of time. */
const shown = [];
const list = el("rows");
/** Of the first message since the ladder was cleared, milliseconds. */
let begun = 0;

/** @param {import("./visit.js").Visit} visit */
export function showLadder(visit) {
  void readOn(visit);
  el("clear").addEventListener("click", () => void askOwn(visit, "ladder", { method: "DELETE" }));
  el("text").addEventListener("click", () => void download(visit, "ladder.txt"));
  el("pcap").addEventListener("click", () => void download(visit, "ladder.pcap"));
  el("calls-only").addEventListener("change", (event) => {
    list.classList.toggle("calls-only", /** @type {HTMLInputElement} */ (event.target).checked);
  });
}

/** @param {import("./visit.js").Visit} visit */
async function readOn(visit) {
  for (;;) {
    try {
      await read(await askOwn(visit, "ladder"));
    } catch (fault) {
      el("count").textContent = `the ladder stands still: ${sentenceOf(fault)}`;
    }
    await new Promise((resolve) => setTimeout(resolve, again));
  }
}

/** Each line is a JSON text. @param {Response} response */
async function read({ body }) {
  clear();
  let rest = "";
  // Everything comes anew at the begin of each reading.
  for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(JSON.parse(line));
    count();
  }
}

/** @param {Told} told */
function take(told) {
  if ("cleared" in told) clear();
  else if ("row" in told) add(told.row);
  else judge(told.id, told.verdict);
}

function clear() {
  shown.length = 0;
  list.replaceChildren();
  count();
}

function count() {
  el("nothing").hidden = shown.length > 0;
  el("count").textContent = shown.length === 0 ? "" : `${shown.length} messages`;
}

/** Kamailio's side comes a moment later than the gateway's: rows are put where they belong. @param {Row} row */
function add(row) {
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  const entry = { row, item: itemOf(row) };
  let at = shown.length;
  while ((shown[at - 1]?.row.at ?? 0) > row.at) at--;
  list.insertBefore(entry.item, shown[at]?.item ?? null);
  shown.splice(at, 0, entry);
  if (shown.length > mostRows) shown.shift()?.item.remove();
  if (at === 0 && (shown.length === 1 || row.at < begun)) begin(row.at);
  stamp(row, entry.item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** @param {number} at */
function begin(at) {
  begun = at;
  for (const { row, item } of shown) stamp(row, item);
}

/** @param {Row} row @param {HTMLElement} item */
const stamp = (row, item) => {
  part(item, ".time").textContent = ((row.at - begun) / 1000).toFixed(3);
};

/** @param {number} id @param {NonNullable<Row["verdict"]>} verdict */
function judge(id, verdict) {
  const entry = shown.find(({ row }) => row.id === id);
  if (!entry) return;
  entry.row.verdict = verdict;
  note(entry.row, entry.item);
}

const columns = { browser: 0, postern: 1, kamailio: 2, trunk: 3 };
const names = { browser: "browser", postern: "Postern", kamailio: "Kamailio", trunk: "trunk" };

/** @param {Row} row */
function itemOf(row) {
  const { from, to, message } = row;
  const [text, kind] = labelOf(message);
  const way = columns[from] < columns[to] ? "right" : "left";
  const column = Math.min(columns[from], columns[to]);
  const arrow = make(
    "span",
    { className: `arrow ${way} ${kind}`, "data-column": column },
    make("span", { className: "label" }, text),
  );
  const said = make("span", { className: "sr" }, `${names[from]} to ${names[to]}: `);
  const line = make(
    "span",
    { className: "line" },
    said,
    arrow,
    make("span", { className: "notes", "data-column": column }),
  );
  const whole = make("pre", { hidden: true }, message);
  const button = make(
    "button",
    { type: "button", className: "message", "aria-expanded": "false" },
    make("span", { className: "time" }),
    line,
  );
  button.addEventListener("click", () => {
    whole.hidden = !whole.hidden;
    button.setAttribute("aria-expanded", String(!whole.hidden));
  });
  const item = make("li", { className: isOfCall(message) ? "row call" : "row" }, button, whole);
  note(row, item);
  return item;
}

/** @param {string} message @param {string} name */
const field = (message, name) => new RegExp(`^${name} *: *(.*)$`, "im").exec(message)?.[1]?.trim() ?? "";

/** What stands on the arrow, and its colour. @param {string} message @returns {[text: string, kind: string]} */
function labelOf(message) {
  const start = message.split("\r\n", 1)[0] ?? "";
  const [, status, reason] = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(start) ?? [];
  if (status === undefined) return [start.replace(/(;[^ ]*)? SIP\/2\.0$/, ""), "request"];
  const code = field(message, "Postern-Code");
  const kind =
    status < "200" ? "provisional" : status < "300" ? "good" : ["401", "407"].includes(status) ? "challenge" : "bad";
  return [`${status} ${reason} ${code}`.trim(), kind];
}

/** @param {string} message */
const isOfCall = (message) => !/ (?:REGISTER|OPTIONS)$/.test(field(message, "CSeq"));

/** @param {Row} row @param {HTMLElement} item */
function note({ verdict, grant }, item) {
  const chips = [];
  if (verdict && verdict.code !== "delivered") chips.push(...verdictChips(verdict));
  if (grant) chips.push(...grantChips(grant));
  part(item, ".notes").replaceChildren(...chips);
}

/** @param {string} text @param {string} kind */
const chip = (text, kind) => make("span", { className: `chip ${kind}` }, text);

/** @param {NonNullable<Row["verdict"]>} verdict */
function verdictChips({ code, sentence, customer, secret, secondsLeft }) {
  const kind = code === "accepted" ? "good" : ["challenged", "absorbed", "dropped"].includes(code) ? "plain" : "bad";
  const chips = [chip(sentence ? `${code}: ${sentence}` : code, kind)];
  if (customer)
    chips.push(chip(customer, "plain"), chip(`secret ${secret}`, "plain"), chip(`${secondsLeft} s left`, "plain"));
  return chips;
}

/** @param {NonNullable<Row["grant"]>} grant */
function grantChips({ user, secondsLeft, fields }) {
  const told = Object.entries(fields).filter(([, value]) => value !== "");
  return [
    chip(`grant for ${user}`, "grant"),
    chip(`${secondsLeft} s left`, "grant"),
    ...told.map(([name, value]) => chip(name === "max" ? `at most ${value} s` : `${name} ${value}`, "grant")),
  ];
}

/** @param {import("./visit.js").Visit} visit @param {string} name */
async function download(visit, name) {
  const url = URL.createObjectURL(await (await askOwn(visit, name)).blob());
  const link = make("a", { href: url, download: `postern-${name}` });
  link.click();
  URL.revokeObjectURL(url);
}
