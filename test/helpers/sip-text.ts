import type { Message } from "../../src/sip/message.ts";
import { type Request, readRequest } from "../../src/sip/request.ts";
import { type ScanOptions, scan } from "../../src/sip/scan.ts";

/** SIP messages by hand for unit tests, and what the scanner makes of them. Characters are bytes (latin1). */
export interface Written {
  /** Default: a request line of method and uri. */
  readonly start?: string;
  readonly method?: string;
  readonly uri?: string;
  /** Replaces the default fields of the same name; undefined leaves one out; others are added behind them. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** Whole lines without CRLF behind all fields. */
  readonly extra?: readonly string[];
  readonly body?: string;
}

export function sip({ method = "INVITE", body = "", ...rest }: Written = {}): string {
  const fields = {
    Via: "SIP/2.0/WS abc.invalid;branch=z9hG4bK1",
    "Max-Forwards": "69",
    From: "<sip:alice@acme.example>;tag=a1",
    To: "<sip:bob@acme.example>",
    "Call-ID": "c1",
    CSeq: `1 ${method}`,
    ...rest.fields,
    ...(rest.fields && "Content-Length" in rest.fields ? {} : { "Content-Length": String(body.length) }),
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  const start = rest.start ?? `${method} ${rest.uri ?? "sip:bob@acme.example"} SIP/2.0`;
  return [start, ...lines, ...(rest.extra ?? []), "", body].join("\r\n");
}

export const wire = (text: string): Buffer => Buffer.from(text, "latin1");

export function scanned(text: string, options?: ScanOptions): Message {
  const result = scan(wire(text), options);
  if (result.kind === "message") return result.message;
  throw new Error(`malformed: ${result.reason}`);
}

export function readOf(text: string): Request {
  const result = readRequest(scanned(text));
  if (result.kind === "request") return result.request;
  throw new Error(`malformed: ${result.reason}`);
}

/** Why it is malformed; `none` where it is not. */
export function scanReason(text: string | Buffer, options?: ScanOptions): string {
  const result = scan(typeof text === "string" ? wire(text) : text, options);
  return result.kind === "malformed" ? result.reason : "none";
}

/** Milliseconds of this process's own time that the work takes. */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
