import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestGateway } from "../helpers/gateway.ts";
import { withExchange } from "../helpers/issued.ts";
import { code, credential, type RawClient, status, unique } from "../helpers/raw-client.ts";
import { request } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, User } from "../helpers/scene.ts";
import { signToken } from "../helpers/tokens.ts";

/** Each customer has secrets of its own. */
const secretOf = (kid: string, customer: string): string => `the-jwt-secret-of-${customer}-for-${kid}-0123456789`;
const keysOf = (customer: string): string => `\
    keys:
      - { id: often, alg: HS256, secret: ${secretOf("often", customer)} }
      - { id: once, alg: HS256, secret: ${secretOf("once", customer)}, singleUse: true }
`;
const gateway = "  limits: { failuresPerMinute: 0 }";
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ acme: keysOf("acme"), globex: keysOf("globex"), gateway, more: withExchange });
});
afterAll(() => scene?.close());

const someone = (): string => `alice${unique().replace("-", ".")}@acme.example`;

/** Of a key whose tokens serve once, by their jti. */
const token = (sub: string, claims: Record<string, unknown> = {}, kid = "once"): Promise<string> => {
  const customer = sub.endsWith("@globex.example") ? "globex" : "acme";
  return signToken(
    { alg: "HS256", kid },
    { sub, exp: inSeconds(250), jti: unique(), ...claims },
    secretOf(kid, customer),
  );
};

const options = (user: User, extra: readonly string[] = []) => user.parts("OPTIONS", `sip:${user.domain}`, { extra });
const bearer = (shown: string): string[] => [`Authorization: Bearer ${shown}`];
const nobody = { username: "nobody", password: "nothing" };

async function socket(address: string, shown?: string, at?: TestGateway): Promise<User> {
  const options = shown === undefined ? {} : { path: `/?access_token=${shown}` };
  return new User(await scene.connect(options, at), address, nobody);
}

/** Status and code of a request under what is shown in it, and whether Kamailio had it. */
async function ask(user: User, extra: readonly string[] = []) {
  const parts = options(user, extra);
  const answered = await user.client.ask(parts);
  const seen = await scene.arrived(parts.callId);
  return [status(answered), code(answered), seen.length];
}

