import type { ServerResponse } from "node:http";
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from "jose";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { CallOutOptions } from "../../../src/callout/call-out.ts";
import type { Customer } from "../../../src/core/identity.ts";
import { Application, type Asked, type AskedFor, askDataToken } from "../../helpers/application.ts";
import { customer } from "../../helpers/customers.ts";
import { type ExchangeParts, type PublicServer, publicUrl, startPublic } from "../../helpers/exchange.ts";
import { verificationKey } from "../../helpers/tokens.ts";

interface Scene {
  readonly acme: Customer;
  readonly application: Application;
  readonly server: PublicServer;
  ask(changes?: Partial<AskedFor> & Record<string, unknown>, headers?: Record<string, string>): Promise<Response>;
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** acme with an application; globex has none. */
async function open(changes: Partial<Customer> = {}, parts: ExchangeParts = {}): Promise<Scene> {
  const application = await Application.start();
  const keys = [verificationKey("ES256", { kind: "jwk", jwk: application.signer.jwk })];
  const acme = customer({ keys, permissionUrl: application.url, ...changes });
  const globex = customer({ id: "globex", domains: ["globex.example"], origins: ["https://www.globex.example"] });
  const server = await startPublic({ customers: [acme, globex], wall: true, ...parts });
  ends.push(
    () => server.close(),
    () => application.stop(),
  );
  return { acme, application, server, ask: (...args) => askDataToken(server.url, ...args) };
}

const revoked: Customer["revoked"] = [{ kind: "user", value: "alice", until: 4_000_000_000, calls: "end" }];

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as Record<string, unknown>;

const told = async (answered: Promise<Response>): Promise<[number, string | undefined]> => {
  const response = await answered;
  return [response.status, ((await response.json()) as { code?: string }).code];
};

/** Answers nobody until it is told to. */
function held(application: Application) {
  const waiting: [Asked, ServerResponse][] = [];
  const { answering } = application;
  application.answering = (asked, response) => void waiting.push([asked, response]);
  const release = async (): Promise<void> => {
    for (const [asked, response] of waiting.splice(0)) await answering(asked, response);
  };
  onTestFinished(() => void release());
  return { waiting, release };
}

describe("POST /v1/data-tokens", () => {
  it("asks the application, signed by a published key, and answers what it permits", async () => {
    const { application, server, ask } = await open({ maxTtl: 500 });
    application.answering = (asked, response) =>
      application.permit(asked, response, { permissions: ["CreateConference", "SubmitConferenceStats"] });
    const answered = await ask();
    expect(answered.status).toBe(200);
    expect(answered.headers.get("cache-control")).toBe("no-store");
    const { data_token, ...rest } = (await answered.json()) as { data_token: string };
    const permissions = ["CreateConference", "SubmitConferenceStats"];
    expect(rest).toEqual({ token_type: "bearer", expires_in: 500, permissions });
    const claims = claimsOf(data_token);
    expect(claims).toMatchObject({ iss: publicUrl, sub: "alice@acme.example", narrowing: { permissions } });
    expect(claims).toMatchObject({ evidence: { customer: "acme", kind: "key", id: "j1" } });
    const set = (await (await fetch(`${server.url}/.well-known/jwks.json`)).json()) as JSONWebKeySet;
    const { protectedHeader } = await compactVerify(application.messages[0]!, createLocalJWKSet(set));
    expect(protectedHeader).toEqual({ alg: "ES256", typ: "getPermissionToken+jwt", kid: set.keys[0]?.kid });
    const asked = application.asked[0]!;
    expect(asked).toMatchObject({
      iss: publicUrl,
      aud: "acme",
      userID: "alice",
      application_token: "the-token-of-alice",
    });
    expect(asked.exp - asked.iat).toBe(30);
    expect(asked.jti.length).toBeGreaterThanOrEqual(22);
    expect(server.verdicts).toEqual([["accepted", "acme"]]);
    expect(server.applications).toEqual(["granted"]);
    expect(JSON.stringify(server.log())).not.toMatch(/the-token-of-alice|eyJ/);
  });

  it("asks anew, not the same question again, where a kept connection broke", async () => {
    const { application, ask } = await open();
    await ask();
    application.answering = async (asked, response) => {
      if (application.asked.length === 2) response.socket?.resetAndDestroy();
      else await application.permit(asked, response);
    };
    expect((await ask()).status).toBe(200);
    expect(new Set(application.asked.map(({ jti }) => jti)).size).toBe(3);
  });

  it("says so where the permission_token narrows by more than a token can carry", async () => {
    const { application, server, ask } = await open(
      {},
      { settings: { publicUrl: `${publicUrl}/${"p".repeat(2_500)}` } },
    );
    const methods = Array.from({ length: 50 }, (_, at) => `M${String(at).padStart(31, "0")}`);
    const granted = async (narrowing: object): Promise<Response> => {
      application.answering = (asked, response) => application.permit(asked, response, narrowing);
      return ask();
    };
    expect((await granted({})).status).toBe(200);
    const answered = await granted({ methods });
    expect([answered.status, await answered.json()]).toMatchObject([
      403,
      { code: "application-denied", detail: expect.stringContaining("the permission_token narrows by more than") },
    ]);
    expect(JSON.stringify(server.log())).not.toContain("could not be answered");
  });

  it("lives no longer than the permission_token, the customer's maxTtl, and an hour", async () => {
    const { application, ask } = await open({ maxTtl: 86_400 });
    const lives = async (seconds: number): Promise<number> => {
      application.answering = (asked, response) =>
        application.permit(asked, response, { exp: Math.floor(Date.now() / 1000) + seconds });
      return ((await (await ask()).json()) as { expires_in: number }).expires_in;
    };
    expect(await lives(100)).toBeLessThanOrEqual(100);
    expect(await lives(100)).toBeGreaterThan(90);
    expect(await lives(80_000)).toBe(3_600);
  });

  it.each([
    ["alice", "alice"],
    ["alice", "alice@acme.example"],
    ["alice@acme.example", "alice"],
    ["alice@ACME.example", "alice@acme.example"],
  ])("takes userID %s, answered as %s: without a domain it is of the customer's first", async (userID, answered) => {
    const { application, ask } = await open();
    application.answering = (asked, response) => application.permit(asked, response, { userID: answered });
    const response = await ask({ userID });
    expect(response.status).toBe(200);
    expect(claimsOf(((await response.json()) as { data_token: string }).data_token).sub).toBe("alice@acme.example");
    expect(application.asked[0]?.userID).toBe(userID);
  });

  it("names the conference of the permission_token, and narrows as its claims do", async () => {
    const { application, ask } = await open();
    application.answering = (asked, response) =>
      application.permit(asked, response, { conferenceID: "c-1@acme", numbers: ["+3225887123"], jti: "p-1" });
    const { data_token } = (await (await ask()).json()) as { data_token: string };
    expect(claimsOf(data_token)).toMatchObject({
      narrowing: { permissions: ["*"], conference: "c-1@acme", numbers: ["+3225887123"] },
      evidence: { names: [{ kind: "jti", value: "p-1" }] },
    });
  });

  it("keeps its connection to the application", async () => {
    const { application, ask } = await open();
    for (let time = 0; time < 3; time++) expect((await ask()).status).toBe(200);
    expect(application.asked.length).toBe(3);
    expect(application.connections).toBe(1);
  });

  it("asks once for what is asked at once with equal appID, userID and application_token, and anew each later time", async () => {
    const { application, ask } = await open();
    const { waiting, release } = held(application);
    const all = Array.from({ length: 15 }, () => ask());
    const others = [ask({ userID: "bob" }), ask({ application_token: "another" })];
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(3);
    await release();
    const tokens = await Promise.all(
      (await Promise.all(all)).map(async (one) => ((await one.json()) as { data_token: string }).data_token),
    );
    expect(new Set(tokens).size).toBe(15);
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200]);
    expect(application.asked.length).toBe(3);
    const later = ask();
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(1);
    await release();
    expect((await later).status).toBe(200);
    expect(application.asked.length).toBe(4);
  });

