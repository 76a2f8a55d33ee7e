import { describe, expect, it } from "vitest";
import { Customers } from "../../../src/core/customers.ts";
import { corsHeaders } from "../../../src/exchange/cors.ts";
import { pageOrigin } from "../../../src/exchange/origin.ts";
import { customer } from "../../helpers/customers.ts";

describe("the page behind a request", () => {
  it.each([
    ["its Origin", { origin: "https://a.example", referer: "https://b.example/x" }, "https://a.example"],
    ["an opaque one", { origin: "null" }, "null"],
    ["a port", { origin: "http://[::1]:8080" }, "http://[::1]:8080"],
    [
      "the origin of Referer, for a script sends no Origin",
      { referer: "https://b.example:444/x?y=z" },
      "https://b.example:444",
    ],
    ["no page at all", {}, undefined],
    ["an address typed by a person", { "sec-fetch-site": "none" }, undefined],
  ])("is told by %s", (_, headers, origin) => {
    expect(pageOrigin(headers)).toBe(origin);
  });

  it.each([
    ["a list", { origin: "https://a.example, https://b.example" }],
    ["a path", { origin: "https://a.example/" }],
    ["no URL", { origin: "a.example" }],
    ["nothing", { origin: "" }],
    ["markup", { origin: "https://<b>" }],
    ["more than any host", { origin: `https://${"a".repeat(300)}` }],
    ["a Referer that is none", { referer: "x" }],
    ["an app's Referer", { referer: "android-app://com.example" }],
    ["a browser that names no page", { "sec-fetch-site": "cross-site", "sec-fetch-dest": "script" }],
  ])("is opaque where there stands %s", (_, headers) => {
    expect(pageOrigin(headers)).toBe("null");
  });
});

describe("which page may read an answer", () => {
  const listed = customer({ origins: ["https://www.acme.example"] });
  const other = customer({ id: "globex", domains: ["globex.example"], origins: ["https://globex.example"] });
  const customers = new Customers([listed, other]);
  const allowed = (origin: string | undefined, judge: Parameters<typeof corsHeaders>[1]): string | undefined =>
    corsHeaders(origin, judge)["access-control-allow-origin"];

  it("is before the proof any that somebody lists", () => {
    expect(allowed("https://globex.example", customers)).toBe("https://globex.example");
    expect(allowed("https://evil.example", customers)).toBeUndefined();
    expect(allowed("null", customers)).toBeUndefined();
  });

  it("is after the proof one that the customer itself lists", () => {
    expect(allowed("https://www.acme.example", listed)).toBe("https://www.acme.example");
    expect(allowed("https://globex.example", listed)).toBeUndefined();
  });

  it("is told caches as well, and never with credentials", () => {
    for (const origin of [undefined, "https://www.acme.example", "https://evil.example"]) {
      const headers = corsHeaders(origin, listed);
      expect(headers.vary).toBe("Origin");
      expect(Object.keys(headers)).not.toContain("access-control-allow-credentials");
    }
  });
});
