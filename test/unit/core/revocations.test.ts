import { describe, expect, it } from "vitest";
import type { Customer, Name, Revocation } from "../../../src/core/identity.ts";
import { takenBack } from "../../../src/core/revocations.ts";
import { customer, identity } from "../../helpers/customers.ts";

const now = 1_700_000_000;
const revoke = (kind: Revocation["kind"], value: string, more: Partial<Revocation> = {}): Revocation => ({
  ...{ kind, value, until: now + 60, calls: "end" },
  ...more,
});
const names: readonly Name[] = [
  { kind: "handle", value: "aGFuZGxl" },
  { kind: "credential", value: "1700000300:alice@acme.example" },
  { kind: "jti", value: "one" },
];
const judged = (changes: Partial<Customer>, at = now): string | undefined =>
  takenBack(identity(customer(changes), { names }), at);
const by = (...revoked: readonly Revocation[]): string | undefined => judged({ revoked });

describe("who was taken back", () => {
  it("is so by user, with or without its domain, and by each name of its credential", () => {
    for (const one of [
      revoke("user", "alice"),
      revoke("user", "alice@acme.example"),
      revoke("credential", "1700000300:alice@acme.example"),
      revoke("jti", "one"),
      revoke("handle", "aGFuZGxl"),
      revoke("handle", "1700000200:alice@acme.example;aGFuZGxl"),
    ]) {
      expect(by(one), `${one.kind} ${one.value}`).toBe("end");
    }
  });

  it("is nobody of another name, case, domain or kind", () => {
    expect(judged({})).toBeUndefined();
    for (const one of [
      revoke("user", "Alice"),
      revoke("user", "alice@acme.test"),
      revoke("user", "one"),
      revoke("jti", "alice"),
      revoke("jti", "One"),
      revoke("credential", "1700000300:alice"),
      revoke("credential", "one"),
      revoke("handle", "aGFuZGxm"),
    ]) {
      expect(by(one), `${one.kind} ${one.value}`).toBeUndefined();
    }
  });

  it("is so until the end that was named, that second too", () => {
    const revoked = [revoke("user", "alice")];
    expect([judged({ revoked }, now + 60), judged({ revoked }, now + 61)]).toEqual(["end", undefined]);
  });

  it("loses its calls where one of those that fit says so, and not where that one is over", () => {
    const finish = revoke("user", "alice", { calls: "finish" });
    expect(by(finish)).toBe("finish");
    expect(by(finish, revoke("jti", "one"))).toBe("end");
    expect(by(revoke("user", "alice"), finish)).toBe("end");
    expect(by(finish, revoke("jti", "one", { until: now - 1 }))).toBe("finish");
    expect(judged({ suspended: "end", revoked: [finish] })).toBe("end");
  });

  it("is everybody of a suspended customer", () => {
    expect([judged({ suspended: "finish" }), judged({ suspended: "end" })]).toEqual(["finish", "end"]);
  });

  it("is found by one look-up of each name, however many are revoked, and the list is read once for a customer", () => {
    let reads = 0;
    const entries = Array.from({ length: 1000 }, (_, at) => {
      const one = revoke("user", `u${at}`);
      return {
        ...one,
        get value() {
          reads++;
          return one.value;
        },
      };
    });
    const of = identity(customer({ revoked: entries }));
    expect(takenBack(of, now)).toBeUndefined();
    const once = reads;
    for (let round = 0; round < 100; round++) takenBack(of, now);
    expect(once).toBeGreaterThanOrEqual(1000);
    expect(reads).toBe(once);
  });
});
