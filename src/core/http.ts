import type { Duplex } from "node:stream";
import type { Code } from "./errors.ts";

/** An answer to a request that no route has seen (RFC 9457 §3). */
export interface Problem {
  readonly status: keyof typeof titles;
  /** A 408 has none. */
  readonly code?: Code;
  readonly detail: string;
  /** Further header fields. */
  readonly headers?: Readonly<Record<string, string>>;
}

const titles = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Payload Too Large",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
} as const;

/** A request's head, as Node shows it. */
export interface Head {
  readonly httpVersion: string;
  readonly url?: string | undefined;
  readonly headersDistinct: Readonly<Record<string, readonly string[] | undefined>>;
}

const host: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "the request has no Host, or more than one: send it once (RFC 9112 section 3.2)",
  headers: { connection: "close" },
};

const encoding: Problem = {
  status: 415,
  code: "message-malformed",
  detail: "the body has a Content-Encoding: send it as it is, without one",
  headers: { "accept-encoding": "identity" },
};

const version: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "the request is of another version of HTTP: send HTTP/1.1 (RFC 9112)",
  headers: { connection: "close" },
};

const chunks: Problem = {
  status: 400,
  code: "message-malformed",
  detail:
    "Transfer-Encoding is not chunked alone, or the request is HTTP/1.0: send Content-Length (RFC 9112 section 6.1)",
  headers: { connection: "close" },
};

const fragment: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "the request target holds a #, which ends it for some readers: send it as %23, or nothing from it on",
};

const expectation: Problem = {
  status: 417,
  code: "message-malformed",
  detail: "Expect is not 100-continue: send the request without it (RFC 9110 section 10.1.1)",
};

/**
 * What Node lets through though two readers could take it for two requests, or for another one: version, Host, where
 * the target ends, and a body that is not what it seems.
 */
export function headFault({ httpVersion, url = "", headersDistinct: fields }: Head): Problem | undefined {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return version;
  const hosts = fields.host?.length ?? 0;
  if (hosts > 1 || (hosts === 0 && httpVersion !== "1.0")) return host;
  const coded = fields["transfer-encoding"]?.join();
  if (coded !== undefined && (httpVersion === "1.0" || coded.toLowerCase() !== "chunked")) return chunks;
  if (url.includes("#")) return fragment;
  if (!/^(?:100-continue)?$/i.test(fields.expect?.join() ?? "")) return expectation;
  return fields["content-encoding"] === undefined ? undefined : encoding;
}

/** Milliseconds that the answer may take to be sent. */
const patience = 2_000;

/** Answers on the connection itself, which ends with that. Node's own time limits may no longer hold for it. */
export function answerAndClose(stream: Duplex, { status, code, detail, headers = {} }: Problem): void {
  const title = titles[status];
  const body = JSON.stringify({ title, status, ...(code && { code }), detail });
  const fields = {
    connection: "close",
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
    "content-length": Buffer.byteLength(body),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  setTimeout(() => stream.destroy(), patience).unref();
  stream.once("finish", () => stream.destroy());
  stream.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join("")}\r\n${body}`);
}
