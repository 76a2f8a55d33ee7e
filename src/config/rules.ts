import { callOutRule } from "./call-outs.ts";
import { at, collect, isMapValue, texts } from "./collect.ts";
import { type Faults, type Path, show } from "./faults.ts";
import { inboundKey } from "./fields.ts";
import { keysRule } from "./key-fit.ts";
import { isLoopback } from "./listen.ts";
import { listenAt, ownTrunkRule } from "./own-trunk.ts";
import { revokedRule } from "./revocation.ts";
import { defaultListen } from "./schema.ts";
import { isPostgres, readPostgresUrl } from "./store-url.ts";
import { parseInstant } from "./values.ts";
import type { Value, ValueMap } from "./walk.ts";

/** What several values of a config must agree on. Judged on the values as read, so that one bad value hides no other. */
export function checkRules(root: Value, faults: Faults): void {
  for (const rule of rules) rule(root, faults);
}

type Rule = (root: Value, faults: Faults) => void;

const ofCustomers: readonly Rule[] = [
  secretsDifferRule,
  uniqueRule,
  numbersRule,
  inboundRule,
  trunksRule,
  ownTrunkRule,
  windowsRule,
  originReportsRule,
  keysRule,
  callOutRule,
  revokedRule,
];

const rules: readonly Rule[] = [
  listenRule,
  proxyRule,
  chainRule,
  exchangeRule,
  turnRule,
  ...ofCustomers,
  gatewayDomainsRule,
  storeRule,
  storeKeyRule,
];

/** What the customers of a root must agree on, whatever else is in it. */
export function checkCustomers(root: Value, faults: Faults): void {
  for (const rule of ofCustomers) rule(root, faults);
}

function listenRule(root: Value, faults: Faults): void {
  const path = ["gateway", "listen"];
  const listen = listenAt(root, path, defaultListen);
  if (!listen) return;
  if (listen.scheme === "wss" && at(root, ["gateway", "tls"]) === undefined) {
    faults.add(path, "is wss:// and needs gateway.tls with cert and key");
  }
  if (listen.scheme === "ws" && !isLoopback(listen.host) && at(root, ["gateway", "insecure"]) !== true) {
    faults.add(path, "is ws:// beyond loopback: use wss://, or say insecure: true where something before it ends TLS");
  }
  const admin = listenAt(root, ["admin", "listen"], "");
  if (admin && listen.port !== 0 && admin.host === listen.host && admin.port === listen.port) {
    faults.add(["admin", "listen"], "is the address of gateway.listen: take another port");
  }
}

function proxyRule(root: Value, faults: Faults): void {
  const on = [true, "on"].includes(at(root, ["gateway", "proxyProtocol"]) as boolean | string);
  if (!on || collect(root, "gateway.trustedProxies[]").length > 0) return;
  faults.add(["gateway", "proxyProtocol"], "is on and needs gateway.trustedProxies, for only from those it is taken");
}

function chainRule(root: Value, faults: Faults): void {
  const chain = at(root, ["chain"]);
  if (chain === undefined || isMapValue(chain)) oneOrSeveral("chain", chain, faults);
}

/** Without the section nothing is exchanged. */
function exchangeRule(root: Value, faults: Faults): void {
  const exchange = at(root, ["exchange"]);
  if (isMapValue(exchange)) oneOrSeveral("exchange", exchange, faults);
}

function oneOrSeveral(section: string, given: ValueMap | undefined, faults: Faults): void {
  const [one, several] = [given?.secret, given?.secrets];
  if (one === undefined && several === undefined) faults.add([section, "secret"], "is required");
  if (one !== undefined && several !== undefined) {
    faults.add([section, "secrets"], `stands beside ${section}.secret: give one of them, secrets while rotating`);
  }
}

function storeRule(root: Value, faults: Faults): void {
  const store = at(root, ["store"]);
  if (typeof store !== "string" || !isPostgres(store)) return;
  const read = readPostgresUrl(store);
  if (read.kind === "fault") faults.add(["store"], read.sentence);
  if (at(root, ["storeKey"]) !== undefined) return;
  faults.add(
    ["storeKey"],
    "is required with postgres://…, beside which no key is made: openssl rand -base64 32 makes one",
  );
}

function storeKeyRule(root: Value, faults: Faults): void {
  if (at(root, ["storeKeyBefore"]) === undefined || at(root, ["storeKey"]) !== undefined) return;
  faults.add(["storeKeyBefore"], "is the key before storeKey: set storeKey too");
}

function turnRule(root: Value, faults: Faults): void {
  if (collect(root, "turn.urls[]").length === 0 || at(root, ["turn", "secret"]) !== undefined) return;
  faults.add(["turn", "secret"], "is required where turn.urls has entries");
}

/**
 * Whoever knows one of these secrets must not be able to mint what another one vouches for: each kind differs from the
 * others, and each customer's from the other customers'.
 */
