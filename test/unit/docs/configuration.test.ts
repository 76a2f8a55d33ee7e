import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { atRestart, keys, page } from "../../../scripts/configuration-docs.ts";
import { meanings } from "../../../scripts/configuration-meanings.ts";

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");

describe("docs/configuration.md", () => {
  it("is what npm run docs:configuration writes", () => {
    expect(read("docs/configuration.md")).toBe(page());
  });

  it("has a row for every key of the schema, with its meaning", () => {
    const paths = keys().map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(70);
    expect(paths.filter((path) => !(path in meanings))).toEqual([]);
    expect(Object.keys(meanings).filter((path) => !paths.includes(path))).toEqual([]);
    const rows = page();
    const tops = new Set(rows.match(/(?<=^## ).*$/gm));
    expect(paths.filter((path) => !rows.includes(`| \`${path}\` |`) && !tops.has(path))).toEqual([]);
  });

  it("says what a program that reads the config makes of nothing", () => {
    expect(page()).toContain("| `gateway.limits.messageBytes` | whole, 0 to 65535 | `30000` | at once |");
    expect(page()).toContain("| `upstream.proxyProtocol` | v1, v2, off | `v1` | at once |");
    expect(page()).toContain("| `gateway.listen` | text | `ws://127.0.0.1:8088` | restart |");
    expect(page()).toContain("| `customers[].keys` | list of maps | none | at once |");
    expect(page()).toContain("| `customers[].permissionUrl` | text |  | at once |");
    expect(page()).toContain("| `state` | text | `memory` | restart |");
  });

  it("names as bound to a restart what a reload compares", () => {
    const compared = /const bound\b[^{]*\{([\s\S]*?)\n\};/.exec(read("src/live.ts"))?.[1] ?? "";
    const named = [...compared.matchAll(/^ {2}"?([\w.]+)"?: \(of\)/gm)].map(([, key]) => key);
    expect(named.length).toBeGreaterThan(3);
    expect(named.toSorted()).toEqual(atRestart.toSorted());
  });
});
