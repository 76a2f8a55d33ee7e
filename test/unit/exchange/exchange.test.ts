import { describe, expect, it } from "vitest";
import { AuthenticatorChain, type Proof } from "../../../src/auth/authenticator.ts";
import { rejectedToken, sign } from "../../../src/auth/ephemeral.ts";
import { IssuedAuthenticator } from "../../../src/auth/issued.ts";
import { Customers } from "../../../src/core/customers.ts";
import type { Identity, VerificationKey } from "../../../src/core/identity.ts";
import type { Context, Outcome } from "../../../src/exchange/context.ts";
import { type Exchanged, exchange, grant, readAsked } from "../../../src/exchange/exchange.ts";
import { customer, identity } from "../../helpers/customers.ts";
import { credential, exchangeContext, exchangeSecret, publicUrl, settings } from "../../helpers/exchange.ts";

const nobody = { address: "192.0.2.1", origin: undefined };
const secret = settings.exchange!;

const key: VerificationKey = {
  id: "j1",
  alg: "HS256",
  source: { kind: "secret", secret: "x".repeat(32) },
  singleUse: false,
};

/** For a password of acme's, exchanged with everything as given. */
function ask(context: Context, shown: { username: string; password: string }, direct = false, origin?: string) {
  return exchange(
    { kind: "asked", shown: { kind: "password", ...shown }, direct },
    { ...nobody, origin },
    context.settings().exchange ?? secret,
    context,
  );
}

const code = (outcome: Outcome<unknown>): string => (outcome.kind === "refused" ? outcome.refusal.code : outcome.kind);

function answer(outcome: Outcome<Exchanged>): Exchanged {
  if (outcome.kind === "refused") throw new Error(outcome.refusal.sentence);
  return outcome.answer;
}

describe("what is asked", () => {
  const read = (authorization: string | undefined, body: Parameters<typeof readAsked>[1]) => {
    const asked = readAsked(authorization, body, "h1");
    return asked.kind === "asked" ? { ...asked.shown, direct: asked.direct } : asked.refusal.code;
  };

  it("is a username and password, or a token", () => {
    const shown = { kind: "password", username: "u", password: "p" };
    expect(read(undefined, { username: "u", password: "p" })).toEqual({ ...shown, direct: false });
    expect(read(undefined, { username: "u", password: "p", direct: true })).toEqual({ ...shown, direct: true });
    expect(read(undefined, { username: "u", password: "p", ttl: 300 })).toEqual({ ...shown, direct: false });
    const token = { kind: "token", token: "a.b.c", domain: undefined, holder: "h1" };
    expect(read("Bearer a.b.c", undefined)).toEqual({ ...token, direct: false });
    expect(read("bearer a.b.c", {})).toEqual({ ...token, direct: false });
    expect(read("Bearer a.b.c", { direct: true })).toEqual({ ...token, direct: true });
  });

  it.each([
    ["nothing", undefined, undefined],
    ["a text", undefined, "username"],
    ["null", undefined, null],
    ["an array", undefined, []],
    ["an unknown member", undefined, { username: "u", password: "p", domain: "d" }],
    ["no password", undefined, { username: "u" }],
    ["a number for a username", undefined, { username: 1, password: "p" }],
    ["a text for direct", undefined, { username: "u", password: "p", direct: "true" }],
    ["both", "Bearer a.b.c", { username: "u", password: "p" }],
    ["a token and a password", "Bearer a.b.c", { password: "p" }],
    ["another scheme", "Basic dTpw", undefined],
    ["no scheme", "a.b.c", undefined],
    ["two words", "Bearer a b", undefined],
  ])("is malformed where there is %s", (_, authorization, body) => {
    expect(read(authorization, body)).toBe("message-malformed");
  });
});

