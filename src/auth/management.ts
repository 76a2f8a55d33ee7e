import { createHash, createHmac } from "node:crypto";
import { type Awaitable, after } from "../core/awaitable.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { ApiKey, Customer } from "../core/identity.ts";
import { revokedOf } from "../core/revocations.ts";
import type { JsonObject } from "../core/strict-json.ts";
import type { State } from "../state/port.ts";
import { sameText } from "./ephemeral.ts";
import { type Jws, readJws, readPayload } from "./jws-text.ts";

/** Whose word a management request is. */
export type Manager =
  | { readonly kind: "operator"; readonly id: string }
  /** apiKey: the id of the customer's key. */
  | { readonly kind: "customer"; readonly customer: Customer; readonly apiKey: string };

export interface PresentedManagement {
  /** A compact JWS, without a scheme word. */
  readonly token: string;
  /** The request changes nothing: GET, HEAD. */
  readonly isRead: boolean;
  /** Of this one request and no other. */
  readonly holder: string;
}

export type ManagementProof =
  | Manager
  /** manager: only where the token itself was proved. */
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly manager?: Manager };

export interface ManagementParts {
  readonly customers: () => Customers;
  readonly operators: () => readonly ApiKey[];
  readonly state: State;
  readonly clock: Clock;
}

/** Seconds. */
const longestLife = 300;
const clockSkew = 5;
/** How long a token without jti may serve further reads, milliseconds. */
const reuseMs = 2_000;

/** OpenTok's REST authentication: one HS256 token for each request, under a customer's API key or an operator's. */
export class ManagementAuthenticator {
  readonly #parts: ManagementParts;

  constructor(parts: ManagementParts) {
    this.#parts = parts;
  }

  /** In the order of verdicts: malformed, rejected; after the proof the clock, the life, a suspended customer, an earlier use. */
  prove(presented: PresentedManagement): Awaitable<ManagementProof> {
    const read = readToken(presented.token);
    if (read.kind === "refused") return read;
    const candidate = this.#candidate(read.claims);
    if (!isSigned(read.jws, candidate?.secret) || candidate === undefined)
      return { kind: "refused", refusal: rejected };
    const { manager } = candidate;
    const isSuspended = manager.kind === "customer" && manager.customer.suspended !== undefined;
    const refusal =
      timeFault(read.claims, this.#parts.clock.now() / 1000) ?? (isSuspended ? revokedOf(manager.customer) : undefined);
    if (refusal) return { kind: "refused", refusal, manager };
    return after(this.#use(read, manager, presented), (used) =>
      used ? { kind: "refused", refusal: used, manager } : manager,
    );
  }

  #candidate({ iss, ist }: Claims): { readonly manager: Manager; readonly secret: string } | undefined {
    if (ist === "project") {
      const owner = this.#parts.customers().byApiKey(iss);
      const manager = owner && { kind: "customer" as const, customer: owner.customer, apiKey: iss };
      return manager && { manager, secret: owner.secret };
    }
    const operator = this.#parts.operators().find(({ id }) => id === iss);
    return operator && { manager: { kind: "operator", id: iss }, secret: operator.secret };
  }

  /** Each key has its own jtis, so that nobody uses up another's. What is remembered outlives the token. */
  #use(
    { jws, claims }: ReadToken,
    manager: Manager,
    { isRead, holder }: PresentedManagement,
  ): Awaitable<Refusal | undefined> {
    const { iss, ist, jti, exp } = claims;
    const key = jti === undefined ? `token ${hashOf(jws)}` : `jti ${ist} ${iss} ${jti}`;
    const until = Math.ceil((exp + clockSkew) * 1000) + 1;
    return after(this.#parts.state.claim("management", `${ownerOf(manager)} ${key}`, holder, until), (claim) => {
      if (claim.kind === "full") return full;
      if (claim.holder === holder) return undefined;
      if (jti !== undefined) return usedByJti;
      const passed = this.#parts.clock.now() - claim.since;
      return isRead && passed >= 0 && passed <= reuseMs ? undefined : usedWithoutJti;
    });
  }
}

/** Whose share of what is remembered it takes: all keys of a customer have one, the operators another. */
const ownerOf = (manager: Manager): string =>
  manager.kind === "customer" ? `customer:${manager.customer.id}` : "operators:";

