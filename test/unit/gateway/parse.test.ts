import { describe, expect, it } from "vitest";
import { type Parsed, parse } from "../../../src/gateway/parse.ts";
import { sip, type Written, wire } from "../../helpers/sip-text.ts";

const read = (text: string, limit = 30_000): Parsed => parse(wire(text), limit);
const of = (written: Written): Parsed => read(sip(written));

describe("parse", () => {
  it("knows keep-alives: a double CRLF is a ping", () => {
    expect(read("\r\n\r\n")).toEqual({ kind: "keep-alive", ping: true });
    expect(read("\r\n")).toEqual({ kind: "keep-alive", ping: false });
    expect(read("")).toEqual({ kind: "keep-alive", ping: false });
    for (const text of ["\n", "\r", "\n\n\n\n", "\r\n\r\n\r\n", "\r\n \r", "abcd"])
      expect(read(text).kind).toBe("noise");
  });

  it("reads a request, and a response as a message", () => {
    expect(of({})).toMatchObject({ kind: "request", request: { method: "INVITE" } });
    expect(of({ start: "SIP/2.0 200 OK" })).toMatchObject({ kind: "response", message: { status: 200 } });
  });

  it("refuses what is malformed with a reply's head and a sentence", () => {
    expect(of({ extra: ["From: <sip:x@y>"] })).toMatchObject({
      kind: "refused",
      refusal: { code: "message-malformed", sentence: "more than one from." },
      head: { callId: "c1", from: "<sip:alice@acme.example>;tag=a1" },
    });
    expect(of({ uri: "sip:a:b@c" })).toMatchObject({ kind: "refused", head: { callId: "c1" } });
  });

  it("speaks sentences that fit a quoted string", () => {
    const all = [
      of({ fields: { From: 'Al"ice <sip:a@b>' } }),
      of({ uri: "sip:@" }),
      of({ fields: { CSeq: "x" } }),
      read("x"),
    ];
    for (const parsed of all) {
      const sentence = "refusal" in parsed ? parsed.refusal.sentence : "";
      expect(sentence).toMatch(/^[ !#-[\]-~]+$/);
    }
  });

  it("refuses what is too big, unread, and takes what is just not", () => {
    const text = sip({ method: "MESSAGE", body: "x".repeat(5000) });
    expect(read(text, text.length).kind).toBe("request");
    expect(read(text, 0).kind).toBe("request");
    expect(read(text, text.length - 1)).toMatchObject({
      kind: "refused",
      refusal: { code: "message-too-big", sentence: `the message is larger than ${text.length - 1} bytes: send less` },
      head: { method: "MESSAGE" },
    });
    expect(read("x".repeat(100), 99)).toMatchObject({ kind: "noise", refusal: { code: "message-too-big" } });
  });

  it("drops a wrong response or ACK, for nobody waits to hear about it", () => {
    expect(of({ start: "SIP/2.0 200 OK", extra: ["From: x"] })).toEqual({
      kind: "dropped",
      reason: "more than one from.",
    });
    expect(of({ method: "ACK", extra: ["From: x"] }).kind).toBe("dropped");
    expect(of({ method: "ACK", uri: "sip:a:b@c" }).kind).toBe("dropped");
  });

  it("has nothing to answer where there is no SIP", () => {
    for (const text of ["GET / HTTP/1.1\r\n\r\n", "\0".repeat(64), "{}", "INVITE", "ACK"]) {
      expect(read(text)).toMatchObject({ kind: "noise", refusal: { code: "message-malformed" } });
    }
  });
});
