import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** What a folder of src may import of ours. A file or an inner folder is named by its own path where its rule is not its folder's. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sip: [],
  "store/port.ts": ["core", "store/calls.ts", "store/quality.ts"],
  "store/calls.ts": ["core"],
  "store/quality.ts": ["core"],
  "state/port.ts": ["core"],
  auth: ["core", "sip", "state/port.ts"],
  policy: ["core", "sip", "state/port.ts"],
  telemetry: ["core"],
  gateway: ["core", "sip", "auth", "policy", "telemetry", "state/port.ts"],
  "callout/address.ts": [],
  callout: ["core", "telemetry", "callout/address.ts"],
  quality: ["core"],
  records: ["core", "callout", "quality", "store/calls.ts", "store/quality.ts", "telemetry"],
  exchange: ["core", "auth", "policy", "callout", "telemetry", "store/port.ts", "state/port.ts"],
  reports: ["core", "auth", "exchange"],
  api: [
    "reports",
    "core",
    "manage",
    "exchange",
    "auth",
    "telemetry",
    "store/port.ts",
    "store/calls.ts",
    "store/quality.ts",
    "state/port.ts",
  ],
  manage: ["core", "auth", "config", "quality", "store", "store/port.ts", "store/calls.ts", "store/quality.ts"],
  portal: ["core", "api", "telemetry", "store/port.ts"],
  store: ["core", "config", "telemetry", "store/port.ts", "store/calls.ts", "store/quality.ts"],
  state: ["core", "telemetry", "state/port.ts"],
  client: ["core"],
  "client/browser": [],
  kamailio: [],
  config: ["core", "sip", "auth", "telemetry", "callout/address.ts"],
  "config.ts": ["core", "sip", "auth", "telemetry", "config"],
  doctor: ["core", "gateway", "config.ts", "kamailio"],
  cli: ["*"],
  "main.ts": ["*"],
  "keeping.ts": ["core", "store", "store/port.ts", "telemetry"],
  "live.ts": ["core", "auth", "gateway", "config.ts", "store"],
  "managing.ts": ["api", "core", "gateway", "keeping.ts", "live.ts", "manage", "proving.ts", "store", "telemetry"],
  "signing.ts": ["core", "auth", "store/port.ts", "telemetry"],
  "relaying.ts": ["core", "auth", "gateway", "keeping.ts", "live.ts", "policy", "proving.ts", "records", "telemetry"],
  "serving.ts": ["api", "core", "gateway", "keeping.ts", "live.ts", "proving.ts", "records", "signing.ts", "telemetry"],
  "watching.ts": ["gateway", "live.ts", "records", "telemetry"],
  "proving.ts": [
    "core",
    "auth",
    "policy",
    "callout",
    "config.ts",
    "state",
    "state/port.ts",
    "telemetry",
    "callout/address.ts",
  ],
};

/** Packages that only some places may know: text and verdicts do no I/O, the media library is the test client's alone. */
const packages: readonly { readonly name: RegExp; readonly only: readonly string[] }[] = [
  { name: /^(jssip|@roamhq\/wrtc|sip\.js)(\/|$)/, only: ["client", "client/browser"] },
  // Pages take these files as they are: a package can be known to their types alone.
  { name: /^(?!jssip\/lib\/)/, only: ["*", "!client/browser"] },
  { name: /^ws$/, only: ["gateway", "client", "api"] },
  { name: /^commander$/, only: ["cli"] },
  { name: /^fastify$/, only: ["api"] },
  { name: /^(prom-client|pino)$/, only: ["telemetry"] },
  { name: /^node-cache$/, only: ["state"] },
  { name: /^postgres$/, only: ["store"] },
  {
    name: /^node:(net|tls|http|https|dgram|fs|child_process|worker_threads|sqlite)(\/|$)/,
    only: ["*", "!core", "!sip", "!policy"],
  },
];

type Sources = ReadonlyMap<string, string>;

const src = fileURLToPath(new URL("../../src", import.meta.url));

function readSources(): Sources {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((path) => /\.[jt]s$/.test(path));
  return new Map(files.map((path) => [path, readFileSync(join(src, path), "utf8")]));
}