/** The one sentence for an unknown key, a wrong secret and a key of the other kind. */
const rejected = refuse(
  "credential-rejected",
  "the token is not right: check iss, the secret, and ist (project for an API key, account for an operator)",
);
const full = refuse("limit-reached", "too many management tokens are remembered now: try again in a minute");
const usedByJti = refuse(
  "credential-replayed",
  "the token was used before: make one with its own jti for each request",
);
const usedWithoutJti = refuse(
  "credential-replayed",
  "the token was used before: put a jti in and make one for each request; without jti it may be read with for 2 s more",
);

interface Claims {
  readonly iss: string;
  readonly ist: "project" | "account";
  /** Unix seconds, maybe with a fraction, as exp. */
  readonly iat: number;
  readonly exp: number;
  /** As iat; absent: from iat on. */
  readonly nbf: number | undefined;
  readonly jti: string | undefined;
}

interface ReadToken {
  readonly kind: "token";
  readonly jws: Jws;
  readonly claims: Claims;
}

type Refused = { readonly kind: "refused"; readonly refusal: Refusal };

function readToken(token: string): ReadToken | Refused {
  const read = readJws(token);
  if (read.kind === "refused") return read;
  const { jws } = read;
  if (jws.alg !== "HS256") {
    return { kind: "refused", refusal: refuse("credential-rejected", "management tokens are signed with HS256") };
  }
  if (jws.typ !== undefined && jws.typ !== "jwt") return malformed("the token's typ is not JWT");
  const payload = readPayload(jws);
  return payload.kind === "refused" ? payload : readClaims(jws, payload.object);
}

function readClaims(jws: Jws, { iss, ist, iat, exp, nbf, jti }: JsonObject): ReadToken | Refused {
  const issuer = Number.isSafeInteger(iss) ? String(iss) : iss;
  if (typeof issuer !== "string" || issuer === "") return malformed("iss must be the id of an API key or an operator");
  if (ist !== "project" && ist !== "account") return malformed("ist must be project or account");
  if (typeof iat !== "number" || typeof exp !== "number")
    return malformed("iat and exp must be Unix seconds, as numbers");
  if (exp <= iat) return malformed("exp must be later than iat");
  if (nbf !== undefined && typeof nbf !== "number") return malformed("nbf must be Unix seconds, a number, or absent");
  if (jti !== undefined && (typeof jti !== "string" || jti === "")) return malformed("jti must be a text, or absent");
  return { kind: "token", jws, claims: { iss: issuer, ist, iat, exp, nbf, jti } };
}

const malformed = (sentence: string): Refused => ({
  kind: "refused",
  refusal: refuse("credential-malformed", sentence),
});

/** Stands in for secrets that are not there; what it yields never counts. */
const decoy = "nobody has this secret";

/** RFC 7518 §3.2; costs the same with and without a secret. */
function isSigned({ text }: Jws, secret: string | undefined): boolean {
  const dot = text.lastIndexOf(".");
  const right = createHmac("sha256", secret || decoy)
    .update(text.slice(0, dot))
    .digest("base64url");
  return sameText(text.slice(dot + 1), right) && secret !== undefined && secret !== "";
}

const hashOf = ({ text }: Jws): string =>
  createHash("sha256")
    .update(text.slice(0, text.lastIndexOf(".")))
    .digest("base64url");

/** now: Unix seconds with a fraction. Told only to who signed rightly: whoever asks learns our clock. */
function timeFault({ iat, exp, nbf = iat }: Claims, now: number): Refusal | undefined {
  const ahead = iat - now;
  if (ahead > clockSkew) {
    return refuse("credential-rejected", `your clock is ${Math.round(ahead)} s ahead: iat is in the future`);
  }
  if (nbf - now > clockSkew) {
    return refuse("credential-rejected", "the token is not yet valid: its nbf is in the future, leave it out");
  }
  if (now > exp + clockSkew) {
    const sentence = `your clock is ${Math.round(-ahead)} s behind, or the token is as old: make one for each request`;
    return refuse("credential-expired", sentence);
  }
  // Milliseconds: in a double, exp - iat of two stamps with fractions is off by some nanoseconds.
  if (Math.round((exp - iat) * 1000) <= longestLife * 1000) return undefined;
  return refuse("credential-ttl", `the token lives too long: exp must be at most ${longestLife} s after iat`);
}
