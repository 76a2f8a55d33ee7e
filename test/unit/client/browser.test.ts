import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

const folder = new URL("../../../src/client/browser/", import.meta.url);

/** Bytes of each module as a server sends it: gzip of the file as it is. */
const most: Readonly<Record<string, number>> = {
  "call.js": 6 * 1024,
  "connect.js": 5 * 1024,
  "quality.js": 3 * 1024,
};

describe("what pages load", () => {
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
