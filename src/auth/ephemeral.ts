import { createHmac, timingSafeEqual } from "node:crypto";
import type { Customers } from "../core/customers.ts";
import { type Code, PosternError, type Refusal, refuse } from "../core/errors.ts";
import { type Customer, type HashName, type Secret, userPattern } from "../core/identity.ts";
import { revokedOf, takenBack } from "../core/revocations.ts";

/** A credential as its customer's server hands it to a page. ttl: seconds. */
export interface Credential {
  readonly username: string;
  readonly password: string;
  readonly ttl: number;
}

export type ParsedUsername =
  | {
      readonly kind: "username";
      /** Unix seconds, 1 to 2³²−1. */
      readonly expiry: number;
      readonly user: string;
      /** Lower case. */
      readonly domain: string | undefined;
    }
  | { readonly kind: "malformed"; readonly refusal: Refusal };

/** Stamps are unsigned 32-bit where Kamailio's auth_ephemeral reads them. */
const lastExpiry = 2 ** 32 - 1;
const maxUsername = 329;
const domainPattern =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/**
 * `<now+ttl>:<user>` and its password (TURN REST draft §2.2). user: `alice` or `alice@acme.example`; now: Unix seconds;
 * ttl: seconds. Throws PosternError credential-malformed for what no verifier would take.
 */
export function mint(wanted: {
  readonly secret: string;
  readonly user: string;
  readonly ttl: number;
  readonly algorithm: HashName;
  readonly now: number;
}): Credential {
  const { secret, user, ttl, algorithm, now } = wanted;
  if (secret === "") throw new PosternError("credential-malformed", "the secret is empty");
  if (!Number.isSafeInteger(ttl) || ttl < 1) {
    throw new PosternError("credential-malformed", "the ttl is not a positive whole number of seconds");
  }
  const username = `${now + ttl}:${user}`;
  const parsed = parseUsername(username);
  if (parsed.kind === "malformed") throw new PosternError(parsed.refusal.code, parsed.refusal.sentence);
  return { username, password: sign(secret, algorithm, username), ttl };
}

/** Padded standard base64 of HMAC(secret, username). Both are UTF-8. */
export function sign(secret: string, algorithm: HashName, username: string): string {
  return createHmac(algorithm, secret).update(username).digest("base64");
}

export type Sign = typeof sign;

/** `<expiry>:<user>[@<domain>]`, strictly; never throws. The sentence holds nothing of the username. */
export function parseUsername(username: string): ParsedUsername {
  const colon = username.indexOf(":");
  if (username.length > maxUsername) return malformed(`the username is longer than ${maxUsername} characters`);
  if (colon < 0) return malformed("the username has no colon: write <Unix seconds>:<user>");
  const stamp = username.slice(0, colon);
  const subject = username.slice(colon + 1);
  const fault = stampFault(stamp, subject);
  if (fault !== undefined) return malformed(fault);
  const at = subject.indexOf("@");
  const user = at < 0 ? subject : subject.slice(0, at);
  const domain = at < 0 ? undefined : subject.slice(at + 1);
  if (!userPattern.test(user)) return malformed("the user is not 1 to 64 letters, digits or -_.!~*'()&=+$,");
  if (domain !== undefined && !domainPattern.test(domain)) return malformed("what follows the @ is not a host name");
  return { kind: "username", expiry: Number(stamp), user, domain: domain?.toLowerCase() };
}

const malformed = (sentence: string): ParsedUsername => ({
  kind: "malformed",
  refusal: refuse("credential-malformed", sentence),
});

function stampFault(stamp: string, subject: string): string | undefined {
  if (!/^[0-9]+$/.test(stamp)) {
    const swapped = /^[0-9]{9,}$/.test(subject);
    return swapped ? "the stamp comes first: write <Unix seconds>:<user>" : "the stamp is not Unix seconds";
  }
  if (stamp.startsWith("0")) return "the stamp is 0 or has a leading zero";
  if (stamp.length === 13) return "the stamp counts milliseconds: use seconds";
  return Number(stamp) > lastExpiry ? "the stamp does not fit 32 bits: use Unix seconds" : undefined;
}

/** Stands in for secrets that are not there; what it yields never counts. */
const decoy = "no customer has this secret";