  it("passes on the application's own words, cleaned and cut", async () => {
    const { application, server, ask } = await open();
    const words = { error: "not_logged_in", error_description: "log in first \u001b[31m\u202e<b>" };
    application.answering = (_asked, response) => application.say(response, 401, words);
    const answered = await ask();
    expect([answered.status, answered.headers.get("content-type")]).toEqual([403, "application/problem+json"]);
    expect(await answered.json()).toEqual({
      title: "Forbidden",
      status: 403,
      code: "application-denied",
      detail: expect.stringMatching(/own words/) as string,
      error: "not_logged_in",
      error_description: "log in first ?[31m?<b>",
    });
    application.answering = (_asked, response) =>
      application.say(response, 400, { error: "e".repeat(5_000), error_description: "d".repeat(5_000) });
    const { error, error_description } = (await (await ask()).json()) as Record<string, string>;
    expect([error?.length, error_description?.length]).toEqual([100, 500]);
    expect(JSON.stringify(server.log())).not.toMatch(/not_logged_in|log in first/);
    expect(server.applications).toEqual(["denied", "denied"]);
    expect(server.verdicts).toEqual(Array(2).fill(["application-denied", undefined]));
  });

  it.each(["", "no JSON", '{"error":5}', '{"error":"a","error":"b"}'])(
    "says that the application refused without a word: %s",
    async (body) => {
      const { application, ask } = await open();
      application.answering = (_asked, response) => application.say(response, 404, body);
      const answered = (await (await ask()).json()) as Record<string, unknown>;
      expect(answered).toMatchObject({ code: "application-denied", status: 403 });
      expect(Object.keys(answered)).not.toContain("error");
    },
  );
});

