import { boundedText } from "../core/bounded-text.ts";
import { mintOpentok } from "./mint-token.ts";
import { failure } from "./outcome.ts";

/** Who asks, and where. */
export interface Credentials {
  /** Origin of a gateway's admin.listen. */
  readonly url: string;
  /** Of an operator or a customer's API key. */
  readonly id: string;
  readonly secret: string;
  readonly ist: "account" | "project";
}

export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As of `/v1/`, percent-encoded. */
  readonly path: string;
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
  /** Of a text. */
  readonly type?: string;
}

export interface Answer {
  readonly status: number;
  /** Of the customer; undefined where the answer names none. */
  readonly revision: number | undefined;
  /** Empty where there is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Milliseconds: an import of thousands is one transaction. */
const deadline = 60_000;
/** Bytes: 500 customers with hundreds of lists each. */
const largest = 32 * 1024 * 1024;

/** Asks a running gateway, each time under a token of its own. Where nobody answers the command ends, exit 1. */
export async function ask(credentials: Credentials, { method, path, body, type }: Request): Promise<Answer> {
  const { url, id, secret, ist } = credentials;
  const { token } = await mintOpentok({ key: id, ist, ttl: 60 }, secret, Math.floor(Date.now() / 1000));
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, accept: "application/json" };
  if (body !== undefined) headers["content-type"] = type ?? "application/json";
  const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  const signal = AbortSignal.timeout(deadline);
  try {
    const answer = await fetch(new URL(path, url), { method, headers, redirect: "error", signal, ...sent });
    const text = await boundedText(answer, largest);
    return { status: answer.status, revision: revisionOf(answer), body: objectOf(text) };
  } catch (error) {
    return failure(`no answer from ${url}: ${reasonOf(error)}`);
  }
}

function revisionOf({ headers }: Response): number | undefined {
  const tag = /^"([0-9]{1,15})"$/.exec(headers.get("etag") ?? "")?.[1];
  return tag === undefined ? undefined : Number(tag);
}

function objectOf(text: string): Answer["body"] {
  if (text === "") return {};
  const value: unknown = JSON.parse(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Answer["body"];
  throw new Error("its answer is no JSON object: is it a gateway's admin.listen?");
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error instanceof SyntaxError) return "its answer is no JSON: is it a gateway's admin.listen?";
  if (error.name === "TimeoutError") return `nothing within ${deadline / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  // Without a code: fetch itself refused, as it does some ports.
  return "code" in cause ? String(cause.code) : cause.message;
}
