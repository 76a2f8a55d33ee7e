import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Edit, splice } from "../../../src/sip/splice.ts";
import { scanned, sip, wire } from "../../helpers/sip-text.ts";

describe("splice", () => {
  it("replaces, removes and inserts, and leaves every other byte alone", () => {
    const edits = [
      { start: 0, end: 0, text: "<" },
      { start: 2, end: 4, text: "" },
      { start: 4, end: 5, text: "xyz" },
      { start: 9, end: 9, text: ">" },
    ];
    expect(splice(wire("012345678"), edits).toString("latin1")).toBe("<01xyz5678>");
    expect(splice(wire("abc"), []).toString("latin1")).toBe("abc");
    expect(splice(Buffer.alloc(0), [{ start: 0, end: 0, text: "a" }]).toString()).toBe("a");
  });

  it("writes one byte a character", () => {
    expect(splice(Buffer.from([0xff, 0x00, 0xe4]), [{ start: 1, end: 2, text: "\xe4\xff" }])).toEqual(
      Buffer.from([0xff, 0xe4, 0xff, 0xe4]),
    );
  });

  it("does on bytes what slicing does on text, whatever the bytes and the edits", () => {
    const cut = fc.tuple(
      fc.nat(60),
      fc.nat(60),
      fc.uint8Array({ maxLength: 6 }).map((text) => Buffer.from(text).toString("latin1")),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 60, maxLength: 60 }), fc.array(cut, { maxLength: 6 }), (given, cuts) => {
        const bytes = Buffer.from(given);
        const points = cuts.flatMap((cut) => cut.slice(0, 2) as [number, number]).sort((a, b) => a - b);
        const edits: Edit[] = cuts.map(([, , text], at) => ({
          start: points[2 * at]!,
          end: points[2 * at + 1]!,
          text,
        }));
        let oracle = bytes.toString("latin1");
        for (const { start, end, text } of edits.toReversed())
          oracle = oracle.slice(0, start) + text + oracle.slice(end);
        expect(splice(bytes, edits).toString("latin1")).toBe(oracle);
        expect(bytes).toEqual(Buffer.from(given));
      }),
      { numRuns: 2000 },
    );
  });

  it("takes out a folded header field by the scanner's offsets, and nothing else", () => {
    const text = sip({
      extra: ["X-One: a\r\n b\r\n\tc", "X-Two : d\r\n  e", "X-Three:f"],
      body: "X-Two: in the body\r\n",
    });
    const { headers, bytes } = scanned(text);
    const { start, end } = headers.find(({ name }) => name === "x-two")!;
    expect(splice(bytes, [{ start, end, text: "" }]).toString("latin1")).toBe(text.replace("X-Two : d\r\n  e\r\n", ""));
  });

  it("replaces a value inside a folded header field by the scanner's offsets", () => {
    const text = sip({ fields: { Contact: "<sip:a@h>\r\n ;q=1 ,\r\n\t<sip:b@h>\r\n ;q=2" } });
    const message = scanned(text);
    const second = message.values("contact")[1]!;
    const edit = { start: second.start, end: second.start + second.text.length, text: "<sip:c@h>" };
    expect(splice(message.bytes, [edit]).toString("latin1")).toBe(text.replace("<sip:b@h>\r\n ;q=2", "<sip:c@h>"));
  });
});
