import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeySetServer } from "../helpers/key-set.ts";
import { code, RawClient, status, unique } from "../helpers/raw-client.ts";
import { Scene, User } from "../helpers/scene.ts";
import { signer, signToken } from "../helpers/tokens.ts";

const [e1, e2] = [signer("ES256", "e1"), signer("ES256", "e2")];
/** Milliseconds by which the gateway's clock is ahead: a set is asked for again after some time only. */
let ahead = 0;
const clock = { now: () => Date.now() + ahead };
const inSeconds = (seconds: number): number => Math.floor(clock.now() / 1000) + seconds;
let keySet: KeySetServer;
let scene: Scene;

const acme = (more = ""): string =>
  `    keys: [{ id: j1, alg: ES256, jwksUri: "${keySet.uri}", issuer: "https://idp.example", audience: postern }]\n${more}`;

beforeAll(async () => {
  keySet = await KeySetServer.open([e1.jwk]);
  scene = await Scene.open({
    acme: acme(),
    more: 'exchange: { secret: the-exchange-secret-of-the-tests, callbackNetworks: ["127.0.0.0/8"] }',
    gateway: "  limits: { failuresPerMinute: 0 }",
    clock,
  });
});
afterAll(async () => {
  await scene?.close();
  keySet?.close();
});

const someone = (): string => `alice${unique().replace("-", ".")}@acme.example`;
const none = { username: "none", password: "none" };
const token = (user: string, key = e1): Promise<string> =>
  signToken(
    { alg: "ES256", kid: String(key.jwk.kid) },
    { sub: user, iss: "https://idp.example", aud: "postern", exp: inSeconds(200) },
    key.private,
  );
const options = (user: User, bearer?: string) =>
  user.parts("OPTIONS", "sip:acme.example", bearer === undefined ? {} : { extra: [`Authorization: Bearer ${bearer}`] });
const http = (): string => scene.gateway.gatewayUrl.replace("ws", "http");

/** What one token of a visitor was used for, while its key was in the set. */
async function visit(address: string) {
  const shown = await token(address);
  const handshake = new User(await scene.connect({ path: `/?access_token=${shown}` }), address, none);
  const headers = { authorization: `Bearer ${shown}` };
  const exchanged = await fetch(`${http()}/v1/exchange`, { method: "POST", headers });
  const form = { grant_type: "authorization_code", code: shown, client_id: `${address}@acme` };
  const authenticated = await fetch(`${http()}/authenticate`, { method: "POST", body: new URLSearchParams(form) });
  const { access_token: access } = (await authenticated.json()) as { access_token: string };
  const given = (await exchanged.json()) as { username: string; password: string };
  const later = new User(await scene.connect(), address, given);
  const bearing = new User(await scene.connect(), address, none);
  return {
    handshake: () => handshake.client.ask(options(handshake)),
    bearer: () => bearing.client.ask(options(bearing, shown)),
    exchanged: () => later.prove("OPTIONS", "sip:acme.example"),
    access: () => bearing.client.ask(options(bearing, access)),
  };
}

describe("a key that its customer drops from the set", () => {
  it("takes along all that was made of its word: connection, token, exchanged credential, access token", async () => {
    const [dropped, stays] = [await visit(someone()), someone()];
    for (const ask of Object.values(dropped)) expect(status(await ask())).toBe(200);
    keySet.keys = [e2.jwk];
    ahead += 31_000;
    const other = new User(await scene.connect(), stays, none);
    expect(status(await other.client.ask(options(other, await token(stays, e2))))).toBe(200);
    const before = scene.kamailio.saw().length;
    expect(status(await dropped.handshake())).toBe(407);
    expect(await dropped.bearer().then((said) => [status(said), code(said)])).toEqual([407, "credential-rejected"]);
    expect(await dropped.exchanged().then((said) => [status(said), code(said)])).toEqual([403, "credential-revoked"]);
    expect(await dropped.access().then((said) => [status(said), code(said)])).toEqual([407, "credential-revoked"]);
    expect(scene.kamailio.saw().length).toBe(before);
    keySet.keys = [e1.jwk, e2.jwk];
  });

  it.each<[string, object]>([
    ["for encryption", { ...e1.jwk, use: "enc" }],
    ["for another algorithm", { ...e1.jwk, alg: "ECDH-ES" }],
    ["with its private part given away", e1.private.export({ format: "jwk" })],
  ])("takes it all along as well where the set keeps it %s", async (_how, kept) => {
    ahead += 301_000;
    keySet.keys = [e1.jwk, e2.jwk];
    const visited = await visit(someone());
    for (const ask of Object.values(visited)) expect(status(await ask())).toBe(200);
    keySet.keys = [kept, e2.jwk];
    ahead += 31_000;
    const stranger = new User(await scene.connect(), someone(), none);
    const unknown = await stranger.client.ask(options(stranger, await token(stranger.address, signer("ES256", "e9"))));
    expect(status(unknown)).toBe(407);
    const said = await Promise.all(Object.values(visited).map((ask) => ask()));
    expect(said.map(status)).toEqual([407, 407, 403, 407]);
    keySet.keys = [e1.jwk, e2.jwk];
  });

  it("is still one where the set only writes it anew", async () => {
    ahead += 301_000;
    keySet.keys = [e1.jwk, e2.jwk];
    const visited = await visit(someone());
    keySet.keys = [{ ...e1.jwk, use: "sig", x5t: "another" }, e2.jwk];
    ahead += 31_000;
    const stranger = new User(await scene.connect(), someone(), none);
    const unknown = await stranger.client.ask(options(stranger, await token(stranger.address, signer("ES256", "e9"))));
    expect(status(unknown)).toBe(407);
    for (const ask of Object.values(visited)) expect(status(await ask())).toBe(200);
  });
});

describe("a proof that was under way while its customer was changed", () => {
  it("is judged by the customer as it is now", async () => {
    const [address, twin] = [someone(), someone()];
    const path = async (user: string) => `/?access_token=${await token(user)}`;
    const origin = "https://old.acme.example";
    const early = await scene.connect({ path: await path(twin), origin });
    expect(status(await early.ask(options(new User(early, twin, none))))).toBe(200);
    keySet.slow = true;
    keySet.keys = [e2.jwk, e1.jwk];
    ahead += 31_000;
    const fresh = signer("ES256", "e7");
    const claims = { sub: address, iss: "https://idp.example", aud: "postern", exp: inSeconds(200) };
    const shown = await signToken({ alg: "ES256", kid: "e7" }, claims, fresh.private);
    const opening = RawClient.connect(scene.gateway.gatewayUrl, { path: `/?access_token=${shown}`, origin });
    await keySet.asked();
    scene.gateway.change({ acme: acme('    origins: ["https://www.acme.example"]\n') });
    keySet.keys = [e1.jwk, e2.jwk, fresh.jwk];
    keySet.answer();
    expect(await (await opening).closed).toMatchObject({ code: 4403, reason: expect.stringMatching(/^origin-denied/) });
    expect(status(await early.ask(options(new User(early, twin, none))))).toBe(407);
    scene.gateway.change({ acme: acme() });
  });
});