describe("what is asked for wrongly", () => {
  it.each<[string, object]>([
    ["a further member", { more: 1 }],
    ["an appID that is no text", { appID: ["acme"] }],
    ["an appID with a fraction", { appID: 1.5 }],
    ["no userID", { userID: undefined }],
    ["a userID that is a number", { userID: 5 }],
    ["a userID of nobody's", { userID: "alice smith" }],
    ["a userID with two @", { userID: "alice@acme.example@evil.example" }],
    ["a userID without its domain", { userID: "alice@" }],
    ["a userID of 400 characters", { userID: `alice@${"x".repeat(400)}` }],
    ["no application_token", { application_token: undefined }],
    ["an empty application_token", { application_token: "" }],
    ["an application_token with a line end", { application_token: "a\nb" }],
    ["an application_token of 9,000 characters", { application_token: "x".repeat(9_000) }],
  ])("%s: 400, and nobody is asked", async (_, changes) => {
    const { application, ask } = await open();
    expect(await told(ask(changes as Record<string, unknown>))).toEqual([400, "message-malformed"]);
    expect(application.asked).toEqual([]);
    expect((await ask()).status).toBe(200);
  });

  it.each(["{", "[]", '{"appID":"acme","appID":"acme","userID":"alice","application_token":"x"}', "null"])(
    "%s as a body: 400",
    async (body) => {
      const { application, server } = await open();
      const headers = { "content-type": "application/json" };
      const answered = fetch(`${server.url}/v1/data-tokens`, { method: "POST", headers, body });
      expect(await told(answered)).toEqual([400, "message-malformed"]);
      expect(application.asked).toEqual([]);
    },
  );

  it("nobody's appID and that of who has no application look the same, and are counted as failures", async () => {
    const { application, ask } = await open(
      {},
      { settings: { limits: { failuresPerMinute: 3, messagesPerSecond: 0 } } },
    );
    const [nobody, without] = [await ask({ appID: "nobody" }), await ask({ appID: "globex" })];
    expect([nobody.status, without.status]).toEqual([401, 401]);
    expect(nobody.headers.get("www-authenticate")).toBe(without.headers.get("www-authenticate"));
    expect(await nobody.json()).toEqual(await without.json());
    for (let time = 0; time < 2; time++) await ask({ appID: "nobody" });
    expect(await told(ask({ appID: "nobody" }))).toEqual([429, "rate-limited"]);
    expect((await ask()).status).toBe(200);
    expect(application.asked.length).toBe(1);
  });

  it.each(["end", "finish"] as const)(
    "the application of who is suspended (%s) is not asked: as if there were none",
    async (suspended) => {
      const { acme, application, server, ask } = await open({ suspended });
      const without = await ask({ appID: "globex" });
      const refused = await ask();
      expect([refused.status, await refused.text()]).toEqual([without.status, await without.text()]);
      expect(application.asked).toEqual([]);
      const { suspended: _, ...served } = acme;
      server.change([served]);
      expect((await ask()).status).toBe(200);
    },
  );

  it("a token of the gateway's own is given to no application", async () => {
    const { application, ask } = await open();
    const { data_token } = (await (await ask()).json()) as { data_token: string };
    expect(await told(ask({ application_token: data_token }))).toEqual([401, "credential-rejected"]);
    expect(application.asked.length).toBe(1);
  });

  it("a page of a foreign origin: 403 before the application is asked; its own may read the answer", async () => {
    const page = "https://www.acme.example";
    const { application, server, ask } = await open({ origins: [page] });
    const evil = { origin: "https://evil.example" };
    expect(await told(ask({}, evil))).toEqual([403, "origin-denied"]);
    expect(application.asked).toEqual([]);
    const answered = await ask({}, { origin: page });
    expect([answered.status, answered.headers.get("access-control-allow-origin")]).toEqual([200, page]);
    const preflight = (origin: string) =>
      fetch(`${server.url}/v1/data-tokens`, { method: "OPTIONS", headers: { origin } });
    expect([(await preflight(page)).status, (await preflight(evil.origin)).status]).toEqual([204, 403]);
  });

  it("application_tokens that are refused again and again: 429 for that address and customer", async () => {
    const { application, ask } = await open(
      {},
      { settings: { limits: { failuresPerMinute: 3, messagesPerSecond: 0 } } },
    );
    application.answering = (_asked, response) => application.say(response, 401, { error: "unknown" });
    for (let time = 0; time < 3; time++) {
      expect(await told(ask({ application_token: `guess${time}` }))).toEqual([403, "application-denied"]);
    }
    const banned = await ask({ application_token: "guess" });
    expect([banned.status, banned.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(application.asked.length).toBe(3);
  });

  it("application_tokens guessed all at once: no more of them are asked about than ten above the limit", async () => {
    const limits = { failuresPerMinute: 3, messagesPerSecond: 0 };
    const { application, ask } = await open({}, { settings: { limits } });
    const deny: typeof application.answering = (_, response) => application.say(response, 401, { error: "unknown" });
    application.answering = deny;
    const { waiting, release } = held(application);
    const guesses = Array.from({ length: 30 }, (_, at) => ask({ application_token: `guess${at}` }));
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(10);
    application.answering = deny;
    await release();
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    expect(application.asked.length).toBeLessThanOrEqual(13);
    expect(statuses.filter((status) => status === 403).length).toBe(application.asked.length);
    expect(statuses.filter((status) => status === 429).length).toBe(30 - application.asked.length);
    expect((await ask({ appID: "globex" })).status).toBe(401);
  });

  it("who waits longer for ten others of the address than the page would: 429 with Retry-After, and nobody is asked", async () => {
    const { application, server, ask } = await open();
    const queued = vi.spyOn(server.context.failures, "inTurn");
    const { waiting, release } = held(application);
    const others = Array.from({ length: 10 }, (_, at) => ask({ userID: `user${at}` }));
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(10);
    const late = ask();
    await expect.poll(() => queued.mock.calls.length, { timeout: 10_000 }).toBe(11);
    const real = performance.now.bind(performance);
    const later = vi.spyOn(performance, "now").mockImplementation(() => real() + 3_600);
    onTestFinished(() => later.mockRestore());
    await release();
    const [refused, ...asked] = await Promise.all([late, ...others]);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(asked.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(application.asked.length).toBe(10);
  });

  it("draining and overloaded: 503 before the application is asked", async () => {
    const state = { draining: true, overloaded: false };
    const parts = { draining: () => state.draining, overloaded: () => state.overloaded };
    const { application, ask } = await open({}, parts);
    expect(await told(ask())).toEqual([503, "draining"]);
    Object.assign(state, { draining: false, overloaded: true });
    expect(await told(ask())).toEqual([503, "limit-reached"]);
    expect(application.asked).toEqual([]);
    state.overloaded = false;
    expect((await ask()).status).toBe(200);
  });
});

describe("who was let in, and is", () => {
  it.each<[string, Partial<Customer>]>([
    ["a revoked user", { revoked }],
    ["named by a revoked jti", { revoked: [{ kind: "jti", value: "p-1", until: 4_000_000_000, calls: "end" }] }],
  ])("%s: 401 credential-revoked", async (_, changes) => {
    const { application, ask } = await open(changes);
    application.answering = (asked, response) => application.permit(asked, response, { jti: "p-1" });
    expect(await told(ask())).toEqual([401, "credential-revoked"]);
  });

  it.each<[string, (acme: Customer) => readonly Customer[], [number, string | undefined]]>([
    ["the customer is gone", () => [], [503, "upstream-unavailable"]],
    ["its key is gone", (acme) => [{ ...acme, keys: [] }], [403, "application-denied"]],
    ["its user is revoked", (acme) => [{ ...acme, revoked }], [401, "credential-revoked"]],
    ["it is suspended", (acme) => [{ ...acme, suspended: "end" }], [401, "credential-revoked"]],
    ["nothing of that has changed", (acme) => [{ ...acme, maxTtl: 60 }], [200, undefined]],
  ])("as it is when the application answers: %s", async (_, changed, answered) => {
    const { acme, application, server, ask } = await open();
    const { waiting, release } = held(application);
    const answer = told(ask());
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(1);
    server.change(changed(acme));
    await release();
    expect(await answer).toEqual(answered);
  });

  it("lets the pages read it that the customer has then", async () => {
    const origin = "https://www.acme.example";
    const { acme, application, server, ask } = await open({ origins: [origin] });
    const { waiting, release } = held(application);
    const answer = ask({}, { origin });
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(1);
    server.change([{ ...acme, origins: ["https://other.acme.example"] }]);
    await release();
    expect((await answer).headers.get("access-control-allow-origin")).toBeNull();
  });

  it("of a domain that is not the customer's: 403 identity-mismatch", async () => {
    const { ask } = await open();
    expect(await told(ask({ userID: "alice@globex.example" }))).toEqual([403, "identity-mismatch"]);
    expect((await ask({ userID: "alice@acme.example" })).status).toBe(200);
  });

  it("for a conference that has ended: 403, and the application has to name another", async () => {
    const { application, server, ask } = await open();
    application.answering = (asked, response) => application.permit(asked, response, { conferenceID: "over" });
    server.conferences.end("acme", "over");
    expect(await told(ask())).toEqual([403, "application-denied"]);
    application.answering = (asked, response) => application.permit(asked, response, { conferenceID: "next" });
    expect((await ask()).status).toBe(200);
  });
});

describe("the request to an application", () => {
  it("is a POST of JSON, without redirects, that may take 5 s and be answered by 16 KiB", async () => {
    const limits: CallOutOptions[] = [];
    const { server, ask } = await open({}, { sent: (options) => void limits.push(options) });
    expect((await ask()).status).toBe(200);
    expect(limits).toMatchObject([{ method: "POST", timeoutMs: 5_000, maxBytes: 16_384, redirects: 0 }]);
    expect(limits[0]?.headers).toMatchObject({ "content-type": "application/json", "user-agent": "Postern" });
    expect(server.applications).toEqual(["granted"]);
  });
});
