import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const section = /^## What may grow or wait$([\s\S]*?)(?=^## )/m.exec(read("docs/security.md"))?.[1] ?? "";

interface Row {
  readonly party: string;
  readonly what: string;
  readonly bound: string;
  readonly setBy: string;
  readonly initial: string;
  readonly test: string;
}

const rows: readonly Row[] = section.split(/^### /m).flatMap((part) => {
  const party = part.split("\n", 1)[0] ?? "";
  return [...part.matchAll(/^\| (?!what |-)(.*) \|$/gm)].map(([, line = ""]) => {
    const [what = "", bound = "", setBy = "", initial = "", test = "", ...more] = line.split(" | ");
    if (more.length > 0) throw new Error(`a row has too many cells: ${line}`);
    return { party, what, bound, setBy: setBy.replaceAll("`", ""), initial, test };
  });
});

/** What a key is where the file says nothing, as docs/configuration.md has it, which is written from the schema. */
function ofConfig(key: string): string | undefined {
  const line = read("docs/configuration.md")
    .split("\n")
    .find((one) => one.startsWith(`| \`${key}\` |`));
  return line?.split(" | ")[2]?.replaceAll("`", "");
}

/** `4 * 1024`, `1 / 4`, `30_000`. */
function worth(text: string): number {
  const [first = "", ...rest] = text.replaceAll("_", "").split(/\s*([*/])\s*/);
  let value = Number(first);
  for (let at = 0; at < rest.length; at += 2) {
    value = rest[at] === "*" ? value * Number(rest[at + 1]) : value / Number(rest[at + 1]);
  }
  return value;
}

const number = String.raw`\d[\d_]*(?:\s*[*/]\s*\d[\d_]*)*`;

/** What `folder/file: name` stands for in src; of several names those that are destructured together. */
function ofSource(place: string): number[] {
  const [file = "", names = ""] = place.split(": ");
  const text = read(`src/${file}.ts`);
  const all = names.split(", ");
  if (all.length === 1) {
    const found = new RegExp(String.raw`\b${names}\s*(?:=|:|\?\?)\s*(${number})(?![\w.])`).exec(text)?.[1];
    return found === undefined ? [] : [worth(found)];
  }
  const list = text.split(`[${names}] = [`)[1]?.split("]", 1)[0] ?? "";
  return list.split(", ").map(worth);
}

const numbersIn = (initial: string): number[] => initial.split(", ").map((one) => worth(one));

/** The text of a test file named without `test/`. */
function testText(path: string): string | undefined {
  const found = [`test/${path}.test.ts`, `test/${path}.ts`].find((one) => existsSync(join(root, one)));
  return found && read(found);
}

describe("what may grow or wait, in docs/security.md", () => {
  it("is told of every party", () => {
    const parties = new Map(rows.map(({ party }) => [party, rows.filter((row) => row.party === party).length]));
    expect([...parties.keys()]).toEqual([
      "An unauthenticated peer",
      "A customer's visitor",
      "A customer",
      "An upstream",
      "A call-out target",
    ]);
    expect(Math.min(...parties.values())).toBeGreaterThan(7);
  });

  it.each(rows.filter(({ setBy }) => !setBy.includes(": ")))("$party: $what, by the key $setBy", (row) => {
    const initial = ofConfig(row.setBy);
    expect(initial, "the key is in docs/configuration.md").toBeDefined();
    if (initial === "") expect(row.initial).not.toMatch(/^\d/);
    else expect(row.initial).toBe(initial);
  });

  it.each(rows.filter(({ setBy }) => setBy.includes(": ")))("$party: $what, by $setBy", ({ setBy, initial }) => {
    expect(ofSource(setBy)).toEqual(numbersIn(initial));
  });

  it.each(rows)("$party: $what, is held by $test", ({ test, bound }) => {
    const [, path = "", title = ""] = /^`([a-z0-9/-]+)`: (.{9,})$/.exec(test) ?? [];
    expect(bound.length).toBeGreaterThan(2);
    expect(testText(path)?.includes(title), test).toBe(true);
  });
});

/** What outlives a call of a function and can hold any number of things. */
const collections = [
  /^ {2}(?:readonly )?#?\w+(?:: [^=\n]+)? = new (?:Map|Set|LRUCache|NodeCache)\b/m,
  /^ {2}(?:readonly )?#?\w+: [^=\n]+\[\] = \[\];/m,
  /this\.#\w+ = new (?:LRUCache|NodeCache)\b/,
  /^const \w+(?:: (?!Readonly)[^=\n]+)? = new (?:Map|Set)(?:<.*>)?\(\)/m,
  /^ {4}\w+: new (?:Set|Map)\(\),/m,
];
/** What runs beside a call, or once. */
const elsewhere = /^(?:cli|client|doctor|config)\//;

describe("collections in src", () => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !elsewhere.test(path))
    .map((path) => path.replace(/\.ts$/, ""));

  it("are in files that docs/security.md names", () => {
    const holding = files.filter((file) => collections.some((one) => one.test(read(`src/${file}.ts`))));
    expect(holding.length).toBeGreaterThan(20);
    const silent = holding.filter((file) => !section.includes(`\`${file}\``) && !section.includes(`\`${file}: `));
    expect(silent).toEqual([]);
  });
});
