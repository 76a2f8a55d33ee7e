import { describe, expect, it } from "vitest";
import { ambiguity } from "../../../src/sip/ambiguous.ts";
import { scan } from "../../../src/sip/scan.ts";

const usual: Readonly<Record<string, string>> = {
  Via: "SIP/2.0/WS a.invalid;branch=z9hG4bK1",
  From: "<sip:alice@acme.example>;tag=1",
  To: "<sip:bob@acme.example>",
  "Call-ID": "1",
  CSeq: "1 OPTIONS",
};

/** Of an OPTIONS, or of its answer, with these fields instead of the usual ones or beside them. */
function found(fields: Readonly<Record<string, string>>, start = "OPTIONS sip:bob@acme.example SIP/2.0"): string {
  const lines = Object.entries({ ...usual, ...fields }).map(([name, value]) => `${name}: ${value}`);
  const scanned = scan(Buffer.from([start, ...lines, "Content-Length: 0", "", ""].join("\r\n"), "latin1"));
  return scanned.kind === "malformed" ? `malformed: ${scanned.reason}` : (ambiguity(scanned.message) ?? "nothing");
}

describe("what Kamailio reads otherwise, or closes a leg over", () => {
  it.each([
    ['SIP/2.0/WS a.invalid;x="a,b";branch=z9hG4bK1', "a comma or a backslash within quotes in Via: leave it out"],
    ['SIP/2.0/WS a.invalid;branch=z9hG4bK1;x="a\\"b"', "a comma or a backslash within quotes in Via: leave it out"],
    [
      'SIP/2.0/WS a.invalid;branch=z9hG4bK1, SIP/2.0/UDP b.example;x="a,b"',
      "a comma or a backslash within quotes in Via: leave it out",
    ],
    ["SIP/2.0/WS a.invalid;branch=z9hG4bK1, 2.0/UDP b.example", "a Via cannot be read"],
    ["SIP/2.0/WS a.invalid;branch=z9hG4bK1,", "a Via cannot be read"],
    ["SIP/2.0/lWS a.invalid;branch=z9hG4bK1", "the transport in Via is none"],
    ["SIP / 2.0 / DTLS-UDP a.invalid;branch=z9hG4bK1", "the transport in Via is none"],
    ["SIP/2.0/WS a.invalid;branch=z9hG4bK1, SIP/2.0/0 b.example", "a Via cannot be read"],
  ])("is in Via: %s", (via, reason) => expect(found({ Via: via })).toBe(reason));

  it.each([
    "SIP/2.0/WS a.invalid;branch=z9hG4bK1;received=192.0.2.1;rport=5555",
    "SIP/2.0/WS a.invalid;Received=192.0.2.1;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.9",
  ])("is received in the topmost Via of a request, not of an answer: %s", (via) => {
    expect(found({ Via: via })).toBe("received in the topmost Via: leave it out");
    expect(found({ Via: via }, "SIP/2.0 200 OK")).toBe("nothing");
  });

  it("is in a further Via", () => expect(found({ v: "SIP/2.0/UDP" })).toBe("a Via cannot be read"));

  it.each([
    "SIP/2.0/WS a.invalid;branch=z9hG4bK1;rport;x=y",
    'SIP/2.0/WS a.invalid;branch=z9hG4bK1;x="a;b";y="", SIP/2.0/UDP b.example;x="<c>"',
    "SIP / 2.0 / UDP a.invalid : 5060 ; branch = z9hG4bK1 ,\r\n SIP/2.0/TCP [2001:db8::9];received=192.0.2.1",
    "SIP/2.0/WS a.invalid;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.9",
    "SIP/2.0/wss a.invalid;branch=z9hG4bK1, SIP/2.0/TLS-SCTP 192.0.2.9, SIP/2.0/UNKNOWN 192.0.2.9",
  ])("is not in Via: %s", (via) => expect(found({ Via: via })).toBe("nothing"));

  it("is not received in a branch or another parameter's name", () =>
    expect(found({ Via: "SIP/2.0/WS a.invalid;branch=z9hG4bKreceived;x-received=1" })).toBe("nothing"));

  it.each(["1\r\n OPTIONS", "\r\n 1 OPTIONS"])("is a folded CSeq: %j", (cseq) =>
    expect(found({ CSeq: cseq })).toBe("CSeq is folded over lines: write it on one"),
  );

  it.each(["<sip:bob@acme.example?Subject=x>", "<sips:acme.example?>"])(
    "is header fields in a URI of To: %s",
    (uri) => {
      expect(found({ To: uri })).toBe("From or To holds header fields after ?: leave them out");
      expect(found({ From: `${uri};tag=1` })).toBe("From or To holds header fields after ?: leave them out");
    },
  );

  it.each(["<sip:b?b@acme.example>", '<sip:bob@acme.example>;x="?"'])("is not in To: %s", (to) =>
    expect(found({ To: to })).toBe("nothing"),
  );

  it("is white space after the Call-ID", () => {
    expect(found({ "Call-ID": "1 " })).toBe("white space after the Call-ID: leave it out");
    expect(found({ "Call-ID": "1\t" })).toBe("white space after the Call-ID: leave it out");
    expect(found({ "Call-ID": "\r\n 1" })).toBe("nothing");
  });

  it.each(["", "x", "60 s", "-1", "4294967296"])("is an Expires of %j", (expires) => {
    expect(found({ Expires: expires })).toBe("Expires is not a number of seconds");
    expect(found({ Expires: expires }, "SIP/2.0 200 OK")).toBe("nothing");
  });

  it.each(["0", "0060", "4294967295"])("is not an Expires of %j", (expires) =>
    expect(found({ Expires: expires })).toBe("nothing"),
  );

  it.each(["", "x", "9493*0", "60,5", "-1", "4294967296"])("is a Retry-After of %j", (value) => {
    expect(found({ "Retry-After": value })).toBe("Retry-After is not a number of seconds");
    expect(found({ "retry-after": value }, "SIP/2.0 486 Busy Here")).toBe("Retry-After is not a number of seconds");
  });

  it.each(["0060", "18000;duration=3600", "120 (I'm in a meeting)", "60\r\n (x)"])(
    "is not a Retry-After of %j",
    (value) => expect(found({ "Retry-After": value })).toBe("nothing"),
  );

  it.each([
    "th: 0",
    '<si"am>',
    '"x <sip:bob@acme.example>',
    '"Bob,\r\n x" <sip:bob@acme.example>',
    '<sip:bob@acme.example>;x="a\\"b"',
  ])("is a Refer-To of %j", (value) => {
    expect(found({ "Refer-To": value })).toBe("Refer-To cannot be read, or not by everybody");
    expect(found({ r: value })).toBe("Refer-To cannot be read, or not by everybody");
  });

  it.each([
    "<sip:bob@acme.example?Replaces=1%3Bto-tag%3D2>",
    '"Bob \\"x\\"" <tel:+32>;x="a,b"',
    "sip:bob@acme.example",
  ])("is not a Refer-To of %j", (value) => expect(found({ r: value })).toBe("nothing"));
});
