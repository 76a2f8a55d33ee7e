import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeySetServer } from "../helpers/key-set.ts";
import { status, unique } from "../helpers/raw-client.ts";
import { request } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, User } from "../helpers/scene.ts";
import { signer, signToken } from "../helpers/tokens.ts";

const key = signer("ES256", "e1");
let keySet: KeySetServer;
let scene: Scene;

beforeAll(async () => {
  keySet = await KeySetServer.open([key.jwk]);
  keySet.slow = true;
  scene = await Scene.open({
    acme: `    keys: [{ id: j1, alg: ES256, jwksUri: "${keySet.uri}", issuer: "https://idp.example", audience: postern }]`,
    more: 'exchange: { secret: the-exchange-secret-of-the-tests, callbackNetworks: ["127.0.0.0/8"] }',
    trunk: "busy",
  });
});
afterAll(async () => {
  await scene?.close();
  keySet?.close();
});

async function bearing(name: string): Promise<{ user: User; token: string }> {
  const address = `${name}${unique().replace("-", ".")}@acme.example`;
  const claims = { sub: address, iss: "https://idp.example", aud: "postern", exp: inSeconds(200) };
  const user = new User(await scene.connect(), address, { username: "none", password: "none" });
  return { user, token: await signToken({ alg: "ES256", kid: "e1" }, claims, key.private) };
}

const asked = ({ user, token }: Awaited<ReturnType<typeof bearing>>, method: string, uri: string, callId: string) =>
  user.parts(method, uri, { callId, extra: [`Authorization: Bearer ${token}`] });

const logged = async (message: string, count: number): Promise<void> => {
  for (const until = Date.now() + 5_000; Date.now() < until; ) {
    if (scene.gateway.log().filter(({ msg }) => msg === message).length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not logged ${count} times: ${message}`);
};

describe("who is gone before a token is proved", () => {
  it("begins nothing: no registration, no call, no leg; who has stayed is served", async () => {
    const [registers, calls, stays] = [await bearing("alice"), await bearing("bob"), await bearing("carol")];
    const ids = { register: `reg-${unique()}`, invite: `inv-${unique()}`, stay: `stay-${unique()}` };
    registers.user.client.send(request(asked(registers, "REGISTER", "sip:acme.example", ids.register)));
    calls.user.client.send(request(asked(calls, "INVITE", "sip:+3225887123@acme.example", ids.invite)));
    const served = stays.user.client.ask(asked(stays, "REGISTER", "sip:acme.example", ids.stay));
    const before = scene.gateway.log().filter(({ msg }) => msg === "disconnected").length;
    registers.user.client.close();
    calls.user.client.reset();
    await logged("disconnected", before + 2);
    keySet.answer();
    expect(status(await served)).toBe(200);
    expect(await scene.arrived(ids.register)).toEqual([]);
    expect(await scene.arrived(ids.invite)).toEqual([]);
    expect(await scene.arrived(ids.stay)).toHaveLength(1);
    const accepted = scene.gateway.log().filter(({ msg }) => msg === "accepted");
    const users = accepted.map(({ user }) => user);
    expect(users).toContain(stays.user.address);
    expect(users).not.toContain(registers.user.address);
    expect(users).not.toContain(calls.user.address);
    expect(await scene.gateway.metric("postern_calls")).toBe(0);
    expect(await scene.gateway.metric("postern_registrations")).toBe(1);
  });
});
