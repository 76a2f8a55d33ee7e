import type { IncomingMessage } from "node:http";
import type { Proof } from "../auth/authenticator.ts";
import { type Awaitable, after } from "../core/awaitable.ts";
import { seconds } from "../core/clock.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import { type Customer, type Identity, skewOf } from "../core/identity.ts";
import { originRefusal } from "../policy/authorize.ts";
import { bearerToken } from "../sip/digest.ts";
import type { Context } from "./context.ts";
import { failuresOf, tooManyProofs } from "./failures.ts";

export interface ShownToken {
  readonly kind: "token";
  readonly token: string;
  readonly by: "query" | "cookie";
}

export type Shown = ShownToken | { readonly kind: "none" } | { readonly kind: "refused"; readonly refusal: Refusal };

const malformed = (sentence: string): Shown => ({ kind: "refused", refusal: refuse("credential-malformed", sentence) });

/** The one token of an upgrade: `?access_token=` (RFC 6750 §2.3) or the cookie `postern_token`. */
export function readHandshakeToken({ url = "", headers }: Pick<IncomingMessage, "url" | "headers">): Shown {
  const mark = url.indexOf("?");
  const query = mark < 0 ? [] : new URLSearchParams(url.slice(mark + 1)).getAll("access_token");
  const cookies = cookiesOf(headers.cookie);
  if (query.length + cookies.length === 0) return { kind: "none" };
  if (query.length + cookies.length > 1) return malformed("more than one token: give one access_token or one cookie");
  const token = bearerToken(query[0] ?? cookies[0] ?? "");
  if (token === undefined) return malformed("the token is no JWT: three parts of base64url with dots between");
  return { kind: "token", token, by: query.length > 0 ? "query" : "cookie" };
}

function cookiesOf(header = ""): string[] {
  const named = header.split(";").map((cookie) => cookie.trim());
  return named
    .filter((cookie) => cookie.startsWith("postern_token="))
    .map((cookie) => cookie.slice(cookie.indexOf("=") + 1));
}

export interface Visit {
  /** Of the connection. */
  readonly id: string;
  readonly address: string;
  readonly origin: string | undefined;
}

export type Vouched =
  | { readonly kind: "proved"; readonly identity: Identity }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly customer?: Customer };

/** Seconds that a token may have left which stands in a URL: those are kept in histories and logs. */
const longestInUrl = 300;
/** What a wrong token of a handshake is counted under. */
const claimed = "handshake";
const tooMany = refuse("rate-limited", "too many wrong tokens from this address: wait a minute");

/** Whom the token of an upgrade proves, and whether this page may use it so. */
export function vouch({ token, by }: ShownToken, visit: Visit, context: Context): Awaitable<Vouched> {
  const failures = failuresOf(visit.address, context);
  const prove = (): Awaitable<Vouched> =>
    after(failures.isOver(claimed), (over): Awaitable<Vouched> => {
      if (over) return { kind: "refused", refusal: tooMany };
      const proof = context.authenticators.prove({ kind: "token", token, domain: undefined, holder: visit.id });
      return after(proof, (proved): Awaitable<Vouched> => {
        if (proved.kind === "proved") return judge(proved.identity, by, visit, context);
        const refused = refusedBy(proved);
        if (refused.refusal.code !== "credential-rejected") return refused;
        return after(failures.add(claimed), () => refused);
      });
    });
  return failures.inTurn("token", prove, () => ({ kind: "refused", refusal: tooManyProofs }));
}

/** A token is never stale: that is a digest's. */
const refusedBy = (proof: Exclude<Proof, { kind: "proved" }>): Extract<Vouched, { kind: "refused" }> =>
  proof.kind === "refused" ? proof : { kind: "refused", refusal: refuse("credential-rejected", "this is no token") };

function judge(identity: Identity, by: ShownToken["by"], { origin }: Visit, context: Context): Vouched {
  const { customer, expiry } = identity;
  const refused = (refusal: Refusal): Vouched => ({ kind: "refused", refusal, customer });
  if (by === "query" && expiry - seconds(context.clock) > longestInUrl + skewOf(identity)) {
    return refused(
      refuse("credential-ttl", `a token in a URL may have ${longestInUrl} s left at most: mint a shorter one`),
    );
  }
  const denied = originRefusal(customer, { origin, allowMissingOrigin: context.allowMissingOrigin() });
  if (denied) return refused(denied);
  if (by === "cookie" && (origin === undefined || !customer.origins.includes(origin))) return refused(foreignCookie);
  return { kind: "proved", identity };
}

/** A browser sends the cookie with any page's connection. */
const foreignCookie = refuse(
  "origin-denied",
  "the cookie counts only for an origin that the customer lists in full: add it to origins",
);
