import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reply, replyHead, salvage } from "../../../src/sip/reply.ts";
import { cpuMs, scanned, sip, wire } from "../../helpers/sip-text.ts";

const head = replyHead(
  scanned(
    sip({
      fields: {
        Via: "SIP/2.0/WS a;branch=z9hG4bK1,\r\n SIP/2.0/UDP b",
        From: '"Al\\"x" <sip:alice@acme.example>;tag=a1',
      },
      extra: ["v: SIP/2.0/UDP c", "Record-Route: <sip:r>", "Contact: <sip:alice@a>"],
    }),
  ),
);

describe("reply", () => {
  it("takes over what RFC 3261 §8.2.6.2 says, adds a To tag and nothing of its own", () => {
    expect(reply(head, 403, "t1", ["Postern-Code: method-denied"]).toString("latin1")).toBe(
      [
        "SIP/2.0 403 Forbidden",
        "Via: SIP/2.0/WS a;branch=z9hG4bK1,   SIP/2.0/UDP b",
        "Via: SIP/2.0/UDP c",
        'From: "Al\\"x" <sip:alice@acme.example>;tag=a1',
        "To: <sip:bob@acme.example>;tag=t1",
        "Call-ID: c1",
        "CSeq: 1 INVITE",
        "Postern-Code: method-denied",
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    );
  });

  it("is a message itself, with the To tag of the request where it has one", () => {
    const inside = replyHead(scanned(sip({ fields: { To: "<sip:bob@acme.example>;tag=b1" } })));
    const message = scanned(reply(inside, 481, "t1").toString("latin1"));
    expect(message).toMatchObject({ status: 481, method: "INVITE", callId: "c1" });
    expect(message.to.params.get("tag")).toBe("b1");
  });

  it("has a reason for every status the gateway gives, and a word for any other", () => {
    for (const status of [400, 401, 403, 407, 480, 481, 503, 513]) {
      expect(reply(head, status, "t").toString("latin1")).not.toContain("Refused");
    }
    expect(reply(head, 499, "t").toString("latin1")).toMatch(/^SIP\/2\.0 499 Refused\r\n/);
  });
});

describe("salvage", () => {
  const spoil = "Subject: a\rb";
  it("finds what a reply needs in a request that is malformed elsewhere", () => {
    const text = sip({ fields: { Via: undefined, To: undefined, "Call-ID": undefined }, extra: [spoil] });
    const whole = text.replace("\r\n", "\r\nV : SIP/2.0/WS a;branch=z9hG4bK1\r\nt:<sip:bob@b>;tag=b1\r\nI: c9\r\n");
    expect(salvage(wire(whole))).toEqual({
      method: "INVITE",
      via: ["SIP/2.0/WS a;branch=z9hG4bK1"],
      from: "<sip:alice@acme.example>;tag=a1",
      to: "<sip:bob@b>;tag=b1",
      hasToTag: true,
      callId: "c9",
      cseq: "1 INVITE",
    });
  });

  it("takes the first of what occurs twice, and every Via", () => {
    const found = salvage(wire(sip({ extra: ["From: <sip:mallory@b>", "Via: SIP/2.0/WS b"] })));
    expect(found).toMatchObject({ from: "<sip:alice@acme.example>;tag=a1", hasToTag: false });
    expect(found?.via).toEqual(["SIP/2.0/WS abc.invalid;branch=z9hG4bK1", "SIP/2.0/WS b"]);
  });

  it.each([
    ["a response", sip({ start: "SIP/2.0 200 OK" })],
    ["an ACK", sip({ method: "ACK" })],
    ["no SIP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["nothing", ""],
    ["a request without Via", sip({ fields: { Via: undefined } })],
    ["a request without From", sip({ fields: { From: undefined } })],
    ["a request without To", sip({ fields: { To: undefined } })],
    ["a request without Call-ID", sip({ fields: { "Call-ID": undefined } })],
    ["a request without CSeq", sip({ fields: { CSeq: undefined } })],
    ["a request with 17 Vias", sip({ extra: Array(16).fill("Via: SIP/2.0/WS b") })],
    ["a From that holds a bare CR", sip({ fields: { From: "<sip:a@b>\r;tag=1" } })],
    ["a From beyond a kilobyte", sip({ fields: { From: `<sip:${"a".repeat(1100)}@b>` } })],
    ["what it needs in the body alone", sip({ fields: { To: undefined }, body: "To: <sip:a@b>\r\n" })],
    ["an escape in the method", sip({ start: "INV%49TE sip:a SIP/2.0" })],
  ])("finds nothing to answer in %s", (_, text) => {
    expect(salvage(wire(text))).toBeUndefined();
  });

  it("gives lines that hold no line break, whatever it is given", () => {
    const lines = sip({ extra: ["constructor: x"] }).split("\r\n");
    const line = fc.oneof(fc.constantFrom(...lines), fc.string({ unit: "binary", maxLength: 20 }));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 14 }), fc.constantFrom("\r\n", "\n", "\r"), (some, end) => {
        const found = salvage(wire([lines[0], ...some].join(end)));
        if (!found) return;
        const made = reply(found, 400, "t").toString("latin1");
        expect(made.slice(0, -4).split("\r\n")).toHaveLength(6 + found.via.length);
        expect(made.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
      }),
      { numRuns: 3000 },
    );
  });

  it("reads a few KB and no more", () => {
    const late = sip({ fields: { To: undefined }, extra: [`S: ${"x".repeat(9000)}`, "To: <sip:a@b>"] });
    expect(salvage(wire(late))).toBeUndefined();
    const ms = cpuMs(() => {
      for (const piece of [" ", ":", ";", "a", "\r\n", "T: ", "To:", ";\t"]) {
        salvage(wire(sip({ extra: [`To: ${piece.repeat(30_000)}`] })));
        salvage(wire(`INVITE sip:a SIP/2.0\r\n${piece.repeat(30_000)}`));
      }
    });
    expect(ms).toBeLessThan(500);
  });
});
