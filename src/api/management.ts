import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { ManagementAuthenticator, ManagementProof, Manager } from "../auth/management.ts";
import { codes, type Refusal, refuse } from "../core/errors.ts";
import type { FailureCounts } from "../exchange/context.ts";
import type { Log } from "../telemetry/log.ts";
import { sameAddress } from "./addresses.ts";
import { answer, refusal as problemOf } from "./http.ts";

export interface ManagementOptions {
  readonly authenticator: ManagementAuthenticator;
  readonly failures: FailureCounts;
  /** `limits.failuresPerMinute`. */
  readonly failuresPerMinute: () => number;
  /** A request was proved to be this manager's. */
  readonly signedIn?: (manager: Manager, address: string) => void;
  readonly log: Log;
}

/** What failures of management are counted under. */
const counted = ["management"] as const;

type Credential =
  | { readonly kind: "opentok" | "bearer"; readonly token: string }
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly form: Form; readonly refusal: Refusal };
type Form = "opentok" | "bearer";

/** Who manages, or undefined: then the reply has been sent. Every attempt is logged. */
export async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ManagementOptions,
): Promise<Manager | undefined> {
  const address = sameAddress(request.socket.remoteAddress ?? "");
  const credential = readCredential(request);
  const form = credential.kind === "unreadable" ? credential.form : credential.kind;
  const verdict = await judge(credential, request, address, options);
  const asked = { address, method: request.method, path: request.routeOptions.url, ...idIn(request) };
  if (verdict.kind !== "refused") {
    options.log.info({ ...asked, ...nameOf(verdict) }, "management request");
    options.signedIn?.(verdict, address);
    return verdict;
  }
  const { refusal, manager } = verdict;
  const who = manager ? nameOf(manager) : {};
  options.log.warn({ ...asked, ...who, code: refusal.code, reason: refusal.sentence }, "management request refused");
  answerRefusal(reply, form, refusal);
  return undefined;
}

/** Whom it is about, where that can be somebody. */
export function idIn({ params }: FastifyRequest): { readonly id?: string } {
  const { id = "" } = (params ?? {}) as { readonly id?: string };
  return /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(id) ? { id } : {};
}

export const nameOf = (manager: Manager): Record<string, string> =>
  manager.kind === "operator" ? { operator: manager.id } : { customer: manager.customer.id, by: manager.apiKey };

/**
 * What was not proved counts against the address; a clock that is wrong, and no credential at all, do not. In turn, for
 * many requests may come at once, on one connection too.
 */
async function judge(
  credential: Credential,
  { method }: FastifyRequest,
  address: string,
  { authenticator, failures, failuresPerMinute }: ManagementOptions,
): Promise<ManagementProof> {
  if (credential.kind === "none") return refused(missing);
  const perMinute = failuresPerMinute();
  const isRead = method === "GET" || method === "HEAD";
  const prove = async (): Promise<ManagementProof> => {
    if (await failures.isOver(address, counted, perMinute)) return refused(tooMany);
    const proof =
      credential.kind === "unreadable"
        ? refused(credential.refusal)
        : await authenticator.prove({ token: credential.token, isRead, holder: randomUUID() });
    if (proof.kind === "refused" && !proof.manager) await failures.add(address, counted, perMinute);
    return proof;
  };
  return failures.inTurn(address, "management", perMinute, prove, () => refused(crowded));
}

const refused = (refusal: Refusal): ManagementProof => ({ kind: "refused", refusal });

const missing = refuse(
  "credential-rejected",
  "management needs a token: send X-OPENTOK-AUTH: <JWT> or Authorization: Bearer <JWT>",
);
const tooMany = refuse("rate-limited", "too many failed attempts from this address: try again in a minute");
const crowded = refuse("rate-limited", "too many tokens of this address are being proved now: try again in a minute");
const twice = refuse(
  "credential-malformed",
  "the request has more than one credential: send X-OPENTOK-AUTH or Authorization, once",
);
const noBearer = refuse("credential-malformed", "Authorization is not of the form Bearer <JWT>");

/** Node passes over a second Authorization; whoever reads the last one would see another token. */
function readCredential({ raw }: FastifyRequest): Credential {
  const { "x-opentok-auth": opentok = [], authorization = [] } = raw.headersDistinct;
  const form = opentok.length > 0 ? "opentok" : "bearer";
  const [value, ...more] = [...opentok, ...authorization];
  if (value === undefined) return { kind: "none" };
  if (more.length > 0) return { kind: "unreadable", form, refusal: twice };
  if (form === "opentok") return { kind: form, token: value };
  const token = /^Bearer +([^\s,]+)$/i.exec(value)?.[1];
  return token === undefined ? { kind: "unreadable", form, refusal: noBearer } : { kind: form, token };
}

/** Seconds. */
const retryAfter = 60;

/** OpenTok's form has one status for all. */
function answerRefusal(reply: FastifyReply, form: Form | "none", refusal: Refusal): void {
  const { http } = codes[refusal.code];
  if (http === 429 || http === 503) reply.header("retry-after", retryAfter);
  if (form === "opentok") {
    answer(reply, 403, "application/json", { code: -1, message: refusal.sentence });
    return;
  }
  // RFC 6750 §3: without a credential there is no error to name.
  if (http === 401) reply.header("www-authenticate", form === "none" ? "Bearer" : 'Bearer error="invalid_token"');
  problemOf(reply, refusal);
}
