import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { isCallback, jsonp } from "../../../src/exchange/jsonp.ts";

describe("a callback's name", () => {
  it.each([
    "voxbone.WebRTC.processAuthData",
    "jsonp_callback_81723",
    "jQuery111307936482746283947_1426067127000",
    "$",
    "_.a.b$1",
    "a".repeat(64),
  ])("%s is one", (name) => {
    expect(isCallback(name)).toBe(true);
  });

  it.each([
    "",
    "a".repeat(65),
    "a.",
    ".a",
    "a..b",
    "1a",
    "a b",
    "a-b",
    "a[0]",
    'a["b"]',
    "alert(1)//",
    "alert(1);a",
    "a;b",
    "a\n",
    "a\u2028b",
    "\u0061\u0300",
    "é",
    "а.b",
    "a/**/b",
    "<script>",
    "a&b",
    "a%2eb",
    "function",
    "delete",
    "new.target",
    "this.a",
    "a.constructor",
    "a.__proto__.b",
    "Function.prototype.call",
    "eval",
    "window.eval",
    "document.write",
    "window.opener.a.click",
    "setTimeout",
  ])("%j is none", (name) => {
    expect(isCallback(name)).toBe(false);
  });
});

describe("the script", () => {
  const value = { a: "</script><!-- \u2028\u2029 &", b: [1, null], c: 'quote " \\' };

  it("calls the function with the very value", () => {
    const called: unknown[] = [];
    runInNewContext(jsonp("one.two", value), { one: { two: (data: unknown) => called.push(JSON.stringify(data)) } });
    expect(called).toEqual([JSON.stringify(value)]);
  });

  it("begins as a comment and holds nothing that ends an element, a comment or a line", () => {
    const text = jsonp("cb", value);
    expect(text.startsWith("/**/cb(")).toBe(true);
    expect(text.endsWith(");")).toBe(true);
    expect(text).not.toMatch(/[<>&\u2028\u2029\n]/);
  });
});
