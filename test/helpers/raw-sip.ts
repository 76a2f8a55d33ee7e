/** SIP text by hand, for tests that must say exactly what is sent. */

export interface RequestParts {
  readonly method: string;
  readonly uri: string;
  /** Addresses, `user@domain`. */
  readonly from: string;
  /** Display name as it is written, the blank behind it too. */
  readonly name?: string;
  readonly to: string;
  readonly fromTag: string;
  readonly toTag?: string;
  readonly callId: string;
  readonly cseq: number;
  readonly branch?: string;
  /** Of the Via; its default is also the host of the Contact. */
  readonly viaHost?: string;
  readonly viaTransport?: "WS" | "UDP";
  readonly contact?: string;
  readonly routes?: readonly string[];
  /** Whole lines, without CRLF. */
  readonly extra?: readonly string[];
  readonly body?: string;
}

let branches = 0;

export function request(parts: RequestParts): string {
  const user = parts.from.split("@", 1)[0];
  const host = parts.viaHost ?? `${user}.invalid`;
  const branch = parts.branch ?? `z9hG4bK${user}${process.pid}${branches++}`;
  return text([
    `${parts.method} ${parts.uri} SIP/2.0`,
    `Via: SIP/2.0/${parts.viaTransport ?? "WS"} ${host};branch=${branch}`,
    "Max-Forwards: 70",
    ...(parts.routes ?? []).map((route) => `Route: ${route}`),
    `From: ${parts.name ?? ""}<sip:${parts.from}>;tag=${parts.fromTag}`,
    `To: <sip:${parts.to}>${parts.toTag ? `;tag=${parts.toTag}` : ""}`,
    `Call-ID: ${parts.callId}`,
    `CSeq: ${parts.cseq} ${parts.method}`,
    `Contact: ${parts.contact ?? `<sip:${user}@${host};transport=ws>`}`,
    ...(parts.extra ?? []),
    ...tail(parts.body),
  ]);
}

export interface ReplyParts {
  readonly status: string;
  readonly tag?: string;
  readonly contact?: string;
  readonly extra?: readonly string[];
  readonly body?: string;
}

/** A reply to a received request, as the far end writes it. */
export function reply(received: string, parts: ReplyParts): string {
  const copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"].flatMap((name) =>
    headers(received, name).map((value) => `${name}: ${value}`),
  );
  const to = header(received, "To") ?? "";
  return text([
    `SIP/2.0 ${parts.status}`,
    ...copied,
    `To: ${to}${parts.tag && !to.includes(";tag=") ? `;tag=${parts.tag}` : ""}`,
    ...(parts.contact ? [`Contact: ${parts.contact}`] : []),
    ...(parts.extra ?? []),
    ...tail(parts.body),
  ]);
}

const tail = (body = ""): string[] => [
  ...(body ? ["Content-Type: application/sdp"] : []),
  `Content-Length: ${Buffer.byteLength(body)}`,
  "",
  body,
];

const text = (lines: readonly string[]): string => lines.join("\r\n");

/** Values of every header field of that name (long form, any case), in order. */
export const headers = (message: string, name: string): string[] =>
  (message.split("\r\n\r\n", 1)[0] ?? "")
    .split("\r\n")
    .slice(1)
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).trim());

export const header = (message: string, name: string): string | undefined => headers(message, name)[0];

/** The route set that a reply or request lays down, its first Record-Route first. No comma occurs within one here. */
export const recordRoutes = (message: string): string[] =>
  headers(message, "Record-Route").flatMap((value) => value.split(",").map((route) => route.trim()));

/** What is between the angle brackets of a name-addr. */
export const uriOf = (value: string | undefined): string => /<([^>]*)>/.exec(value ?? "")?.[1] ?? "";

export const tagOf = (value: string | undefined): string => /;tag=([^;]+)/.exec(value ?? "")?.[1] ?? "";

/** Whether it is a reply of that status to a request of that method. */
export const isReply = (message: string, status: number, method: string): boolean =>
  message.startsWith(`SIP/2.0 ${status} `) && (header(message, "CSeq") ?? "").endsWith(` ${method}`);
