import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isJsonObject, parseStrictJson } from "../../../src/core/strict-json.ts";
import { eventNames, permissionFor, readEvents } from "../../../src/reports/events.ts";
import { Reading } from "../../../src/reports/reading.ts";
import { types } from "../../../src/reports/stat-forms.ts";
import { readStats } from "../../../src/reports/stats.ts";

const page = readFileSync(fileURLToPath(new URL("../../../docs/reports.md", import.meta.url)), "utf8");
const section = (title: string): string => page.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
const names = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map(([, line = ""]) => line.split(" | "));

describe("docs/reports.md", () => {
  it("shows what is taken", () => {
    const read = { Events: readEvents, Statistics: readStats };
    for (const [title, readBody] of Object.entries(read)) {
      const blocks = [...section(title).matchAll(/```json\n([\s\S]*?)```/g)];
      expect(blocks.length).toBeGreaterThan(0);
      for (const [, block = ""] of blocks) {
        const parsed = parseStrictJson(block);
        if (parsed.kind !== "value" || !isJsonObject(parsed.value)) throw new TypeError(block);
        const reading = new Reading();
        expect(readBody(parsed.value, reading)).toHaveLength(1);
        expect(reading.faults).toEqual([]);
      }
    }
  });

  it("has every event with its permission", () => {
    const told = rows(section("Events")).filter(([, permission = ""]) => /^`[A-Z]/.test(permission));
    const pairs = told.flatMap(([events = "", permission = ""]) =>
      names(events)
        .filter((name) => name !== "bridge")
        .map((name) => [name, names(permission)[0]]),
    );
    expect(pairs.length).toBeGreaterThan(15);
    expect(pairs.map(([name = ""]) => [name, permissionFor(name)])).toEqual(pairs);
    expect(eventNames.filter((name) => !pairs.some(([one]) => one === name))).toEqual([]);
  });

  it("has every type of statistics with what is read of it", () => {
    const told = rows(section("Statistics")).filter(([type = ""]) => type.startsWith("`"));
    const documented = Object.fromEntries(
      told.map(([type = "", members = ""]) => [names(type)[0], names(members).toSorted()]),
    );
    const read = Object.entries(types).map(([type, forms]) => [type, Object.keys(forms).toSorted()]);
    expect(documented).toEqual(Object.fromEntries(read));
  });
});
