import { describe, expect, it } from "vitest";
import {
  type Authenticator,
  AuthenticatorChain,
  type NotMine,
  notMine,
  type Presented,
  type Proof,
} from "../../../src/auth/authenticator.ts";
import { rejected, rejectedToken } from "../../../src/auth/ephemeral.ts";
import type { Awaitable } from "../../../src/core/awaitable.ts";
import { refuse } from "../../../src/core/errors.ts";
import type { Customer } from "../../../src/core/identity.ts";
import { customer, identity } from "../../helpers/customers.ts";

const shown: Presented = { kind: "token", token: "a.b.c", domain: undefined, holder: "c1" };
const proved: Proof = { kind: "proved", identity: identity() };
const chain = (...links: Authenticator[]): AuthenticatorChain =>
  new AuthenticatorChain(links, { now: () => 1_000_000 });
const expired: Proof = { kind: "refused", refusal: refuse("credential-expired", "over") };

/** A link that says always the same, and how often it was asked. */
const link = (says: Awaitable<Proof | NotMine>): Authenticator & { asked: number } => ({
  asked: 0,
  prove() {
    this.asked++;
    return says;
  },
});

describe("a chain of authenticators", () => {
  it("goes on where a credential is not a link's own, and asks nobody behind the one that answers", () => {
    const [first, second, third] = [link(notMine), link(proved), link(expired)];
    expect(chain(first, second, third).prove(shown)).toBe(proved);
    expect([first.asked, second.asked, third.asked]).toEqual([1, 1, 0]);
  });

  it("takes a refusal for the last word, and a stale answer too", () => {
    for (const says of [expired, { kind: "stale" } as const]) {
      const behind = link(proved);
      expect(chain(link(says), behind).prove(shown)).toBe(says);
      expect(behind.asked).toBe(0);
    }
  });

  it("refuses what nobody knows in the words of a wrong one of its kind, and so does one without links", () => {
    const password = { kind: "password", username: "1:alice", password: "" } as const;
    for (const [presented, refusal] of [
      [shown, rejectedToken],
      [password, rejected],
    ] as const) {
      const no = { kind: "refused", refusal };
      expect(chain(link(notMine), link(notMine)).prove(presented)).toEqual(no);
      expect(chain().prove(presented)).toEqual(no);
    }
  });

  it("waits for a link that has to wait, and for no other", async () => {
    const late = chain(link(Promise.resolve(notMine)), link(proved)).prove(shown);
    expect(late).toBeInstanceOf(Promise);
    expect(await late).toBe(proved);
    expect(chain(link(proved), link(Promise.resolve(expired))).prove(shown)).toBe(proved);
    expect(await chain(link(Promise.resolve(notMine))).prove(shown)).toEqual({
      kind: "refused",
      refusal: rejectedToken,
    });
  });

  it("lets a fault of a link through, and takes it for no proof", async () => {
    const broken = link(Promise.reject(new Error("broken")));
    await expect(chain(broken, link(proved)).prove(shown)).rejects.toThrow("broken");
  });

  it("refuses who is proved and was taken back by the customer, until the end of that, and nobody who is not proved", () => {
    const revoked = [{ kind: "user", value: "alice", until: 1000, calls: "finish" }] as const;
    const of = (changes: Partial<Customer>): Proof => ({ kind: "proved", identity: identity(customer(changes)) });
    const no = (answer: Awaitable<Proof>) => answer as Extract<Proof, { kind: "refused" }>;
    expect(no(chain(link(of({ revoked }))).prove(shown))).toMatchObject({
      refusal: { code: "credential-revoked", sentence: expect.stringContaining("has revoked this user or credential") },
      customer: { id: "acme" },
    });
    expect(no(chain(link(of({ suspended: "end" }))).prove(shown)).refusal).toMatchObject({
      code: "credential-revoked",
      sentence: expect.stringContaining("the customer is suspended"),
    });
    const over = of({ revoked: [{ ...revoked[0], until: 999 }] });
    expect(chain(link(over)).prove(shown)).toBe(over);
    expect(chain(link(expired)).prove(shown)).toBe(expired);
  });
});
