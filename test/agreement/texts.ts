/** What is the same on every connection, so that a message is known by its seed and number alone. */
export const viaHost = "a.invalid";
export const own = "alice@acme.example";

/** Put in a text for what only a connection knows: of its call the branch and the far end's tag, of the call that rings the Via values. */
export const slots = {
  branch: "SLOT-BRANCH",
  farTag: "SLOT-FAR-TAG",
  kamailioVia: "SLOT-VIA-0",
  farVia: "SLOT-VIA-1",
} as const;

export const routeSet = ["<sip:198.51.100.8:5062;lr;x=y>", "<sip:198.51.100.9;lr>"] as const;
export const target = "sip:far@198.51.100.7:5070";
export const call = { callId: "agreement-call", localTag: "agreement-alice" } as const;
export const incomingCall = { callId: "agreement-incoming", tag: "agreement-caller", cseq: 7 } as const;
export const incomingRoute = "<sip:198.51.100.20;lr>";

const lines = (...all: readonly string[]): string => [...all, "Content-Length: 0", "", ""].join("\r\n");

/** Makes the dialog that requests of the harness are in. branch: no other connection's, or Kamailio takes it for a retransmission. */
export const invite = (branch: string): string =>
  lines(
    "INVITE sip:far@acme.example SIP/2.0",
    `Via: SIP/2.0/WS ${viaHost};branch=${branch}`,
    "Max-Forwards: 70",
    `From: <sip:${own}>;tag=${call.localTag}`,
    "To: <sip:far@acme.example>",
    `Call-ID: ${call.callId}`,
    "CSeq: 1 INVITE",
    `Contact: <sip:alice@${viaHost};transport=ws>`,
  );

/** Answered after all that was sent before it. */
export const fence = (number: number): string =>
  lines(
    "OPTIONS sip:fence@acme.example SIP/2.0",
    `Via: SIP/2.0/WS ${viaHost};branch=z9hG4bKfence${number}`,
    "Max-Forwards: 70",
    `From: <sip:${own}>;tag=fence`,
    "To: <sip:fence@acme.example>",
    `Call-ID: fence-${number}`,
    "CSeq: 1 OPTIONS",
  );

/** From the far end by UDP, for Kamailio to send to the leg that announced this port. */
export const incoming = (announced: number): string =>
  lines(
    `INVITE sip:alice@${viaHost};transport=ws SIP/2.0`,
    "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKincoming",
    `Record-Route: ${incomingRoute}`,
    "Max-Forwards: 70",
    `From: <sip:caller@pbx.example>;tag=${incomingCall.tag}`,
    `To: <sip:${own}>`,
    `Call-ID: ${incomingCall.callId}`,
    `CSeq: ${incomingCall.cseq} INVITE`,
    "Contact: <sip:caller@198.51.100.20>",
    `X-Leg: ${announced}`,
  );