/**
 * The customer's secret whose password `matches`, newest first, among those in their windows. A search that fails
 * always signs `customers.mostSecrets` times, so that its price does not tell an unknown customer from a wrong
 * password. now: Unix seconds; sign: injected so that tests can count.
 */
export function provingSecret(search: {
  readonly customers: Customers;
  readonly customer: Customer | undefined;
  readonly username: string;
  readonly now: number;
  readonly matches: (password: string) => boolean;
  readonly sign: Sign;
}): Secret | undefined {
  const candidates = search.customer?.secrets.filter((secret) => inWindow(secret, search.now)) ?? [];
  for (let slot = 0; slot < search.customers.mostSecrets; slot++) {
    const candidate = candidates[slot];
    const password = search.sign(candidate?.secret ?? decoy, candidate?.algorithm ?? "sha1", search.username);
    if (search.matches(password) && candidate !== undefined) return candidate;
  }
  return undefined;
}

/** Whether a secret may prove anything now. now: Unix seconds. An empty one never does: anybody could sign with it. */
export function inWindow(secret: Secret, now: number): boolean {
  if (secret.secret === "") return false;
  return (secret.notBefore ?? 0) <= now && now <= (secret.notAfter ?? Number.POSITIVE_INFINITY);
}

/** The one sentence for whatever was not proved, the same for an unknown customer, a wrong password, a wrong secret. */
export const rejected: Refusal = refuse(
  "credential-rejected",
  "the credential is not right: check username, password, secret and algorithm",
);

/** The same of tokens: for an unknown customer, a wrong key, a wrong algorithm. */
export const rejectedToken: Refusal = refuse(
  "credential-rejected",
  "the token is not right: check its key, kid and alg, and the customer it names by appID, iss or its user's domain",
);

/** What a proved credential may still lack: it has ended, or it ends too late. expiry, now: Unix seconds. */
export function lifetime(customer: Customer, expiry: number, now: number): Refusal | undefined {
  if (now > expiry + customer.clockSkew)
    return refuse("credential-expired", "the credential has expired: get a new one");
  if (expiry - now <= customer.maxTtl + customer.clockSkew) return undefined;
  return refuse("credential-ttl", `the credential lives too long: mint it with a ttl of at most ${customer.maxTtl} s`);
}

/** Equal texts, in a time that depends on their length alone. */
export function sameText(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What `postern verify` prints. Until the proof it holds nothing about the customer. secondsLeft: negative when over. */
export type Verdict =
  | (Proven & { readonly accepted: true; readonly sentence: string })
  | (Partial<Proven> & { readonly accepted: false; readonly code: Code; readonly sentence: string });

interface Proven {
  readonly customer: string;
  readonly secret: string;
  readonly user: string;
  readonly secondsLeft: number;
}

/** Judges a credential and its password in the order of verdicts. realm: the domain where the username has none. */
export function verify(
  customers: Customers,
  credential: { readonly username: string; readonly password: string; readonly realm?: string },
  now: number,
): Verdict {
  const { username, password, realm } = credential;
  const parsed = parseUsername(username);
  if (parsed.kind === "malformed") return { accepted: false, ...parsed.refusal };
  const domain = parsed.domain ?? realm?.toLowerCase();
  if (domain === undefined) {
    const sentence = "the username has no domain, so nothing tells the customer: write <Unix seconds>:<user>@<domain>";
    return { accepted: false, code: "credential-malformed", sentence };
  }
  const customer = customers.byDomain(domain);
  const matches = (right: string): boolean => sameText(password, right);
  const secret = provingSecret({ customers, customer, username, now, matches, sign });
  if (customer === undefined || secret === undefined) return { accepted: false, ...rejected };
  const secondsLeft = parsed.expiry - now;
  const proven = { customer: customer.id, secret: secret.id, user: `${parsed.user}@${domain}`, secondsLeft };
  const { user } = parsed;
  const taken = takenBack({ customer, user, domain, names: [{ kind: "credential", value: username }] }, now);
  const refusal = lifetime(customer, parsed.expiry, now) ?? (taken && revokedOf(customer));
  if (refusal !== undefined) return { accepted: false, ...refusal, ...proven };
  return { accepted: true, ...proven, sentence: `the credential is good for ${secondsLeft} s` };
}
