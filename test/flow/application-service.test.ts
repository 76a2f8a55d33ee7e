import { createPublicKey, sign } from "node:crypto";
import { once } from "node:events";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ApplicationTokens } from "../../examples/application-service/application-tokens.ts";
import { GatewayKeys } from "../../examples/application-service/gateway-keys.ts";
import { ApplicationService, keyId, spawnService } from "../helpers/application-service.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { KeySetServer } from "../helpers/key-set.ts";
import { type Signer, signer, signToken } from "../helpers/tokens.ts";

const issuer = "wss://sip.acme.example:8443";
const now = (): number => Math.floor(Date.now() / 1000);

/** Stands for the gateway: its key, and where it publishes that. */
const gatewayKey = signer("ES256", "g1");
let published: KeySetServer;
let service: ApplicationService;
let applicationToken: string;

beforeAll(async () => {
  published = await KeySetServer.open([gatewayKey.jwk]);
  service = await ApplicationService.start({
    GATEWAY_URL: published.uri.replace("/keys", ""),
    GATEWAY_ISSUER: issuer,
  });
  const cookie = await service.logIn("alice");
  const given = await service.fetchAppToken({ cookie });
  applicationToken = ((await given.json()) as { application_token: string }).application_token;
});
afterAll(async () => {
  await service?.stop();
  published?.close();
});

const header = { alg: "ES256", typ: "getPermissionToken+jwt", kid: "g1" };
let count = 0;
const claims = (changes: object = {}): object => ({
  ...{ iss: issuer, aud: "acme", userID: "alice", application_token: applicationToken },
  ...{ iat: now(), exp: now() + 30, jti: `j${++count}` },
  ...changes,
});

const ask = async (message: unknown): Promise<{ status: number; body: Record<string, string> }> => {
  const body = typeof message === "string" ? message : JSON.stringify(message);
  const response = await fetch(`${service.url}/permissions`, { method: "POST", body });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
};

/** A message as the gateway signs it, but for these changes. */
const asked = async (changes: object = {}, head: object = {}, key: Signer = gatewayKey) =>
  ask({ getPermissionToken: await signToken({ ...header, ...head }, claims(changes), key.private) });

