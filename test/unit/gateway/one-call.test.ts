import { beforeEach, describe, expect, it } from "vitest";
import type { Identity } from "../../../src/core/identity.ts";
import { claimCall, unclaimCall } from "../../../src/gateway/one-call.ts";
import type { Request } from "../../../src/sip/request.ts";
import { MemoryState } from "../../../src/state/memory.ts";
import { customer, identity } from "../../helpers/customers.ts";

const start = 1_700_000_000;
let now = start;
const clock = { now: () => now * 1000 };
beforeEach(() => {
  now = start;
});

const request = (method: string): Request => ({ method }) as Request;
const invite = request("INVITE");

/** Something made of one token, whose right to a call ends with the last of them. */
const shown = (expiry: number, until = start + 7200): Identity =>
  identity(customer(), { expiry, narrowing: { oneCall: { name: "one", until } } });

const claim = (who: Identity, state: MemoryState, what = invite) => {
  const refusal = claimCall(who, what, state);
  if (refusal instanceof Promise) throw new TypeError("memory answers at once");
  return refusal?.code;
};

describe("claimCall", () => {
  it("gives one INVITE to all that was made of a token, and any to what narrows it not", () => {
    const state = new MemoryState(clock);
    expect(claim(shown(start + 60), state)).toBeUndefined();
    expect(claim(shown(start + 300), state)).toBe("credential-replayed");
    expect(claim(identity(), state)).toBeUndefined();
    expect(claim(shown(start + 60), state, request("MESSAGE"))).toBeUndefined();
  });

  it("remembers it as long as anything made of the token is good, however soon what placed the call ended", () => {
    const state = new MemoryState(clock);
    expect(claim(shown(start + 60), state)).toBeUndefined();
    now = start + 7199;
    expect(claim(shown(start + 7200), state)).toBe("credential-replayed");
  });

  it("keeps the calls of two customers apart", () => {
    const state = new MemoryState(clock);
    const globex = { ...shown(start + 60), customer: customer({ id: "globex" }) };
    expect(claim(shown(start + 60), state)).toBeUndefined();
    expect(claim(globex, state)).toBeUndefined();
  });

  it("gives it again where the call went nowhere", () => {
    const state = new MemoryState(clock);
    expect(claim(shown(start + 60), state)).toBeUndefined();
    unclaimCall(shown(start + 60), request("MESSAGE"), state);
    expect(claim(shown(start + 60), state)).toBe("credential-replayed");
    unclaimCall(shown(start + 60), invite, state);
    expect(claim(shown(start + 60), state)).toBeUndefined();
  });

  it("refuses where no more calls can be remembered", () => {
    const state = new MemoryState(clock, { calls: 0 });
    expect(claim(shown(start + 60), state)).toBe("limit-reached");
  });
});
