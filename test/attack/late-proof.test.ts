import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { status, unique } from "../helpers/raw-client.ts";
import { request } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, User } from "../helpers/scene.ts";
import { signer, signToken } from "../helpers/tokens.ts";

/** A customer's key set that answers when it is told to: the one way to have a proof take as long as a test wants. */
class SlowKeySet {
  readonly #server: Server;
  readonly #keys: readonly object[];
  #waiting: ServerResponse[] = [];
  #slow = true;

  private constructor(keys: readonly object[]) {
    this.#keys = keys;
    this.#server = createServer((_request, response) => {
      this.#waiting.push(response);
      if (!this.#slow) this.answer();
    });
  }

  static async open(keys: readonly object[]): Promise<SlowKeySet> {
    const set = new SlowKeySet(keys);
    await new Promise<void>((resolve) => set.#server.listen(0, "127.0.0.1", resolve));
    return set;
  }

  get uri(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
  }

  answer(): void {
    this.#slow = false;
    for (const response of this.#waiting.splice(0)) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ keys: this.#keys }));
    }
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const key = signer("ES256", "e1");
let keySet: SlowKeySet;
let scene: Scene;

beforeAll(async () => {
  keySet = await SlowKeySet.open([key.jwk]);
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