const specifier =
  /(?:^|[^\w.])(?:import|export)\b[^"'`;()]*?\bfrom\s*["']([^"']+)["']|(?:^|[^\w.])import\s*\(?\s*["']([^"']+)["']/gm;

const importsOf = (text: string): string[] => [...text.matchAll(specifier)].map((found) => found[1] ?? found[2] ?? "");

/** Every import of our own files, as paths under src; package.json is data, and x.js finds its types in its own x.d.ts. */
const ours = (path: string, text: string): string[] =>
  importsOf(text)
    .filter((name) => name.startsWith(".") && !name.endsWith("/package.json"))
    .map((name) => relative(src, join(src, dirname(path), name)))
    .filter((target) => target !== path || path.endsWith(".ts"));

/** The place whose rule a file follows: itself or its inner folder where that has a rule of its own, else the first folder. */
function place(path: string): string {
  if (path in allowed || !path.includes("/")) return path;
  return dirname(path) in allowed ? dirname(path) : (path.split("/")[0] ?? path);
}

function mayImport(from: string, to: string): boolean {
  const rule = allowed[place(from)] ?? [];
  const sameFolder = dirname(from) !== "." && place(from) === place(to);
  return sameFolder || rule.includes("*") || rule.includes(place(to));
}

function forbiddenArrows(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) =>
    ours(path, text)
      .filter((target) => !mayImport(path, target))
      .map((target) => `${path} -> ${target}`),
  );
}

function mayUse(path: string, name: string): boolean {
  const where = place(path);
  return packages
    .filter((rule) => rule.name.test(name))
    .every(({ only }) => (only.includes("*") ? !only.includes(`!${where}`) : only.includes(where)));
}

function forbiddenPackages(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) =>
    importsOf(text)
      .filter((name) => !name.startsWith(".") && !mayUse(path, name))
      .map((name) => `${path} -> ${name}`),
  );
}

/** Every cycle once, as the path back to where it began. Type imports count: they tie files together as well. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(" -> "));
    if (start >= 0 || done.has(path)) return;
    for (const next of ours(path, sources.get(path) ?? "")) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return found;
}

const homeless = (sources: Sources): string[] => [...sources.keys()].filter((path) => !(place(path) in allowed));

const sources = readSources();

describe("the arrows between the folders of src", () => {
  it("are only those of the table", () => {
    expect(sources.size).toBeGreaterThan(3);
    expect(forbiddenArrows(sources)).toEqual([]);
  });

  it("name only files that exist", () => {
    const there = (target: string): boolean => sources.has(target) || sources.has(target.replace(/\.js$/, ".d.ts"));
    const dangling = [...sources].flatMap(([path, text]) => ours(path, text).filter((target) => !there(target)));
    expect(dangling).toEqual([]);
  });

  it("have a rule for every file", () => {
    expect(homeless(sources)).toEqual([]);
  });

  it("make no cycle", () => {
    expect(cycles(sources)).toEqual([]);
  });

  it("keep packages where they belong", () => {
    expect(forbiddenPackages(sources)).toEqual([]);
  });
});

describe("a planted fault is found", () => {
  const planted = (path: string, text: string): Sources => new Map([...sources, [path, text]]);

  it.each([
    ["core/planted.ts", 'import { scan } from "../sip/scan.ts";', "core/planted.ts -> sip/scan.ts"],
    ["sip/planted.ts", 'import type {\n  Code,\n} from "../core/errors.ts";', "sip/planted.ts -> core/errors.ts"],
    ["gateway/planted.ts", 'export { x } from "../api/x.ts";', "gateway/planted.ts -> api/x.ts"],
    ["gateway/planted.ts", 'import "../state/redis.ts";', "gateway/planted.ts -> state/redis.ts"],
    ["gateway/planted.ts", 'const x = await import("../store/sqlite.ts");', "gateway/planted.ts -> store/sqlite.ts"],
    ["api/planted.ts", 'import * as x from "../gateway/leg.ts";', "api/planted.ts -> gateway/leg.ts"],
    ["client/planted.ts", 'import { mint } from "../auth/ephemeral.ts";', "client/planted.ts -> auth/ephemeral.ts"],
    [
      "client/browser/planted.js",
      'import { mask } from "../ladder.ts";',
      "client/browser/planted.js -> client/ladder.ts",
    ],
    ["policy/planted.ts", 'import { start } from "../main.ts";', "policy/planted.ts -> main.ts"],
  ])("%s with %s", (path, text, arrow) => {
    expect(forbiddenArrows(planted(path, text))).toEqual([arrow]);
  });

  it("in the packages of a pure file", () => {
    expect(forbiddenPackages(planted("sip/planted.ts", 'import { connect } from "node:net";'))).toEqual([
      "sip/planted.ts -> node:net",
    ]);
    expect(forbiddenPackages(planted("client/browser/planted.js", 'import JsSIP from "jssip";'))).toEqual([
      "client/browser/planted.js -> jssip",
    ]);
  });

  it("as a cycle", () => {
    const pair = new Map([
      ["sip/a.ts", 'import type { B } from "./b.ts";'],
      ["sip/b.ts", 'export { a } from "./a.ts";'],
    ]);
    expect(cycles(pair)).toEqual(["sip/a.ts -> sip/b.ts -> sip/a.ts"]);
  });

  it("as a file without a rule", () => {
    expect(homeless(planted("misc/planted.ts", ""))).toEqual(["misc/planted.ts"]);
  });
});
