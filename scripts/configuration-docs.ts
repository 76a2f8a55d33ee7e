/** `npm run docs:configuration`: writes docs/configuration.md from the schema. A test fails where it is not current. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { notAvailable } from "../src/config/available.ts";
import { schema } from "../src/config/schema.ts";
import { meanings } from "./configuration-meanings.ts";

/** Keys whose change is taken up at a restart only: those that src/main.ts compares at a reload. */
export const atRestart: readonly string[] = [
  "gateway.listen",
  "gateway.proxyProtocol",
  "admin.listen",
  "hep",
  "store",
  "storeKey",
  "storeKeyBefore",
  "state",
];

interface Node {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly anyOf?: readonly Node[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
}

interface Key {
  /** As in `customers[].secrets[].id`. */
  readonly path: string;
  readonly node: Node;
  readonly required: boolean;
}

/** Every key of the schema, in its order, maps before what is in them. */
export function keys(): Key[] {
  return within("", z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node);
}

function within(path: string, node: Node): Key[] {
  if (node.items) return within(`${path}[]`, node.items);
  return Object.entries(node.properties ?? {}).flatMap(([name, member]) => {
    const own = path === "" ? name : `${path}.${name}`;
    const required = (node.required ?? []).includes(name);
    return [{ path: own, node: member, required }, ...within(own, member)];
  });
}

const isMap = ({ node }: Key): boolean => node.properties !== undefined;

const last = 2 ** 31 - 1;

function typeOf({
  type,
  enum: values,
  anyOf,
  items,
  minimum = 0,
  maximum = last,
  properties,
  additionalProperties,
}: Node): string {
  if (anyOf)
    return [...new Set(anyOf.flatMap((one) => one.enum ?? (one.const === false ? ["off"] : ["on", "off"])))].join(", ");
  if (values) return values.join(", ");
  if (type === "integer") return maximum >= last ? `whole, from ${minimum}` : `whole, ${minimum} to ${maximum}`;
  if (items) return items.properties ? "list of maps" : "list of texts";
  if (properties || additionalProperties) return "map";
  return { string: "text", boolean: "true, false" }[type ?? ""] ?? "text or number";
}

const some = "0123456789abcdef";
const url = "ws://127.0.0.1:5080";
const secrets = [{ id: "k", secret: some }];

/** The least that has every map in it, so that the schema says what it puts where nothing stands. */
const least = {
  upstream: { urls: [url] },
  exchange: { secret: some },
  turn: {},
  hep: { url: "udp://127.0.0.1:9060" },
  gateway: { tls: { cert: "cert.pem", key: "key.pem" } },
  customers: [{ id: "acme", secrets, keys: [{ id: "k", alg: "HS256" }], apiKeys: secrets }],
};

/** What the path names in the parsed least config; entries of lists by their first. */
function at(value: unknown, path: string): unknown {
  let found = value;
  for (const step of path.replaceAll("[]", ".0").split(".")) {
    found = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[step] : undefined;
  }
  return found;
}

function defaultOf({ path, required, node }: Key, parsed: unknown): string {
  if (required) return "required";
  const value = at(least, path) === undefined ? at(parsed, path) : undefined;
  if (value === undefined) return node.items ? "none" : "";
  if (typeof value === "boolean" && node.anyOf) return value ? "on" : "off";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(" ");
  return typeof value === "object" ? "none" : String(value);
}

/** Whether a key does something yet is what `postern check` says of a config that sets it, to its default at least. */
function isBuilt({ path, node }: Key, parsed: unknown): boolean {
  return ["x", String(at(parsed, path))].some((text) => isTaken(path, node, text));
}

function isTaken(path: string, node: Node, text: string): boolean {
  const leaf = node.items ? [text] : typeOf(node) === "map" ? { x: text } : text;
  const steps = path.split(".").reverse();
  const root = steps.reduce<unknown>((inner, step) => {
    const name = step.replace("[]", "");
    return { [name]: step.endsWith("[]") ? [inner] : inner };
  }, leaf);
  return notAvailable(root as Parameters<typeof notAvailable>[0]).length === 0;
}

function changeOf(key: Key, parsed: unknown): string {
  if (!isBuilt(key, parsed)) return "not available yet";
  const bound = atRestart.some((one) => key.path === one || key.path.startsWith(`${one}.`));
  return bound ? "restart" : "at once";
}

function row(key: Key, parsed: unknown): string {
  const said = defaultOf(key, parsed);
  const cells = [
    `\`${key.path}\``,
    typeOf(key.node),
    said === "" || said === "required" || said === "none" ? said : `\`${said}\``,
    changeOf(key, parsed),
    meanings[key.path] ?? "",
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

const head = "| key | type | default | a change applies | meaning |\n|---|---|---|---|---|";

const introduction = `\
# Configuration

Written by \`npm run docs:configuration\` from the schema; do not edit. What to do with it: [operating.md](operating.md).

YAML 1.2, \`-c FILE\`, default \`./postern.yaml\`; paths in it are relative to it. \`\${NAME}\` and \`\${NAME:-default}\` are replaced inside
values, after parsing, by environment variables; one that is not set and has no default is a fault. A secret may be \`file:PATH\`
(one trailing newline is dropped) and has at least 16 bytes. Keys that are not listed here are faults. \`postern check\` prints every
fault at once, with path and line, and exits with 2.

*At once*: at SIGHUP, or within a second of a change of the file, its certificates or its secrets' files; a file with faults is refused, all of
them are logged, and the old one stays. *Restart*: the gateway logs that it needs one. *Not available yet*: checked, and does nothing.
`;

/** The whole page. */
export function page(): string {
  const parsed = schema.parse(least);
  const all = keys();
  const [alone, sections] = [
    all.filter((key) => !key.path.includes(".") && !isMap(key) && !key.node.items),
    new Map<string, Key[]>(),
  ];
  for (const key of all) {
    const top = key.path.split(/[.[]/, 1)[0] ?? "";
    if (!alone.includes(key)) sections.set(top, [...(sections.get(top) ?? []), key]);
  }
  const parts = [...sections].map(([top, within]) => {
    const rows = within.filter((key) => key.path !== top).map((key) => row(key, parsed));
    return `## ${top}\n\n${meanings[top] ?? ""}\n\n${head}\n${rows.join("\n")}\n`;
  });
  const rest = `## store, storeKey, storeKeyBefore, state\n\n${head}\n${alone.map((key) => row(key, parsed)).join("\n")}\n`;
  return [introduction, ...parts, rest].join("\n");
}

if (import.meta.main) writeFileSync(fileURLToPath(new URL("../docs/configuration.md", import.meta.url)), page());
