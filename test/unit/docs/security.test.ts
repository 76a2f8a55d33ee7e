import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(join(root, "docs/security.md"), "utf8");
const table = /^\| file in test\/attack \|.*\n\|-.*\n((?:\|.*\n)+)/m.exec(page)?.[1] ?? "";
const named = [...table.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)];
const files = readdirSync(join(root, "test/attack")).map((file) => file.replace(/\.test\.ts$/, ""));

describe("docs/security.md", () => {
  it("says of each attack test what it tries, and of no other", () => {
    expect(files.length).toBeGreaterThan(8);
    expect(named.map(([, file]) => file).toSorted()).toEqual(files.toSorted());
    expect(named.filter(([, , tries = ""]) => tries.length < 20)).toEqual([]);
  });

  it("names other tests that exist", () => {
    const paths = [...page.matchAll(/`(test\/[a-z0-9/.*-]+)`/g)].map(([, path = ""]) => path);
    expect(paths.length).toBeGreaterThan(3);
    for (const path of paths) expect(existsSync(join(root, path.replace(/\/[^/]*\*.*$/, ""))), path).toBe(true);
  });
});

describe("what the documentation's commands make in a checkout", () => {
  const patterns = readFileSync(join(root, ".gitignore"), "utf8").split("\n").filter(Boolean);
  const matches = (pattern: string, name: string): boolean =>
    new RegExp(`^${pattern.replace(/^\//, "").replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(name);

  it.each([
    ...["postern.yaml", "kamailio-local.cfg", "kamailio/local.cfg", "chain.new"],
    ...["acme.secret", "acme-jwt.secret", "exchange.secret", "acme-private.pem", "acme-permissions.pem", "key.pem"],
    ...["postern.db", "postern.db-wal", "postern.db.key", "alice.json", "bob.json", "credential.json"],
  ])("%s is not committed with it, for it holds or is a secret", (name) => {
    expect(patterns.some((pattern) => matches(pattern, name))).toBe(true);
  });
});

describe("SECURITY.md", () => {
  const text = readFileSync(join(root, "SECURITY.md"), "utf8");

  it("says how to report, which versions get fixes, and what to expect", () => {
    const titles = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(["Reporting", "Supported versions", "What to expect", "What counts"]);
    expect(text).toMatch(/private security advisory/);
    expect(text).toMatch(/within three working days/);
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(text).toContain(`(${version.split(".", 1)[0]}.x)`);
  });
});
