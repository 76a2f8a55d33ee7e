import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseStrictJson } from "../../../src/core/strict-json.ts";

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
/** Compared as text: what we read has no prototype. */
const text = (value: unknown): string => JSON.stringify(value);

describe("strict JSON", () => {
  it.each([
    '{"a":1,"b":[true,false,null],"c":{"a":"x"}}',
    ' \t\r\n{ "a" : [ 1 , 2 ] } ',
    '"\\u0041\\n\\/\\ud83d\\ude00"',
    '"é😀\u2028"',
    "-0.5e-3",
    "9007199254740991",
    "1472691002.25",
    '{"":1}',
    '{"constructor":1,"toString":2,"hasOwnProperty":3}',
    "[]",
    "{}",
    nested(8),
  ])("reads %s as JSON.parse does", (given) => {
    const parsed = parseStrictJson(given);
    expect(parsed.kind === "value" && text(parsed.value)).toBe(text(JSON.parse(given)));
    expect(parseStrictJson(Buffer.from(given))).toEqual(parsed);
  });

  it.each([
    ["a name twice", '{"a":1,"a":2}'],
    ["a name twice, spelled differently", '{"iss":1,"\\u0069ss":2}'],
    ["a name twice, deep down", '[{"x":{"a":1,"b":2,"a":1}}]'],
    ["__proto__", '{"__proto__":{"admin":true}}'],
    ["__proto__ escaped", '{"\\u005f_proto__":1}'],
    ["nine levels", nested(9)],
    ["a hundred thousand levels", nested(100_000)],
    ["nothing", ""],
    ["white space alone", "  "],
    ["something after it", "{} x"],
    ["two values", "{}{}"],
    ["a comma too many", "[1,]"],
    ["a comma too many in an object", '{"a":1,}'],
    ["a name without quotes", "{a:1}"],
    ["single quotes", "{'a':1}"],
    ["a comment", "{}//"],
    ["a leading zero", "01"],
    ["a plus", "+1"],
    ["hexadecimal", "0x10"],
    ["NaN", "NaN"],
    ["a number beyond a double", "1e999"],
    ["a whole number that rounds", "9007199254740993"],
    ["a line end in a string", '"a\nb"'],
    ["a zero byte in a string", '"a\0b"'],
    ["an unknown escape", '"\\x41"'],
    ["half a surrogate pair", '"\\ud800"'],
    ["a string that does not end", '"abc'],
    ["a byte order mark", "\ufeff{}"],
    ["another kind of space", "\u00a0{}"],
  ])("refuses %s", (_, given) => {
    expect(parseStrictJson(given)).toMatchObject({
      kind: "malformed",
      sentence: expect.stringMatching(/^the JSON is/),
    });
    expect(parseStrictJson(Buffer.from(given)).kind).toBe("malformed");
  });

  it.each([
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["an overlong spelling", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
  ])("refuses bytes that are %s", (_, bytes) => {
    expect(parseStrictJson(bytes).kind).toBe("malformed");
  });

  it("takes the depth that is asked for", () => {
    expect(parseStrictJson(nested(3), { depth: 2 }).kind).toBe("malformed");
    expect(parseStrictJson(nested(3), { depth: 3 }).kind).toBe("value");
  });

  it("makes objects that inherit nothing", () => {
    const parsed = parseStrictJson('{"a":{}}');
    expect(parsed.kind === "value" && "toString" in (parsed.value as object)).toBe(false);
  });

  it("says nothing of what it read", () => {
    const secret = "s3cr3t";
    for (const given of [`{"${secret}":1,"${secret}":2}`, `["${secret}`, secret]) {
      expect(JSON.stringify(parseStrictJson(given))).not.toContain(secret);
    }
  });

  it("reads megabytes in one string", () => {
    const given = JSON.stringify("x".repeat(2_000_000));
    expect(parseStrictJson(given).kind).toBe("value");
    expect(parseStrictJson(given.slice(0, -1)).kind).toBe("malformed");
  });

  it("never takes what JSON.parse refuses, nor reads it differently", () => {
    const pieces = fc.constantFrom(...'{}[]",:0123456789.eE+-\\u/ntrue falsnl\n\t\u0000é😀'.split(""));
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: pieces, maxLength: 40 })), (given) => {
        const parsed = parseStrictJson(given, { depth: 1000 });
        if (parsed.kind === "value") expect(text(parsed.value)).toBe(text(JSON.parse(given)));
      }),
      { numRuns: 3000 },
    );
  });
});
