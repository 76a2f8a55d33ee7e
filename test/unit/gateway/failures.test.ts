import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { AuthenticatorChain, type Proof } from "../../../src/auth/authenticator.ts";
import { rejectedToken } from "../../../src/auth/ephemeral.ts";
import { NonceKey, Nonces } from "../../../src/auth/nonce.ts";
import { authenticate } from "../../../src/gateway/authenticate.ts";
import type { Context } from "../../../src/gateway/context.ts";
import { failuresOf, tooManyProofs } from "../../../src/gateway/failures.ts";
import { vouch } from "../../../src/gateway/vouch.ts";
import { Failures } from "../../../src/policy/limits.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { StandingClock } from "../../helpers/exchange.ts";
import { readOf, sip } from "../../helpers/sip-text.ts";

const address = "192.0.2.1";
const shown = "e30.e30.AA";

/** A gateway whose every proof takes a while and fails. */
function gateway(failuresPerMinute = 2) {
  const clock = new StandingClock();
  const prove = async (): Promise<Proof> => {
    await new Promise(setImmediate);
    return { kind: "refused", refusal: rejectedToken };
  };
  const failures = new Failures(new MemoryState(clock), clock, "public");
  const authenticators = new AuthenticatorChain([{ prove }], clock);
  const context = { clock, failures, authenticators, limits: () => ({ failuresPerMinute }) } as unknown as Context;
  return { clock, context };
}

const many = async <T>(make: () => T, length = 100): Promise<Awaited<T>[]> => Promise.all(Array.from({ length }, make));

/** Ten are under way at once: nine more than the limit when the second one counts. */
const wanted = [...Array(11).fill("credential-rejected"), ...Array(89).fill("rate-limited")];

describe("failures of tokens whose proofs take a while", () => {
  it("count before the next are proved, at the handshake", async () => {
    const { context } = gateway();
    const visit = { id: "c", address, origin: undefined };
    const vouched = await many(() => vouch({ kind: "token", token: shown, by: "query" }, visit, context));
    expect(vouched.map((one) => (one.kind === "refused" ? one.refusal.code : one.kind))).toEqual(wanted);
  });

  it("count before the next are proved, in requests of many connections", async () => {
    const { clock, context } = gateway();
    const request = readOf(sip({ extra: [`Proxy-Authorization: Bearer ${shown}`] }));
    const proofs = await many(() => {
      const nonces = new Nonces(new NonceKey(randomBytes(32)), "c", clock);
      const asker = { connection: "c", realm: undefined, nonces, failures: failuresOf(address, context) };
      return authenticate(request, asker, context.authenticators);
    });
    expect(proofs.map((one) => ("refusal" in one ? one.refusal.code : one.kind))).toEqual(wanted);
  });
});

describe("proofs that wait for their turn", () => {
  it("are a thousand of an address at most; the others are told at once to come again", async () => {
    const { context } = gateway(5_000);
    const visit = { id: "c", address, origin: undefined };
    const show = (from: string) => () =>
      vouch({ kind: "token", token: shown, by: "query" }, { ...visit, address: from }, context);
    const begun = many(show(address), 1_100);
    expect(await show("192.0.2.2")()).toMatchObject({ refusal: rejectedToken });
    const refusals = (await begun).map((one) => "refusal" in one && one.refusal);
    expect(refusals.slice(0, 1_010)).toEqual(Array(1_010).fill(rejectedToken));
    expect(refusals.slice(1_010)).toEqual(Array(90).fill(tooManyProofs));
    expect(await show(address)()).toMatchObject({ refusal: rejectedToken });
  });
});
