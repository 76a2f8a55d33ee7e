import { describe, expect, it } from "vitest";
import { readFields } from "../../../src/exchange/fields.ts";

const read = (text: string): Record<string, string> | string => {
  const result = readFields(text);
  return result.kind === "fields" ? Object.fromEntries(result.fields) : result.sentence;
};

describe("the fields of a query or form", () => {
  it("are decoded, + being a space", () => {
    expect(read("a=1&b=x+y%2Bz&c=%C3%A9&d=")).toEqual({ a: "1", b: "x y+z", c: "é", d: "" });
    expect(read("")).toEqual({});
    expect(read("a=b=c")).toEqual({ a: "b=c" });
    expect(read("__proto__=x")).toEqual(Object.fromEntries([["__proto__", "x"]]));
  });

  it.each([
    ["a=1&a=2", "twice"],
    ["a=1&%61=2", "twice"],
    ["a", "cannot be read"],
    ["=1", "cannot be read"],
    ["a=%zz", "cannot be read"],
    ["a=%ff", "cannot be read"],
    ["%ff=a", "cannot be read"],
    [Array.from({ length: 21 }, (_, at) => `f${at}=1`).join("&"), "more than 20"],
  ])("are refused where two readers could differ: %s", (text, why) => {
    expect(read(text)).toContain(why);
  });
});
