import { type Clock, seconds } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import { refuse } from "../core/errors.ts";
import { accountNarrowing } from "./account.ts";
import {
  type Authenticator,
  type NotMine,
  notMine,
  type Presented,
  type PresentedPassword,
  type Proof,
} from "./authenticator.ts";
import { lifetime, parseUsername, provingSecret, rejected, type Sign, sameText, sign } from "./ephemeral.ts";

const noDomain = refuse(
  "credential-malformed",
  "the username has no domain, so nothing tells the customer: write <Unix seconds>:<user>@<domain>",
);

/**
 * Proves ephemeral credentials that are shown whole, over HTTP or on the command line (TURN REST draft §2.2). A username
 * with a `;` carries a handle of ours: not mine. sign: for tests that count.
 */
export class PasswordAuthenticator implements Authenticator {
  readonly #customers: () => Customers;
  readonly #clock: Clock;
  readonly #sign: Sign;

  constructor(parts: { readonly customers: () => Customers; readonly clock: Clock; readonly sign?: Sign }) {
    this.#customers = parts.customers;
    this.#clock = parts.clock;
    this.#sign = parts.sign ?? sign;
  }

  prove(presented: Presented): Proof | NotMine {
    if (presented.kind !== "password" || presented.username.includes(";")) return notMine;
    const parsed = parseUsername(presented.username);
    if (parsed.kind === "malformed") return { kind: "refused", refusal: parsed.refusal };
    if (presented.account === undefined && parsed.domain === undefined) return { kind: "refused", refusal: noDomain };
    return this.#judge(presented, parsed.user, parsed.domain, parsed.expiry);
  }

  #judge(
    { username, password, account }: PresentedPassword,
    user: string,
    named: string | undefined,
    expiry: number,
  ): Proof {
    const customers = this.#customers();
    const now = seconds(this.#clock);
    const customer = account === undefined ? customers.byDomain(named ?? "") : customers.byId(account);
    const domain = account === undefined ? named : customer?.domains[0];
    const matches = (right: string): boolean => sameText(password, right);
    const secret = provingSecret({ customers, customer, username, now, matches, sign: this.#sign });
    if (!customer || !secret || domain === undefined) return { kind: "refused", refusal: rejected };
    const refusal = lifetime(customer, expiry, now);
    if (refusal) return { kind: "refused", refusal, customer };
    const narrowing = accountNarrowing(customer, user, named);
    const names = [{ kind: "credential", value: username } as const];
    return { kind: "proved", identity: { customer, user, domain, provedBy: secret, expiry, narrowing, names } };
  }
}
