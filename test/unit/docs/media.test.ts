import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/media.md");
const rows = (head: string): string[][] => {
  const table = page.slice(page.indexOf(`| ${head} |`)).split("\n\n", 1)[0] ?? "";
  return table
    .split("\n")
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()));
};
const names = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);

describe("docs/media.md", () => {
  const settings = [...read("kamailio/kamailio.cfg").matchAll(/^#!define (MEDIA_\w+) (.+)$/gm)];

  it("says of each setting of Kamailio what it is by default", () => {
    const told = new Map(rows("in `local.cfg`").map(([, name, value]) => [names(name)[0], names(value)[0] ?? value]));
    expect(settings.length).toBeGreaterThan(3);
    for (const [, name = "", value = ""] of settings) expect(told.get(name), name).toBe(value.replaceAll('"', ""));
    expect(told.has("RTPENGINE") && told.has("MEDIA_BETWEEN_LEGS")).toBe(true);
  });

  it("explains what rtpengine.conf sets, all but the age of ports", () => {
    const set = [...read("deploy/rtpengine/rtpengine.conf").matchAll(/^([a-z-]+) = /gm)].map(([, name = ""]) => name);
    const told = rows("in `rtpengine.conf`").flatMap(([, name]) => names(name));
    expect(told.toSorted()).toEqual(set.filter((name) => name !== "delete-delay").toSorted());
  });

  it("names the routes that are there, and where they are called", () => {
    const media = read("kamailio/routes/media.cfg");
    const told = rows("route").map(([, name]) => names(name)[0] ?? "");
    expect(told.length).toBeGreaterThan(5);
    for (const name of told) expect(media).toContain(`route[${name}] {\n\treturn;`);
  });

  it("quotes what Kamailio writes to its log", () => {
    const media = read("kamailio/routes/media.cfg");
    const lines = rows("what is seen").flatMap(([, , line]) => names(line));
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(media).toContain(line.replace(/…$/, ""));
  });
});