function secretsDifferRule(root: Value, faults: Faults): void {
  const kinds = [
    ["chain.secret", "chain.secrets[]"],
    ["exchange.secret", "exchange.secrets[]"],
    ["turn.secret"],
    ["admin.operators[].secret"],
    ["storeKey", "storeKeyBefore"],
    [
      "customers[].secrets[].secret",
      "customers[].keys[].secret",
      "customers[].apiKeys[].secret",
      "customers[].webhook.secret",
    ],
  ];
  const owners = new Map<string, { whose: string; path: Path }>();
  for (const [kind, patterns] of kinds.entries()) {
    for (const { path, value } of texts(root, ...patterns)) {
      const whose = `${kind} ${path[0] === "customers" ? path[1] : ""}`;
      const owner = owners.get(value);
      if (!owner) owners.set(value, { whose, path });
      else if (owner.whose !== whose) faults.add(path, `must differ from ${where(owner.path, faults)}`);
    }
  }
}

const where = (path: Path, faults: Faults): string => `${show(path)} (line ${faults.line(path)})`;

function uniqueRule(root: Value, faults: Faults): void {
  unique(texts(root, "customers[].id"), "is also the id of", faults);
  unique(texts(root, "customers[].domains[]"), "has one customer and stands already at", faults);
  unique(texts(root, "customers[].apiKeys[].id"), "is also the id of", faults);
  unique(texts(root, "admin.operators[].id"), "is also the id of", faults);
  for (const { path } of collect(root, "customers[]")) {
    const within = (list: string) =>
      texts(at(root, path), `${list}[].id`).map((found) => ({ path: [...path, ...found.path], value: found.value }));
    unique(within("secrets"), "is also the id of", faults);
    unique(within("keys"), "is also the id of", faults);
  }
}

function unique(found: readonly { path: Path; value: string }[], sentence: string, faults: Faults): void {
  const first = new Map<string, Path>();
  for (const { path, value } of found) {
    const owner = first.get(value.toLowerCase());
    if (owner) faults.add(path, `${sentence} ${where(owner, faults)}`);
    else first.set(value.toLowerCase(), path);
  }
}

function gatewayDomainsRule(root: Value, faults: Faults): void {
  const owned = new Map(texts(root, "customers[].domains[]").map(({ path, value }) => [value.toLowerCase(), path]));
  for (const { path, value } of texts(root, "gateway.domains[]")) {
    const owner = owned.get(value.toLowerCase());
    if (owner) faults.add(path, `is a customer's domain, at ${where(owner, faults)}: it can only be one of both`);
  }
}

/** With and without + is one number here: a dialled number may be written either way. */
function numbersRule(root: Value, faults: Faults): void {
  const owners = new Map<string, Path>();
  for (const { path, value } of texts(root, "customers[].numbers[]")) {
    const pattern = value.replace("+", "");
    const owner = owners.get(pattern);
    if (!owner) owners.set(pattern, path);
    else if (owner[1] !== path[1]) faults.add(path, `has one customer and stands already at ${where(owner, faults)}`);
  }
}

/** A call from outside goes to one user. With +, with 00 and without is one number here, and only its owner gets its calls. */
function inboundRule(root: Value, faults: Faults): void {
  const taken = new Map<string, Path>();
  const numbers = new Map(texts(root, "customers[].numbers[]").map(({ path, value }) => [inboundKey(value), path]));
  for (const { path, value } of collect(root, "customers[].inbound")) {
    for (const number of isMapValue(value) ? Object.keys(value) : []) {
      const plain = inboundKey(number);
      const here = [...path, number];
      const first = taken.get(plain);
      const owner = numbers.get(plain);
      if (first) faults.add(here, `has one user and stands already at ${where(first, faults)}`);
      else taken.set(plain, here);
      if (owner && owner[1] !== path[1]) faults.add(here, `is another customer's number, at ${where(owner, faults)}`);
    }
  }
}

const needTrunk = {
  trunk2: "is used only where trunk fails: set trunk",
  trunkAuth: "is what a trunk is told: set trunk",
  trunkFormat: "is how a trunk writes numbers: set trunk",
};

function trunksRule(root: Value, faults: Faults): void {
  for (const { path, value } of collect(root, "customers[]")) {
    if (!isMapValue(value) || value.trunk !== undefined) continue;
    for (const [name, sentence] of Object.entries(needTrunk))
      if (value[name] !== undefined) faults.add([...path, name], sentence);
  }
}

/** Without a list every page has a right origin. */
function originReportsRule(root: Value, faults: Faults): void {
  for (const { path, value } of collect(root, "customers[]")) {
    if (at(value, ["originReports"]) !== true || collect(value, "origins[]").length > 0) continue;
    faults.add([...path, "originReports"], "needs origins: a page's origin is all that these reports are known by");
  }
}

function windowsRule(root: Value, faults: Faults): void {
  for (const { path, value } of collect(root, "customers[].secrets[]")) {
    const from = parseInstant(at(value, ["notBefore"]));
    const until = parseInstant(at(value, ["notAfter"]));
    if (from !== undefined && until !== undefined && until < from) {
      faults.add([...path, "notAfter"], "is before notBefore: the secret would never be valid");
    }
  }
}
