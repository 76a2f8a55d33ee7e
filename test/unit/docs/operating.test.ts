import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { codes } from "../../../src/core/errors.ts";
import { callsIn, logCalls } from "../../helpers/log-messages.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/operating.md");
const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => read(join(folder, path)));

const section = (title: string): string =>
  new RegExp(`^## ${title}$([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`, "m").exec(page)?.[1] ?? "";

/** Rows of the only table of a section, cell by cell, without its head. */
const rows = (title: string): string[][] =>
  [...section(title).matchAll(/^\| (.*) \|$/gm)]
    .slice(1)
    .map(([, row = ""]) => row.split(" | ").map((cell) => cell.trim()));

/** What is said by a variable: answers.ts says each refusal in one place. */
const said: Readonly<Record<string, readonly string[]>> = { "gateway/answers.ts event": ["refused", "closed"] };

describe("docs/operating.md", () => {
  const written = logCalls().map((call) => ({
    ...call,
    messages: said[`${call.file} ${call.source}`] ?? call.messages,
  }));
  const documented = rows("Log lines").map(([line = ""]) => line.replace(/^`|(?:…)?`$/g, ""));

  it("explains every log line of the sources", () => {
    expect(written.length).toBeGreaterThan(25);
    expect(written.filter(({ messages }) => messages.length === 0)).toEqual([]);
    const missing = written.flatMap(({ file, messages }) =>
      messages.filter((message) => !documented.includes(message)).map((message) => `${file}: ${message}`),
    );
    expect(missing).toEqual([]);
  });

  it("explains no log line that there is not", () => {
    const messages = written.flatMap((call) => call.messages);
    expect(documented.filter((line) => !messages.includes(line))).toEqual([]);
    expect(new Set(documented).size).toBe(documented.length);
  });

  it("has the levels right", () => {
    const levels = new Map<string, Set<string>>();
    for (const { level, messages } of written) {
      for (const message of messages) levels.set(message, (levels.get(message) ?? new Set()).add(level));
    }
    const wrong = rows("Log lines").filter(([, level = ""], at) => {
      const real = [...(levels.get(documented[at] ?? "") ?? [])].toSorted();
      return real.join() !== level.split(", ").toSorted().join();
    });
    expect(wrong).toEqual([]);
  });

  it("has every code with its SIP status, HTTP status and close code", () => {
    const table = Object.fromEntries(
      rows("Codes").map(([code = "", sip, http, close]) => [code.replaceAll("`", ""), [sip, http, close]]),
    );
    const real = Object.entries(codes).map(([code, { sip, http, close }]) => [code, [sip, http, close].map(String)]);
    expect(table).toEqual(Object.fromEntries(real));
  });

  it("says of a code that nothing utters it, or that something does, as it is", () => {
    const all = sources("src")
      .filter((text) => !/const (?:codes|remedies):/.test(text))
      .join("\n");
    const wrong = rows("Codes").filter(([code = "", ...rest]) => {
      const uttered = all.includes(`"${code.replaceAll("`", "")}"`);
      return uttered === rest.at(-1)?.includes("not uttered");
    });
    expect(wrong.map(([code]) => code)).toEqual([]);
  });

  it("explains every close code that a client may get", () => {
    const own = sources("src/gateway").flatMap((text) =>
      [...text.matchAll(/#leave\((\d{4})/g)].map(([, code]) => Number(code)),
    );
    const all = new Set([...Object.values(codes).map(({ close }) => close), ...own]);
    expect(
      rows("Close codes")
        .map(([code]) => Number(code))
        .toSorted(),
    ).toEqual([...all].toSorted());
  });

  it("names commands that exist", () => {
    const commands = sources("src/cli").flatMap((text) =>
      [...text.matchAll(/\.command\("([a-z]+)/g)].map(([, name]) => name),
    );
    const named = [...page.matchAll(/(?:`|^)postern ([a-z]+)/gm), ...page.matchAll(/main\.ts ([a-z]+)/g)].map(
      ([, name]) => name,
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !commands.includes(name))).toEqual([]);
  });

  it.each(["operating", "configuration", "security"])("%s.md links to what is there", (name) => {
    const text = read(`docs/${name}.md`);
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replaceAll(" ", "-"));
    for (const [, link = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (link.startsWith("#")) expect(anchors, link).toContain(link.slice(1));
      else expect(existsSync(join(root, "docs", link)), link).toBe(true);
    }
  });
});

describe("how log lines are found in the sources", () => {
  it.each([
    ['log.info({ a: "x, y" }, "a line");', ["a line"]],
    ["this.#parts.log.warn(\n  { b: f(1, 2) },\n  'another',\n);", ["another"]],
    ['log.warn(`begun: ${name("x")}`);', ["begun: "]],
    ['log.info({ s }, s === "A" ? "one" : "two");', ["one", "two"]],
    ["log.error({ c }, event);", []],
  ])("%s", (text, messages) => {
    expect(callsIn("x.ts", text).map((call) => call.messages)).toEqual([messages]);
  });
});
