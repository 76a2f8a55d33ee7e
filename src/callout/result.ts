import type { IncomingHttpHeaders } from "node:http";

export type FailureReason =
  /** No URL that may be called at all. */
  | "url"
  /** http:// beyond the allowed networks. */
  | "insecure"
  /** An address that is neither public nor of an allowed network. */
  | "address"
  | "unresolved"
  | "unreachable"
  | "timeout"
  | "too-big"
  /** The answer comes in a coding that was not asked for. */
  | "encoding"
  | "redirect"
  | "tls";

export interface Failed {
  readonly kind: "failed";
  readonly reason: FailureReason;
  /** What is wrong, what to do; holds nothing of the URL and nothing that was answered. */
  readonly sentence: string;
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type CallOutResult = Answer | Failed;

export const failed = (reason: FailureReason, sentence: string): Failed => ({ kind: "failed", reason, sentence });

export const failures = {
  url: failed("url", "the URL is no absolute https:// URL without user, password and fragment"),
  insecure: failed("insecure", "the URL is http://, taken inside exchange.callbackNetworks only: use https://"),
  address: failed(
    "address",
    "the URL leads to an address that is not public: add its network to exchange.callbackNetworks if that is meant",
  ),
  unresolved: failed("unresolved", "the host of the URL has no address: check its name"),
  unreachable: failed("unreachable", "the URL could not be reached, or its answer broke off"),
  busy: failed("unreachable", "too many URLs are being called at once: try again"),
  timeout: failed("timeout", "the URL did not answer in full in time"),
  tooBig: failed("too-big", "the answer of the URL is too big"),
  encoding: failed("encoding", "the answer of the URL is compressed, which it was not asked for"),
  redirect: failed("redirect", "the URL redirects: only GET follows 301 to 303, up to three times, on the same origin"),
  tls: failed("tls", "the URL's certificate does not prove its host, or TLS failed"),
} as const;
