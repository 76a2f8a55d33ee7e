import { describe, expect, it } from "vitest";
import { AccessTokenAuthenticator } from "../../../src/auth/access-token.ts";
import { Customers } from "../../../src/core/customers.ts";
import { type Code, codes, refuse } from "../../../src/core/errors.ts";
import type { Identity } from "../../../src/core/identity.ts";
import { authenticate, authenticateError, readAuthenticate } from "../../../src/exchange/callstats.ts";
import { customer, identity } from "../../helpers/customers.ts";
import { exchangeContext, publicUrl } from "../../helpers/exchange.ts";

const nobody = { address: "192.0.2.1", origin: undefined };
const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();
const right = { grant_type: "authorization_code", code: "good", client_id: "alice@acme" };

async function ask(
  fields: Partial<typeof right>,
  {
    of = customer(),
    proved = {},
    origin,
  }: { of?: ReturnType<typeof customer>; proved?: Partial<Identity>; origin?: string } = {},
) {
  const context = exchangeContext({
    customers: [of],
    tokens: { good: { kind: "proved", identity: identity(of, proved) } },
  });
  const asked = readAuthenticate(form({ ...right, ...fields }));
  const outcome = asked.kind === "refused" ? asked : await authenticate(asked, { ...nobody, origin }, "h", context);
  return { outcome, context };
}

async function error(...wanted: Parameters<typeof ask>) {
  const { outcome } = await ask(...wanted);
  if (outcome.kind === "granted") return "granted";
  const { status, body } = authenticateError(outcome);
  return [status, body.error, body["urn:x-callstats:auth:errorActions"][0]?.action];
}

describe("what callstats' client sends", () => {
  it("is read: the user may have a domain, the app is what follows the last @", () => {
    expect(readAuthenticate(form({ ...right, client_id: "a@b.example@17" }))).toMatchObject({
      kind: "asked",
      token: "good",
      userID: "a@b.example",
      appID: "17",
    });
  });

  it.each([
    ["no form", undefined],
    ["another grant", form({ ...right, grant_type: "password" })],
    ["no grant", form({ code: "x", client_id: "a@b" })],
    ["no code", form({ grant_type: "authorization_code", client_id: "a@b" })],
    ["no client", form({ grant_type: "authorization_code", code: "x" })],
    ["a client without app", form({ ...right, client_id: "alice" })],
    ["a client without user", form({ ...right, client_id: "@acme" })],
    ["an empty app", form({ ...right, client_id: "alice@" })],
    ["a field twice", `${form(right)}&code=other`],
    ["broken encoding", `${form(right)}&x=%f`],
  ])("is a protocol error with %s", (_, text) => {
    const asked = readAuthenticate(text);
    if (asked.kind !== "refused") throw new Error("it was read");
    const { status, body } = authenticateError(asked);
    expect([status, body.error, body["urn:x-callstats:auth:errorActions"]]).toEqual([
      400,
      "PROTOCOL_ERROR",
      [{ action: 2 }],
    ]);
  });
});

describe("an access token", () => {
  it("is given for an hour, or the customer's longest life, and proved by the gateway", async () => {
    const of = customer({ maxTtl: 900 });
    const { outcome, context } = await ask({}, { of, proved: { narrowing: { maxSeconds: 60 } } });
    if (outcome.kind === "refused") throw new Error(outcome.refusal.sentence);
    expect(outcome.answer).toMatchObject({ token_type: "bearer", expires_in: 900 });
    expect((await ask({}, { of: customer({ maxTtl: 7200 }) })).outcome).toMatchObject({ answer: { expires_in: 3600 } });
    const customers = new Customers([of]);
    const { clock, keys } = context;
    const authenticator = new AccessTokenAuthenticator({
      customers: () => customers,
      clock,
      keys,
      issuer: () => publicUrl,
    });
    const proof = authenticator.prove({
      kind: "token",
      token: outcome.answer.access_token,
      domain: undefined,
      holder: "x",
    });
    expect(proof).toMatchObject({ kind: "proved", identity: { user: "alice", narrowing: { maxSeconds: 60 } } });
    expect(await error({ code: outcome.answer.access_token })).toEqual([401, "INVALID_TOKEN", 1]);
  });

  it("is no longer good than the token itself where that was to serve once", async () => {
    const expiry = 1_700_000_000 + 90;
    const source = { kind: "secret", secret: "x".repeat(32) } as const;
    const key = { id: "h", alg: "HS256", source, singleUse: true } as const;
    const oneCall = { name: "one", until: 2_000_000_000 };
    for (const proved of [{ provedBy: key }, { narrowing: { oneCall } }]) {
      expect((await ask({}, { proved: { ...proved, expiry } })).outcome).toMatchObject({ answer: { expires_in: 90 } });
    }
    const many = { provedBy: { ...key, singleUse: false }, expiry };
    expect((await ask({}, { proved: many })).outcome).toMatchObject({ answer: { expires_in: 3600 } });
  });

  it("that would be longer than a token may be is a refusal of the token, and no fault of the gateway", async () => {
    const lists = (count: number) => ({
      narrowing: { numbers: Array.from({ length: count }, () => "+32258871230000000000") },
    });
    expect(await error({}, { proved: lists(200) })).toBe("granted");
    expect(await error({}, { proved: lists(300) })).toEqual([400, "PROTOCOL_ERROR", 2]);
  });

  it("is for the user and app that the token names", async () => {
    expect(await error({ client_id: "alice@acme" })).toBe("granted");
    expect(await error({ client_id: "alice@Acme.example@acme" })).toBe("granted");
    expect(await error({ client_id: "bob@acme" })).toEqual([422, "USERID_MISMATCH", 2]);
    expect(await error({ client_id: "alice@globex.example@acme" })).toEqual([422, "USERID_MISMATCH", 2]);
    expect(await error({ client_id: "alice@globex" })).toEqual([422, "INVALID_APPID", 2]);
    const of = customer({ domains: ["acme.example", "second.example"] });
    expect(await error({}, { of, proved: { domain: "second.example" } })).toEqual([422, "USERID_MISMATCH", 2]);
  });

  it("tells of user and app only after the proof", async () => {
    for (const client_id of ["alice@acme", "bob@acme", "alice@globex", "alice@nobody"]) {
      expect(await error({ client_id, code: "unknown" })).toEqual([401, "INVALID_TOKEN", 1]);
    }
  });

  it("is for the customer's pages", async () => {
    const of = customer({ origins: ["https://www.acme.example"] });
    expect(await error({}, { of, origin: "https://www.acme.example" })).toBe("granted");
    expect(await error({}, { of, origin: "https://evil.example" })).toEqual([422, "ORIGIN_MISMATCH", 2]);
    expect(await error({ code: "unknown" }, { of, origin: "https://evil.example" })).toEqual([401, "INVALID_TOKEN", 1]);
  });
});

describe("every refusal in the published form", () => {
  it.each(Object.keys(codes) as Code[])("%s has a published status, name and action", (code) => {
    const { status, body } = authenticateError({ refusal: refuse(code, "a sentence"), retryAfter: 7 });
    expect([400, 401, 422, 503]).toContain(status);
    expect(body.error === "INVALID_TOKEN" && status === 401).toBe(code.startsWith("credential-"));
    const [todo] = body["urn:x-callstats:auth:errorActions"];
    expect(todo).toEqual(
      status === 503 ? { action: 0, params: { timeout: 7000 } } : { action: status === 401 ? 1 : 2 },
    );
    expect(body.error_description).toBe("a sentence");
  });
});