describe("the example application service", () => {
  it("answers the gateway's message by a permission_token that is tied to it", async () => {
    const made = claims();
    const { status, body } = await ask({ getPermissionToken: await signToken(header, made, gatewayKey.private) });
    expect([status, Object.keys(body)]).toEqual([200, ["permission_token"]]);
    const token = body.permission_token ?? "";
    const { payload } = await jwtVerify(token, createPublicKey(service.key.pem), { algorithms: ["ES256"] });
    expect(decodeProtectedHeader(token)).toEqual({ alg: "ES256", typ: "JWT", kid: keyId });
    expect(payload).toEqual({
      ...{ userID: "alice", aud: issuer, nonce: `j${count}`, exp: expect.closeTo(now() + 3000, -1) },
      permissions: ["CreateConference", "SubmitConferenceEvent", "SubmitConferenceStats"],
    });
  });

  it("gives what the user may at that moment", async () => {
    service.permit("alice", ["*"]);
    const all = await asked();
    const { payload } = await jwtVerify(all.body.permission_token ?? "", createPublicKey(service.key.pem));
    expect(payload.permissions).toEqual(["*"]);
  });

  it("knows a user with the domain too", async () => {
    expect((await asked({ userID: "alice@acme.example" })).status).toBe(200);
  });

  const stranger = signer("ES256", "g1");
  it.each<[string, object, object, Signer]>([
    ["of another type", {}, { typ: "JWT" }, gatewayKey],
    ["of another key's name", {}, { kid: "g2" }, gatewayKey],
    ["without a key's name", {}, { kid: undefined }, gatewayKey],
    ["signed by another key", {}, {}, stranger],
    ["that brings its own key along", {}, { jwk: stranger.jwk }, stranger],
    ["that has expired", { exp: now() - 60 }, {}, gatewayKey],
    ["without an end", { exp: undefined }, {}, gatewayKey],
    ["for another customer", { aud: "globex" }, {}, gatewayKey],
    ["of another gateway", { iss: "wss://sip.globex.example" }, {}, gatewayKey],
    ["seen before", { jti: "j1" }, {}, gatewayKey],
    ["of a user that is no text", { userID: 7 }, {}, gatewayKey],
  ])("refuses a message %s", async (_name, changes, head, key) => {
    const { status, body } = await asked(changes, head, key);
    expect([status, body.error]).toEqual([401, "invalid_message"]);
  });

  it("refuses a message whose header names another algorithm, though the signature is right", async () => {
    const parts = [{ ...header, alg: "HS256" }, claims()].map((part) => JSON.stringify(part));
    const text = parts.map((part) => Buffer.from(part).toString("base64url")).join(".");
    const key = { key: gatewayKey.private, dsaEncoding: "ieee-p1363" } as const;
    const getPermissionToken = `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    expect((await ask({ getPermissionToken })).body.error).toBe("invalid_message");
  });

  it("fetches the gateway's keys once for however many who invent a kid, and not at once again where that fails", async () => {
    const set = await KeySetServer.open([gatewayKey.jwk]);
    set.slow = true;
    const keys = new GatewayKeys(set.uri.replace("/keys", ""));
    const invented = Array.from({ length: 20 }, (_, at) => keys.byId(at === 7 ? "g1" : `invented-${at}`));
    await set.asked();
    set.answer();
    const found = await Promise.all(invented);
    expect([found.filter(Boolean).length, set.count]).toEqual([1, 1]);
    Object.assign(set, { keys: "no list" });
    const others = new GatewayKeys(set.uri.replace("/keys", ""));
    for (let time = 0; time < 2; time++) await expect(others.byId("g1")).rejects.toThrow();
    expect(set.count).toBe(2);
    set.close();
  });

  it("knows its own tokens for five minutes", () => {
    vi.useFakeTimers({ now: 0, toFake: ["Date"] });
    const tokens = new ApplicationTokens();
    const token = tokens.give("alice");
    vi.setSystemTime(300_000);
    expect([tokens.name(token), new ApplicationTokens().name(token)]).toEqual(["alice", undefined]);
    vi.setSystemTime(300_001);
    expect(tokens.name(token)).toBeUndefined();
    vi.useRealTimers();
  });

  it("refuses a message that nobody signed", async () => {
    const signed = await signToken(header, claims(), gatewayKey.private);
    const [, payload] = signed.split(".");
    const none = Buffer.from(JSON.stringify({ ...header, alg: "none" })).toString("base64url");
    for (const token of [`${none}.${payload}.`, `${none}.${payload}.AAAA`, "x", ""]) {
      expect((await ask({ getPermissionToken: token })).body.error).toBe("invalid_message");
    }
    expect((await ask({ getPermissionToken: signed })).status).toBe(200);
  });

  it.each(["", "[]", "null", '"x"', "{", '{"getPermissionToken":7}', `{"getPermissionToken":"${"x".repeat(40_000)}"}`])(
    "refuses what is no message: %#",
    async (body) => {
      expect((await ask(body)).status).toBe(400);
    },
  );

  it("says no to another's userID, and to a token that it never gave, in words for the page", async () => {
    const error = { error: "access_denied", error_description: "you are logged in as somebody else" };
    for (const userID of ["bob", "bob@acme.example", "alice@globex.example", "alice@", "Alice"]) {
      const { status, body } = await asked({ userID });
      expect([status, body]).toEqual([403, error]);
    }
    for (const wrong of ["", "x", `${applicationToken}x`, applicationToken.replace(/^\d/, "9")]) {
      expect((await asked({ application_token: wrong })).body.error).toBe("invalid_application_token");
    }
  });

  it("gives no application_token without a session, nor to a foreign page", async () => {
    const cookie = await service.logIn("alice");
    expect((await service.fetchAppToken({})).status).toBe(401);
    expect((await service.fetchAppToken({ cookie, origin: "https://evil.example" })).status).toBe(403);
    expect((await service.fetchAppToken({ cookie, origin: service.url })).status).toBe(200);
  });

  it("gives none to who calls himself bob@acme.example, and would be bob", async () => {
    const given = await service.fetchAppToken({ cookie: await service.logIn("bob@acme.example") });
    expect([given.status, await given.json()]).toEqual([
      422,
      { error: "invalid_user", error_description: "this name cannot be a SIP user" },
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ["without the gateway's name", {}, "GATEWAY_ISSUER is not set"],
    ["without a key", { GATEWAY_ISSUER: issuer, GATEWAY_URL: "http://127.0.0.1" }, "KEY_ID is not set"],
    ["for everybody", { HOST: "0.0.0.0" }, "HOST is not loopback: the toy login believes everybody"],
  ])("does not start %s", async (_name, env, sentence) => {
    const child = spawnService(env);
    const [[exit], said] = await Promise.all([once(child, "close"), child.stderr!.toArray()]);
    expect(exit).toBe(2);
    expect(said.join("")).toContain(`application service: ${sentence}`);
  });
});

describe("its key", () => {
  it("has to be of the curve P-256", async () => {
    const folder = new ConfigFolder();
    const pem = signer("ES384").private.export({ type: "pkcs8", format: "pem" });
    const env = { GATEWAY_ISSUER: issuer, GATEWAY_URL: "http://127.0.0.1", KEY_ID: "k" };
    const child = spawnService({ ...env, PRIVATE_KEY_FILE: folder.write("key.pem", pem) });
    const [[exit], said] = await Promise.all([once(child, "close"), child.stderr!.toArray()]);
    folder.remove();
    expect([exit, said.join("")]).toEqual([2, expect.stringContaining("holds no P-256 key")]);
  });
});
