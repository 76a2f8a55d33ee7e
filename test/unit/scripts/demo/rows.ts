import type { Row } from "../../../../scripts/demo/row.ts";
import type { Traced, Way } from "../../../../src/telemetry/trace.ts";

/** 2027-01-15 08:00:00.250250 UTC. */
export const now = 1_799_999_999_250.25;

export const invite = (callId = "a@page"): string =>
  [
    "INVITE sip:+3225887123@acme.example SIP/2.0",
    "Via: SIP/2.0/WS x.invalid;branch=z9hG4bK1",
    `Call-ID: ${callId}`,
    "CSeq: 1 INVITE",
    'Authorization: Digest username="1800000300:alice@acme.example", response="00112233445566778899aabbccddeeff"',
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");

export const row = (more: Partial<Row> = {}): Row => ({
  id: 1,
  at: now,
  from: "browser",
  to: "postern",
  message: invite(),
  ...more,
});

/** port: of the client's socket. */
export const traced = (way: Way, callId = "a@page", port = 4711, method = "INVITE"): Traced => ({
  at: now * 1000,
  way,
  callId,
  method,
  line: {
    connection: `c${port}`,
    client: { address: "127.0.0.1", port },
    gateway: { address: "127.0.0.1", port: 8088 },
    upstream: undefined,
  },
  verdict: undefined,
});
