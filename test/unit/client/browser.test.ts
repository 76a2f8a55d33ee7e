import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

const folder = new URL("../../../src/client/browser/", import.meta.url);

/** Bytes of each module as a server sends it: gzip of the file as it is. */
const most: Readonly<Record<string, number>> = {
  "call.js": 6 * 1024,
  "connect.js": 5 * 1024,
  "quality.js": 3 * 1024,
};

const root = new URL("../../../", import.meta.url);
type Target = string | { readonly types: string; readonly default: string };
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
  exports: Record<string, Target>;
};

describe("what pages load", () => {
  it("is what the package offers by name, with types", () => {
    const targets = Object.values(exports).flatMap((one) => (typeof one === "string" ? one : [one.types, one.default]));
    expect(targets.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
    for (const name of ["browser", "quality"]) expect(exports[`./${name}`]).toHaveProperty("types");
    expect(import.meta.resolve("postern/browser")).toBe(new URL("connect.js", folder).href);
  });

  it.each(Object.entries(most))("%s is at most %d bytes", (file, bytes) => {
    expect(gzipSync(readFileSync(new URL(file, folder)), { level: 9 }).length).toBeLessThanOrEqual(bytes);
  });

  it.each(Object.keys(most))(
    "%s makes no markup or code of text, keeps and logs nothing, and is told nothing by other windows",
    (file) => {
      const source = readFileSync(new URL(file, folder), "utf8");
      const sinks = /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc|style\s*=\s*["`]/;
      expect(source).not.toMatch(sinks);
      expect(source).not.toMatch(
        /localStorage|sessionStorage|indexedDB|document\.cookie|console\.|postMessage|["']message["']/,
      );
    },
  );

  it("has a bound for every module", () => {
    const modules = readdirSync(folder).filter((file) => file.endsWith(".js"));
    expect(modules.toSorted()).toEqual(Object.keys(most).toSorted());
  });
});
