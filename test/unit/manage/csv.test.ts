import { describe, expect, it } from "vitest";
import { itemsOfCsv, readCsv } from "../../../src/manage/csv.ts";

describe("a table in CSV", () => {
  it.each([
    [
      "a,b\nc,d\n",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    [
      "a,b\r\nc,d",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
    ['"a,b","say ""x"""\n', [["a,b", 'say "x"']]],
    [
      "a,\n,b\n",
      [
        ["a", ""],
        ["", "b"],
      ],
    ],
    ["a\n\n\nb\n", [["a"], ["b"]]],
    ["", []],
  ])("%j", (text, rows) => {
    const read = readCsv(text);
    expect(typeof read === "string" ? read : read.map(({ cells }) => cells)).toEqual(rows);
  });

  it("knows the line on which each row begins, whatever is in the cells", () => {
    const read = readCsv('a\n"b\nb"\nc\n');
    expect(typeof read === "string" ? read : read.map(({ line }) => line)).toEqual([1, 2, 4]);
  });

  it.each(['a\n"b', 'a\nb"c\n', 'a\n"b"c\n'])("is refused where a quote stands wrong: %j", (text) => {
    expect(readCsv(text)).toMatch(/^line 2: /);
  });
});

describe("customers in CSV", () => {
  it("are items as in the config: lists apart by blanks, limits, a first secret; an empty cell says nothing", () => {
    const text = "\ufeffid,domains,maxTtl,calls,secret,trunk\nacme,a.example  b.example,60,5,the-secret-of-acme,\n";
    expect(itemsOfCsv(text)).toEqual({
      faults: [],
      candidates: [
        {
          line: 2,
          item: {
            id: "acme",
            domains: ["a.example", "b.example"],
            maxTtl: 60,
            limits: { calls: 5 },
            secrets: [{ id: "k1", secret: "the-secret-of-acme" }],
          },
        },
      ],
    });
  });

  it("keep what is no number for the schema to refuse", () => {
    expect(itemsOfCsv("id,maxTtl\nacme,1e3\n")).toMatchObject({ candidates: [{ item: { maxTtl: "1e3" } }] });
  });

  it.each<[string, readonly [line: number, message: string][]]>([
    ["", [[1, "there is no line with the names of the columns"]]],
    [
      "id,operator,Domain,id\n",
      [
        [1, "column 2 is no key of a customer that a table can hold"],
        [1, "column 3 is no key of a customer that a table can hold: did you mean domains?"],
        [1, "column 4 is the same as column 1"],
      ],
    ],
    ["id;domains\na;b\n", [[1, "its cells are apart by ; where commas are wanted"]]],
    [
      "id,trunk\na\nb,c\nd,e,f\n",
      [
        [2, "has 1 cells where the first line has 2"],
        [4, "has 3 cells where the first line has 2"],
      ],
    ],
    ['id\n"a', [[2, 'a " that is not closed, or not doubled inside of a cell']]],
  ])("%j is refused with all that is wrong", (text, faults) => {
    expect(itemsOfCsv(text).faults).toEqual(faults.map(([line, message]) => ({ path: "", line, message })));
  });

  it("where the names are missing says nothing of the values that stand there", () => {
    const secret = "a-secret-of-sixteen-bytes";
    expect(JSON.stringify(itemsOfCsv(`acme,acme.example,${secret}\n`))).not.toMatch(/acme|secret-of/);
  });
});
