import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Arena } from "./arena.ts";
import { differences, disagreement } from "./compare.ts";
import { type Outcome, outcomes } from "./outcome.ts";
import type { Report } from "./report.ts";
import { own, viaHost } from "./texts.ts";

type Passed = Extract<Outcome, { kind: "passed" }>;

const text = (method: string, to: string, fields: readonly string[]): string =>
  [
    `${method} sip:${to} SIP/2.0`,
    `Via: SIP/2.0/WS ${viaHost};branch=z9hG4bK${method}, SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKx;received=192.0.2.1`,
    `From: <sip:${own}>;tag=1`,
    `To: <sip:${method === "REGISTER" ? own : "bob@acme.example"}>`,
    `Call-ID: ${method}`,
    `CSeq: 1 ${method}`,
    "Max-Forwards: 70",
    `Contact: <sip:alice@${viaHost}>;expires=60`,
    ...fields,
    "Content-Length: 4",
    "",
    "body",
  ].join("\r\n");

let arena: Arena;
let request: Passed;
let register: Passed;
beforeAll(async () => {
  arena = await Arena.open();
  const texts = [
    text("OPTIONS", "bob@acme.example;transport=ws", ["Refer-To: <sip:bob@acme.example>", "Expires: 60"]),
    text("REGISTER", "acme.example", []),
  ];
  [request, register] = (await outcomes(arena, texts)) as [Passed, Passed];
});
afterAll(() => arena.close());

/** The outcome, had Kamailio said something else of this. */
function doctored(outcome: Passed, part: "parsed" | "believed", name: string, value: string): Passed {
  const report: Report = { ...outcome.report, [part]: new Map(outcome.report[part]).set(name, value) };
  return { ...outcome, report };
}

/** Not compared: which leg it was, and when; the body of Contact says no more than whether it is `*`. */
const besides = new Set(["port", "before", "now", "contact.body"]);

describe("the comparison", () => {
  it("finds nothing where both read the same", () => {
    expect(disagreement(request)).toBeUndefined();
    expect(disagreement(register)).toBeUndefined();
  });

  it.each(["parsed", "believed"] as const)("looks at each field that is %s", (part) => {
    const names = [...request.report[part]!.keys()].filter((name) => !besides.has(name));
    expect(names.length).toBeGreaterThan(part === "parsed" ? 35 : 5);
    const blind = names.filter((name) => {
      const value = request.report[part]!.get(name)!;
      return disagreement(doctored(request, part, name, `${value}0`)) === undefined;
    });
    expect(blind).toEqual(["bindings"].filter((name) => names.includes(name)));
  });

  it.each(["X-Postern-Grant", "P-Asserted-Identity", "Diversion", "Route", "Path"])("counts %s", (name) => {
    const counts = request.report.parsed.get("counts")!.split(",");
    const kinds = counts.map((count, at) => [...counts.slice(0, at), Number(count) + 1, ...counts.slice(at + 1)]);
    const found = kinds.map((all) => differences(doctored(request, "parsed", "counts", all.join(","))));
    expect(found.every((all) => all.length === 1)).toBe(true);
    expect(found.flat().map(({ field }) => field)).toContain(`count of ${name}`);
  });

  it.each([
    ["another address", "sip:eve@evil.example 60"],
    ["a longer life", `sip:alice@${viaHost} 600`],
    ["none", ""],
  ])("sees a binding of %s", (_, line) => {
    const now = Number(register.report.believed?.get("now"));
    const kept = line.replace(/\d+$/, (seconds) => String(now + Number(seconds)));
    expect(disagreement(doctored(register, "believed", "bindings", kept))).toBe("bindings");
  });

  it("sees that the shipped routes refused it, and that nothing or too much was said of it", () => {
    const { sent, forwarded, report } = request;
    expect(disagreement({ ...request, report: { ...report, believed: undefined } })).toBe("grant");
    for (const kind of ["lost", "surplus", "stuck"] as const)
      expect(disagreement({ kind, sent, forwarded })).toBe(kind);
    expect(disagreement({ kind: "refused", code: "message-malformed" })).toBeUndefined();
  });
});
