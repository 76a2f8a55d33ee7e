import type fc from "fast-check";
import { any, type Field } from "./spelling.ts";
import { call, slots } from "./texts.ts";

/** As Replaces and Join name the call that stands. */
const ownDialog = `${call.callId};to-tag=${slots.farTag};from-tag=${call.localTag}`;
const escaped = encodeURIComponent(ownDialog);

/** What REFER asks for. */
export const referTo: fc.Arbitrary<Field[]> = any(
  "<sip:bob@acme.example>",
  "sip:bob@acme.example",
  '"Bob, <sip:eve@evil.example>" <sip:bob@acme.example>;x=y',
  "<sip:bob@acme.example;method=INVITE>",
  "<tel:+3225887001>",
  "<sip:+32-2-588.70(01)@acme.example;user=phone>",
  "<sip:%62ob@acme.example>",
  `<sip:bob@acme.example?Replaces=${escaped}>`,
  `Bob <SIP:bob@ACME.example?replaces=${escaped}>`,
).map((value) => [{ name: "Refer-To", value }]);

/** Whatever else a message may carry, and what it may not. */
export const extra: fc.Arbitrary<Field[]> = any(
  ["Supported", "path, outbound, gruu"],
  ["Supported", ""],
  ["Subject", "hello, \xe4\xb8\x96 <sip:eve@evil.example>"],
  ["User-Agent", "JsSIP 3.13.8"],
  ["Content-Type", "application/sdp"],
  ["Allow", "INVITE,ACK,CANCEL"],
  ["Expires", "60"],
  ["Expires", "3600"],
  ["X-Case", "SLOT-NR"],
  ["X-Postern-Grant", "9999999999:eve@evil.example|trunk=|trunk2=|caller=|max=0|customer=evil"],
  ["X-Postern-Token", "AAAA"],
  ["X-Postern-Other", "1"],
  ["P-Asserted-Identity", "<sip:eve@evil.example>"],
  ["P-Preferred-Identity", "<sip:eve@evil.example>, <tel:+1>"],
  ["Remote-Party-ID", "<sip:eve@evil.example>;party=calling"],
  ["Diversion", "<sip:eve@evil.example>"],
  ["History-Info", "<sip:eve@evil.example>;index=1"],
  ["Identity", "eyJ.eyJ.sig;info=<https://evil.example/c>"],
  ["P-Charging-Vector", "icid-value=1"],
  ["P-Charging-Function-Addresses", "ccf=192.0.2.1"],
  ["Alert-Info", "<http://evil.example/>"],
  ["Answer-Mode", "Auto"],
  ["Route", "<sip:evil.example;lr>"],
  ["Record-Route", "<sip:evil.example;lr>, <sip:evil2.example;lr>"],
  ["Path", "<sip:evil.example;lr>"],
  ["Authorization", 'Digest username="x", realm="else.example", nonce="n", uri="sip:a", response="0"'],
  ["Proxy-Authorization", 'Digest username="x", realm="else.example", nonce="n", uri="sip:a", response="0"'],
  ["Session-Expires", "1800;refresher=uac"],
  ["Refer-To", "<sip:bob@acme.example>"],
  ["Refer-To", "sip:bob@acme.example"],
  ["Replaces", ownDialog],
  ["Replaces", `${ownDialog};early-only`],
  ["Join", ownDialog],
  ["Event", "presence"],
  ["Date", "Sat, 13 Nov 2010 23:29:00 GMT"],
  ["Timestamp", "54.2"],
  ["Warning", '399 x "a, b"'],
  ["Accept", "*/*"],
  ["Unknown-Thing", 'a:b;c="d" ,,; \xff'],
  ["N", "one-letter"],
  ["Subject", "s".repeat(8_000)],
  ["Allow", new Array<string>(500).fill("INVITE").join(", ")],
).map(([name, value]) => [{ name: name!, value: value! }]);