async function exchange(shown: string): Promise<[number, unknown]> {
  const url = `${scene.gateway.gatewayUrl.replace(/^ws/, "http")}/v1/exchange`;
  const response = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${shown}` } });
  return [response.status, ((await response.json()) as { code?: string }).code];
}

/** That it is closed with 4403, and nothing that it said came to Kamailio. */
async function turnedAway(client: RawClient, address: string): Promise<string> {
  const parts = options(new User(client, address, nobody));
  client.send(request(parts));
  const { code: closed, reason } = await client.closed;
  expect([closed, await scene.arrived(parts.callId)]).toEqual([4403, []]);
  return reason.split(":", 1)[0] ?? "";
}

const served = [200, undefined, 1];
const replayed = [407, "credential-replayed", 0];

describe("a recorded token for single use", () => {
  it("as a Bearer serves the socket that showed it first, as often as it likes, and no other", async () => {
    const address = someone();
    const shown = await token(address);
    const [own, other] = [await socket(address), await socket(address)];
    expect(await ask(own, bearer(shown))).toEqual(served);
    expect(await ask(other, bearer(shown))).toEqual(replayed);
    expect(await ask(own, bearer(shown))).toEqual(served);
    expect(await ask(other, bearer(await token(address)))).toEqual(served);
  });

  it("in the URL of a handshake opens one socket, and is no Bearer on another", async () => {
    const address = someone();
    const shown = await token(address);
    const own = await socket(address, shown);
    expect(await ask(own)).toEqual(served);
    const second = await socket(address, shown);
    expect(await turnedAway(second.client, address)).toBe("credential-replayed");
    expect(await ask(await socket(address), bearer(shown))).toEqual(replayed);
    expect(await exchange(shown)).toEqual([401, "credential-replayed"]);
    expect(await ask(own)).toEqual(served);
    expect(await ask(await socket(address, await token(address)))).toEqual(served);
  });

  it("is used up when its socket is gone", async () => {
    const address = someone();
    const shown = await token(address);
    const own = await socket(address);
    expect(await ask(own, bearer(shown))).toEqual(served);
    own.client.close();
    await own.client.closed;
    expect(await ask(await socket(address), bearer(shown))).toEqual(replayed);
  });

  it("stays used up over a reload that changes its customer, and its socket's own", async () => {
    const address = someone();
    const shown = await token(address);
    const [own, other] = [await socket(address), await socket(address)];
    expect(await ask(own, bearer(shown))).toEqual(served);
    scene.gateway.change({ acme: `${keysOf("acme")}    maxTtl: 3599\n` });
    expect(await ask(other, bearer(shown))).toEqual(replayed);
    expect(await ask(own, bearer(shown))).toEqual(served);
    scene.gateway.change({ acme: keysOf("acme") });
  });

  it("is exchanged once, and opens no socket then", async () => {
    const address = someone();
    const shown = await token(address);
    expect(await exchange(shown)).toEqual([200, undefined]);
    expect(await exchange(shown)).toEqual([401, "credential-replayed"]);
    expect(await ask(await socket(address), bearer(shown))).toEqual(replayed);
    expect(await turnedAway((await socket(address, shown)).client, address)).toBe("credential-replayed");
    expect(await exchange(await token(address))).toEqual([200, undefined]);
  });

  it("is one where two sockets ask at once", async () => {
    const address = someone();
    const shown = await token(address);
    const both = [await socket(address), await socket(address)];
    const answers = await Promise.all(both.map((user) => user.client.ask(options(user, bearer(shown)))));
    expect(answers.map(status).toSorted()).toEqual([200, 407]);
  });

  it("is not made another by another spelling, nor by another signature over the same jti", async () => {
    const address = someone();
    const jti = unique();
    const shown = await token(address, { jti });
    expect(await ask(await socket(address), bearer(shown))).toEqual(served);
    const again = await token(address, { jti, exp: inSeconds(200) });
    expect(again).not.toBe(shown);
    const spellings = [again, await token(someone(), { jti }), shown];
    for (const one of spellings) expect(await ask(await socket(address), bearer(one))).toEqual(replayed);
    expect(await ask(await socket(address), [`Authorization: ${shown}`])).toEqual(replayed);
    expect(await ask(await socket(address), [`Proxy-Authorization: bearer ${shown}`])).toEqual(replayed);
  });

  it("without jti, or with one that is no text, is no token", async () => {
    const address = someone();
    for (const jti of [undefined, 17, null, ["a"]]) {
      const [refused, wanted, seen] = await ask(await socket(address), bearer(await token(address, { jti })));
      expect([refused, seen, jti]).toEqual([407, 0, jti]);
      expect(wanted).toMatch(/^credential-(?:malformed|rejected)$/);
    }
  });

  it("with a jti of nothing is one that was used, the next time", async () => {
    const [address, other] = [someone(), someone()];
    expect(await ask(await socket(address), bearer(await token(address, { jti: "" })))).toEqual(served);
    expect(await ask(await socket(other), bearer(await token(other, { jti: "" })))).toEqual(replayed);
  });

  it("uses up no jti of another customer's, and no credential of its user's", async () => {
    const [address, dave] = [someone(), someone().replace("acme", "globex")];
    const jti = unique();
    expect(await ask(await socket(address), bearer(await token(address, { jti })))).toEqual(served);
    expect(await ask(await socket(dave), bearer(await token(dave, { jti })))).toEqual(served);
    const user = new User(await scene.connect(), address, credential(address));
    const callId = `digest-${unique()}`;
    expect(status(await user.prove("OPTIONS", `sip:${user.domain}`, { callId }))).toBe(200);
    await scene.came(callId, "OPTIONS");
  });

  it("twin: of a key without singleUse it serves every socket while it lives", async () => {
    const address = someone();
    const shown = await token(address, {}, "often");
    for (const user of [await socket(address), await socket(address)]) {
      expect(await ask(user, bearer(shown))).toEqual(served);
    }
    expect(await ask(await socket(address, shown))).toEqual(served);
    expect([await exchange(shown), await exchange(shown)]).toEqual([
      [200, undefined],
      [200, undefined],
    ]);
  });
});
