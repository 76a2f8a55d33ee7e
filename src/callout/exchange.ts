import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { Agents, Judged } from "./agents.ts";
import { type Answer, type Failed, failures } from "./result.ts";
import { hostOf, type Target } from "./target.ts";

export interface Sending {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | (() => string) | undefined;
  readonly maxBytes: number;
  /** The end of all patience: nothing here goes on after it. */
  readonly signal: AbortSignal;
}

/** One request and its answer, redirects as they are. What the server closed while it was kept is asked once more. */
export async function exchange(target: Target, sending: Sending, agents: Agents): Promise<Answer | Failed> {
  const first = await attempt(target, sending, agents);
  return first === "stale" ? again(attempt(target, sending, agents)) : first;
}

const again = async (attempted: ReturnType<typeof attempt>): Promise<Answer | Failed> => {
  const second = await attempted;
  return second === "stale" ? failures.unreachable : second;
};

async function attempt(target: Target, sending: Sending, agents: Agents): Promise<Answer | Failed | "stale"> {
  const body = typeof sending.body === "function" ? sending.body() : sending.body;
  const request = open(target, sending, agents);
  try {
    const response = await responseOf(request, body);
    const answer = await read(response, sending.maxBytes);
    if (answer.kind === "failed") request.destroy();
    return answer;
  } catch (error) {
    request.destroy();
    if (request.reusedSocket && codeOf(error) === "ECONNRESET" && !sending.signal.aborted) return "stale";
    return failureOf(error, sending.signal);
  }
}

function open({ url, addresses }: Target, { method, headers, signal }: Sending, agents: Agents): ClientRequest {
  const secure = url.protocol === "https:";
  const options: https.RequestOptions & Judged = {
    method,
    host: hostOf(url),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: { accept: "*/*", ...headers, "accept-encoding": "identity" },
    agent: secure ? agents.https : agents.http,
    lookup: onlyTo(addresses),
    judged: addresses.toSorted().join(),
    maxHeaderSize: 16_384,
    signal,
  };
  return secure ? https.request(options) : http.request(options);
}

/** Names no address but those that were judged, so that the name cannot lead elsewhere a moment later. */
function onlyTo(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, { all: several }, answer) => {
    const [one] = all;
    if (several) answer(null, [...all]);
    else if (one) answer(null, one.address, one.family);
  };
}

/** Interim answers (RFC 9110 §15.2) before the answer; each costs us as much as it costs the server. */
const mostInterim = 8;

function responseOf(request: ClientRequest, body: string | Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Stays for what goes wrong while the body is read: that is told by the response as well.
    request.on("error", reject);
    request.on("response", resolve);
    let interim = 0;
    request.on("information", () => ++interim > mostInterim && reject(new Error("interim answers without end")));
    // 101 (RFC 9110 §15.2.2) was not asked for: Node closes, and says no more.
    request.on("close", () => reject(new Error("closed without an answer")));
    request.end(body);
  });
}

async function read(response: IncomingMessage, maxBytes: number): Promise<Answer | Failed> {
  const { statusCode: status = 0, headers } = response;
  if ((headers["content-encoding"] ?? "identity").toLowerCase() !== "identity") return failures.encoding;
  if (Number(headers["content-length"] ?? 0) > maxBytes) return failures.tooBig;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return failures.tooBig;
    chunks.push(chunk);
  }
  return { kind: "answer", status, headers, body: Buffer.concat(chunks) };
}

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

const ofTls =
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|EPROTO)/;

function failureOf(error: unknown, signal: AbortSignal): Failed {
  if (signal.aborted) return failures.timeout;
  return ofTls.test(codeOf(error)) ? failures.tls : failures.unreachable;
}