describe("a credential in exchange", () => {
  it("lives as long as the exchange gives, or what is left", async () => {
    const context = exchangeContext();
    const short = answer(await ask(context, credential(context.clock, undefined, { ttl: 200 })));
    expect(short).toMatchObject({ ttl: 200, refreshAfter: 150, uris: [publicUrl], uri: "sip:alice@acme.example" });
    expect(short.iceServers).toEqual([]);
    const long = answer(await ask(context, credential(context.clock, undefined, { ttl: 3000 })));
    expect(long).toMatchObject({ ttl: 300, refreshAfter: 225 });
    expect(long.username).toMatch(new RegExp(`^${context.clock.seconds + 300}:alice@acme\\.example;[\\w-]+$`));
    expect(long.password).toBe(sign(exchangeSecret, "sha1", long.username));
  });

  it("is what the gateway proves, with customer, user, secret and narrowing", async () => {
    const context = exchangeContext();
    const narrowing = { methods: ["INVITE"], maxSeconds: 60 };
    const acme = customer();
    const who = identity(acme, { expiry: context.clock.seconds + 100, narrowing });
    const { username, password } = answer(grant(who, false, secret, context));
    const customers = new Customers([acme]);
    const { clock, keys } = context;
    const issued = new IssuedAuthenticator({ customers: () => customers, clock, keys, exchange: () => secret });
    const proof = issued.prove({ kind: "password", username, password });
    expect(proof).toMatchObject({ kind: "proved", identity: { user: "alice", provedBy: acme.secrets[0], narrowing } });
  });

  it("is never exchanged again", async () => {
    const context = exchangeContext();
    const first = answer(await ask(context, credential(context.clock)));
    expect(code(await ask(context, first))).toBe("credential-rejected");
    const direct = answer(await ask(context, credential(context.clock), true));
    expect(code(await ask(context, direct))).toBe("credential-rejected");
  });

  it("has TURN servers for its user", async () => {
    const turn = { urls: ["turn:t.example"], secret: "the-turn-secret-of-the-tests", ttl: 60 };
    const context = exchangeContext({ settings: { turn } });
    const { iceServers } = answer(await ask(context, credential(context.clock)));
    expect(iceServers[0]?.username).toBe(`${context.clock.seconds + 60}:alice@acme.example`);
  });

  it("is refused for what proves nothing, what has ended and what cannot be read", async () => {
    const context = exchangeContext();
    const good = credential(context.clock);
    expect(code(await ask(context, good))).toBe("granted");
    expect(code(await ask(context, { ...good, password: "wrong" }))).toBe("credential-rejected");
    expect(code(await ask(context, credential(context.clock, "alice@nobody.example")))).toBe("credential-rejected");
    expect(code(await ask(context, credential(context.clock, "alice")))).toBe("credential-malformed");
    expect(code(await ask(context, credential(context.clock, undefined, { ttl: 9999 })))).toBe("credential-ttl");
    context.clock.ms += 200_000;
    expect(code(await ask(context, good))).toBe("credential-expired");
  });

  it("is refused where nothing is left, though the customer's skew would still take it", async () => {
    const context = exchangeContext({ customers: [customer({ clockSkew: 30 })] });
    const good = credential(context.clock, undefined, { ttl: 10 });
    context.clock.ms += 9_000;
    expect(answer(await ask(context, good)).ttl).toBe(1);
    context.clock.ms += 1_000;
    expect(code(await ask(context, good))).toBe("credential-expired");
  });

  it("is for the customer's pages, and for what is no page where that is allowed", async () => {
    const customers = [customer({ origins: ["https://www.acme.example"] })];
    const context = exchangeContext({ customers });
    const good = credential(context.clock);
    expect(code(await ask(context, good, false, "https://www.acme.example"))).toBe("granted");
    expect(code(await ask(context, good, false, "https://evil.example"))).toBe("origin-denied");
    expect(code(await ask(context, { ...good, password: "x" }, false, "https://evil.example"))).toBe(
      "credential-rejected",
    );
    expect(code(await ask(context, good))).toBe("granted");
    const strict = exchangeContext({ customers, settings: { allowMissingOrigin: false } });
    expect(code(await ask(strict, good))).toBe("origin-denied");
  });
});

describe("a direct credential", () => {
  it("is plain, for a Kamailio that holds the exchange secret", async () => {
    const context = exchangeContext();
    const direct = answer(await ask(context, credential(context.clock), true));
    expect(direct.username).toBe(`${context.clock.seconds + 200}:alice@acme.example`);
    expect(direct.password).toBe(sign(exchangeSecret, "sha1", direct.username));
    expect(direct.uris).toEqual([]);
  });

  it.each<[string, Partial<Identity>]>([
    ["methods", { narrowing: { methods: ["INVITE"] } }],
    ["numbers", { narrowing: { numbers: [] } }],
    ["one call", { narrowing: { oneCall: { name: "x", until: 2_000_000_000 } } }],
    ["seconds", { narrowing: { maxSeconds: 60 } }],
    ["a caller id", { narrowing: { callerId: "+1" } }],
    ["permissions", { narrowing: { permissions: ["*"] } }],
    ["a token that serves once", { provedBy: { ...key, singleUse: true } }],
  ])("is refused where a token narrows by %s", (_, changes) => {
    const context = exchangeContext();
    const who = identity(customer(), { provedBy: key, expiry: context.clock.seconds + 100, ...changes });
    expect(code(grant(who, true, secret, context))).toBe("exchange-narrowed");
    expect(code(grant(who, false, secret, context))).toBe("granted");
    expect(code(grant({ ...who, narrowing: {}, provedBy: key }, true, secret, context))).toBe("granted");
  });
});

