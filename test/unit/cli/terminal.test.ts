import { describe, expect, it } from "vitest";
import { csvRow } from "../../../src/cli/csv-row.ts";
import { jsonOf, row } from "../../../src/cli/terminal.ts";

/** Sequences by ESC and by the one byte for it, a title, a turned order, a tag, lines that are none. */
const hostile = "a\x1b[2J\x9b31m\x07\x7f\u202ebob\u{e0041}\u2028\r\n\tz";

describe("a line of a table", () => {
  it("holds nothing that a terminal obeys, and is one line of so many cells", () => {
    expect(row(hostile, 5)).toBe("a?[2J?31m???bob?????z\t5");
  });

  it("twin: letters of any language stay", () => {
    expect(row("é 日", "+3225")).toBe("é 日\t+3225");
  });
});

describe("JSON on a terminal", () => {
  it("is the same data in characters that a terminal only shows", () => {
    const said = jsonOf({ hostile });
    expect(said).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(said)).toEqual({ hostile });
    expect(JSON.parse(jsonOf({ hostile }, 2))).toEqual({ hostile });
  });

  it("twin: letters of any language stay, and lines where they are asked for", () => {
    expect(jsonOf({ a: "é 日" }, 1)).toBe('{\n "a": "é 日"\n}');
  });
});

describe("a line of CSV", () => {
  it.each([
    ["=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"],
    ["  =1+1", "'  =1+1"],
    ["@SUM(1)", "'@SUM(1)"],
    ["+1+cmd", "'+1+cmd"],
    ["-2+3", "'-2+3"],
    ['=HYPERLINK("http://a.example")', `"'=HYPERLINK(""http://a.example"")"`],
    ["+3225887000", "+3225887000"],
    ["alice", "alice"],
    ["x;=cmd|'/C calc'!A0;@a; -2+3", "x;'=cmd|'/C calc'!A0;'@a;' -2+3"],
    ["a=b;+49301;c", "a=b;+49301;c"],
    ["a,b", '"a,b"'],
    ["a\nb", "a?b"],
    ["", ""],
  ])("%j is %j: a formula is text", (cell, written) => {
    expect(csvRow([cell, "x"])).toBe(`${written},x\r\n`);
  });
});