describe("narrowing beyond what a username carries", () => {
  it("is an answer, no fault", () => {
    const context = exchangeContext();
    const numbers = Array.from({ length: 400 }, (_, at) => `+32258870${at}`);
    const who = identity(customer(), { expiry: context.clock.seconds + 100, narrowing: { numbers } });
    expect(code(grant(who, false, secret, context))).toBe("exchange-narrowed");
  });
});

describe("limits", () => {
  it("stop who fails too often, under that claim and from that address alone", async () => {
    const context = exchangeContext({ settings: { limits: { failuresPerMinute: 2, messagesPerSecond: 0 } } });
    const good = credential(context.clock);
    const wrong = { ...good, password: "wrong" };
    const codes = [await ask(context, wrong), await ask(context, wrong), await ask(context, good)].map(code);
    expect(codes).toEqual(["credential-rejected", "credential-rejected", "rate-limited"]);
    const elsewhere = { kind: "asked", shown: { kind: "password", ...good }, direct: false } as const;
    expect(code(await exchange(elsewhere, { address: "192.0.2.2", origin: undefined }, secret, context))).toBe(
      "granted",
    );
    context.clock.ms += 60_000;
    expect(code(await ask(context, good))).toBe("granted");
  });

  it("hold for many at once, whose proofs take a while", async () => {
    const context = exchangeContext({ settings: { limits: { failuresPerMinute: 2, messagesPerSecond: 0 } } });
    const prove = async (): Promise<Proof> => {
      await new Promise(setImmediate);
      return { kind: "refused", refusal: rejectedToken };
    };
    const slow = { ...context, chain: new AuthenticatorChain([{ prove }], context.clock) };
    const shown = { kind: "token", token: "x", domain: "acme.example", holder: "h" } as const;
    const one = () => exchange({ kind: "asked", shown, direct: false }, nobody, secret, slow);
    const codes = (await Promise.all(Array.from({ length: 100 }, one))).map(code);
    // Ten are under way at once: nine more when the second one counts.
    expect(codes.filter((uttered) => uttered === "credential-rejected")).toHaveLength(11);
    expect(codes.slice(11)).toEqual(Array(89).fill("rate-limited"));
  });

  it("let a thousand proofs of an address wait, and ask the others to come again", async () => {
    const context = exchangeContext({ settings: { limits: { failuresPerMinute: 5_000, messagesPerSecond: 0 } } });
    const prove = async (): Promise<Proof> => {
      await new Promise(setImmediate);
      return { kind: "refused", refusal: rejectedToken };
    };
    const slow = { ...context, chain: new AuthenticatorChain([{ prove }], context.clock) };
    const shown = { kind: "token", token: "x", domain: "acme.example", holder: "h" } as const;
    const one = () => exchange({ kind: "asked", shown, direct: false }, nobody, secret, slow);
    const outcomes = await Promise.all(Array.from({ length: 1_100 }, one));
    expect(outcomes.slice(0, 1_010).map(code)).toEqual(Array(1_010).fill("credential-rejected"));
    expect(outcomes.slice(1_010)).toEqual(Array(90).fill(expect.objectContaining({ retryAfter: 5 })));
    expect(outcomes.slice(1_010).map(code)).toEqual(Array(90).fill("rate-limited"));
  });

  it("look the same for customers that there are not", async () => {
    const context = exchangeContext({ settings: { limits: { failuresPerMinute: 2, messagesPerSecond: 0 } } });
    const run = async (user: string): Promise<string[]> => {
      const wrong = { ...credential(context.clock, user), password: "wrong" };
      return [await ask(context, wrong), await ask(context, wrong), await ask(context, wrong)].map(code);
    };
    expect(await run("a@nobody.example")).toEqual(await run("a@acme.example"));
    expect(await run("b@nowhere.example")).toEqual(["credential-rejected", "credential-rejected", "rate-limited"]);
  });

  it("stop who asks too often, and say when to come again", async () => {
    const context = exchangeContext({ settings: { limits: { failuresPerMinute: 0, messagesPerSecond: 1 } } });
    expect(code(await ask(context, credential(context.clock)))).toBe("granted");
    expect(await ask(context, credential(context.clock))).toMatchObject({
      refusal: { code: "rate-limited" },
      retryAfter: 1,
    });
    context.clock.ms += 1_000;
    expect(code(await ask(context, credential(context.clock)))).toBe("granted");
  });

  it("let nobody in while the gateway drains", async () => {
    let draining = false;
    const context = exchangeContext({ draining: () => draining });
    expect(code(await ask(context, credential(context.clock)))).toBe("granted");
    draining = true;
    expect(code(await ask(context, credential(context.clock)))).toBe("draining");
  });
});
