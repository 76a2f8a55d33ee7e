import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { bindingsOf } from "../helpers/bindings.ts";
import { answered, type Call, establish, ring } from "../helpers/dialog.ts";
import { acmeSecret, startGateway } from "../helpers/gateway.ts";
import { withExchange } from "../helpers/issued.ts";
import { freshToken } from "../helpers/management.ts";
import { type Credential, code, credential, type RawClient, status } from "../helpers/raw-client.ts";
import { header, isReply, recordRoutes, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, signed, User } from "../helpers/scene.ts";
import { signToken } from "../helpers/tokens.ts";

const secret = "the-jwt-secret-of-acme-in-tests-0123";
const apiSecret = "the-api-secret-of-acme-in-tests";
const always = `    keys: [{ id: h, alg: HS256, secret: ${secret} }]\n    apiKeys: [{ id: "100", secret: ${apiSecret} }]\n`;
const bob = "+3225887001@acme.example";
let scene: Scene;

beforeAll(async () => {
  // Long: that it is not waited for shows who was sent away.
  const gateway = "  limits: { failuresPerMinute: 0, goneSeconds: 60 }";
  scene = await Scene.open({ trunk: "answer", acme: always, more: withExchange, gateway });
});
afterEach(() => void scene.gateway.change({ acme: always }));
afterAll(() => scene?.close());

type Names = Readonly<Record<string, string>>;

const revoke = (names: Names, more: Names = {}): unknown =>
  scene.gateway.change({
    acme: `${always}    revoked: [${JSON.stringify({ ...names, until: inSeconds(600), ...more })}]`,
  });
const suspend = (how: string): unknown => scene.gateway.change({ acme: `${always}    suspended: ${how}` });

/** A call with the trunk that stands. */
async function inCall(user: User) {
  const parts = user.parts("INVITE", `sip:${bob}`);
  const ok = await user.client.prove(parts, user.given);
  expect(status(ok)).toBe(200);
  const uri = uriOf(header(ok, "Contact"));
  const routes = recordRoutes(ok).reverse();
  const toTag = tagOf(header(ok, "To"));
  user.client.send(request({ ...parts, method: "ACK", cseq: 2, uri, toTag, routes }));
  await scene.trunk.waitFor((text) => text.startsWith("ACK ") && text.includes(parts.callId));
  return { ...parts, toTag };
}

const hungUp = (callId: string): Promise<string> =>
  scene.trunk.waitFor((text) => text.startsWith("BYE ") && text.includes(callId));

/** Its socket is closed at once; what was there of it at Kamailio is gone. */
async function gone(user: User): Promise<void> {
  expect(await user.client.closed).toMatchObject({
    code: 4403,
    reason: expect.stringMatching(/^credential-revoked: /),
  });
  await expect.poll(() => bindingsOf(scene.kamailio, user.address)).toEqual([]);
}

/** Connections that were lost without a close. */
const lost = (): number =>
  scene.gateway.log().filter(({ msg, code: closed }) => msg === "disconnected" && closed === 1006).length;
const asks = (user: User): Promise<string> => user.prove("OPTIONS", `sip:${user.domain}`);
const again = async (user: User, given = user.given): Promise<User> =>
  new User(await scene.connect(), user.address, given);

const jwt = (user: string, jti: string, more: object = {}): Promise<string> =>
  signToken({ alg: "HS256" }, { sub: user, exp: inSeconds(250), jti, ...more }, secret);
const http = (): string => scene.gateway.gatewayUrl.replace("ws", "http");

async function exchanged(by: { token: string } | Credential): Promise<{ status: number } & Credential> {
  const [authorization, body] = "token" in by ? [`Bearer ${by.token}`, undefined] : [undefined, JSON.stringify(by)];
  const answer = await fetch(`${http()}/v1/exchange`, {
    method: "POST",
    headers: { ...(authorization && { authorization }), ...(body && { "content-type": "application/json" }) },
    ...(body && { body }),
  });
  const { username, password } = (await answer.json()) as Credential;
  return { status: answer.status, username, password };
}

async function accessToken(token: string, user: string): Promise<string | undefined> {
  const body = new URLSearchParams({ grant_type: "authorization_code", code: token, client_id: `${user}@acme` });
  const answer = await fetch(`${http()}/authenticate`, { method: "POST", body });
  return ((await answer.json()) as { access_token?: string }).access_token;
}

/** A user's socket that this token opened, and one accepted request on it. */
async function byToken(user: User, token: string): Promise<User> {
  const client = await scene.connect({ path: `/?access_token=${token}` });
  const visitor = new User(client, user.address, { username: "none", password: "none" });
  expect(status(await client.ask(visitor.parts("OPTIONS", "sip:acme.example")))).toBe(200);
  return visitor;
}

/** What is answered to a request on a new socket that shows this token itself. */
async function byBearer(user: User, token: string): Promise<[RawClient, string]> {
  const client = await scene.connect();
  const parts = user.parts("OPTIONS", "sip:acme.example", { extra: [`Authorization: Bearer ${token}`] });
  return [client, await client.ask(parts)];
}

const handleOf = ({ username }: Credential): string => username.slice(username.indexOf(";") + 1);

describe("a revoked user", () => {
  it("loses binding, call and socket at once, and both ends of the call hear BYE; another user has all of them yet", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const [call, other] = [await inCall(alice), await inCall(carol)];
    expect(bindingsOf(scene.kamailio, alice.address)).toHaveLength(1);
    revoke({ user: alice.address });
    const bye = await alice.client.take((text) => text.startsWith("BYE "));
    expect([header(bye, "Call-ID"), tagOf(header(bye, "To")), tagOf(header(bye, "From"))]).toEqual([
      ...[call.callId, call.fromTag, call.toTag],
    ]);
    expect(bye).toContain(`BYE sip:${alice.name}@${alice.name}.invalid;transport=ws SIP/2.0`);
    expect(header(bye, "Postern-Code")).toBe("credential-revoked");
    await gone(alice);
    await hungUp(call.callId);
    const unbound = await scene.kamailio.waitFor(
      ({ method, raw }) => method === "REGISTER" && raw.includes(alice.name) && raw.includes("expires=0"),
    );
    expect(unbound.way).toBe("in");
    expect(status(await asks(carol))).toBe(200);
    expect(bindingsOf(scene.kamailio, carol.address)).toHaveLength(1);
    expect(scene.trunk.messages().filter((text) => text.startsWith("BYE ") && text.includes(other.callId))).toEqual([]);
    carol.client.close();
  });

  it("whose socket is gone keeps neither call nor binding for the time that others keep theirs", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const [call, other] = [await inCall(alice), await inCall(carol)];
    const before = lost();
    for (const { client } of [alice, carol]) client.socket.terminate();
    await expect.poll(lost, { timeout: 5_000 }).toBe(before + 2);
    revoke({ user: alice.address });
    await hungUp(call.callId);
    await expect.poll(() => bindingsOf(scene.kamailio, alice.address)).toEqual([]);
    expect(bindingsOf(scene.kamailio, carol.address)).toHaveLength(1);
    expect(scene.trunk.messages().filter((text) => text.startsWith("BYE ") && text.includes(other.callId))).toEqual([]);
    revoke({ user: carol.address });
    await hungUp(other.callId);
  });

  it("hears BYE in a call that it was called in, above the CSeq of who called", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const { callId, sent } = await establish(carol, alice);
    revoke({ user: alice.name });
    const bye = await alice.client.take((text) => text.startsWith("BYE "));
    expect(header(bye, "Call-ID")).toBe(callId);
    expect(Number.parseInt(header(bye, "CSeq") ?? "", 10)).toBeGreaterThan(
      Number.parseInt(header(sent, "CSeq") ?? "", 10),
    );
    await answered(carol, callId, "BYE");
    await gone(alice);
  });

  it("whose call rings hears its end at both ends, as caller and as called", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const asked = await ring(alice, carol);
    revoke({ user: alice.name });
    expect(code(await asked.final)).toBe("credential-revoked");
    await carol.client.take((text) => text.startsWith("CANCEL "));
    await gone(alice);
    scene.gateway.change({ acme: always });
    const dave = await scene.user("dave");
    const offered = await ring(dave, carol);
    revoke({ user: carol.name });
    await carol.client.take((text) => text.startsWith("CANCEL ") && text.includes(offered.callId));
    expect(status(await offered.final)).toBe(480);
    dave.client.close();
  });

  it("comes back by no credential, token or spelling; the customer's others do, and so does its namesake elsewhere", async () => {
    const alice = await scene.stranger("alice");
    const namesake = new User(await scene.connect(), `${alice.name}@globex.example`, alice.given);
    namesake.given = credential(namesake.address, { secret: "the-secret-of-globex-in-tests" });
    expect(status(await asks(namesake))).toBe(200);
    const held = await exchanged(alice.given);
    expect(held.status).toBe(200);
    const access = await accessToken(await jwt(alice.address, "t1"), alice.address);
    expect(access).toBeDefined();
    revoke({ user: alice.name });
    for (const username of [
      `${inSeconds(200)}:${alice.name}@acme.example`,
      `${inSeconds(200)}:${alice.name}@ACME.Example`,
      `${inSeconds(200)}:${alice.name}`,
    ]) {
      const refused = await asks(await again(alice, signed(username)));
      expect([status(refused), code(refused)], username).toEqual([403, "credential-revoked"]);
    }
    for (const user of [`${alice.name};x=y`, `%61${alice.name.slice(1)}`, `${alice.name}%00`, `${alice.name}\t`]) {
      const refused = await asks(await again(alice, signed(`${inSeconds(200)}:${user}@acme.example`)));
      expect(status(refused), user).toBeGreaterThanOrEqual(400);
    }
    expect(code(await asks(await again(alice, held)))).toBe("credential-revoked");
    expect((await exchanged(alice.given)).status).toBe(401);
    expect((await exchanged({ token: await jwt(alice.address, "t2") })).status).toBe(401);
    expect(await accessToken(await jwt(alice.address, "t3"), alice.address)).toBeUndefined();
    expect(code((await byBearer(alice, access ?? ""))[1])).toBe("credential-revoked");
    const client = await scene.connect({ path: `/?access_token=${await jwt(alice.address, "t4")}` });
    expect(await client.closed).toMatchObject({ code: 4403, reason: expect.stringContaining("credential-revoked") });
    const seen = scene.kamailio.saw().filter(({ raw }) => raw.includes(`sip:${alice.name}@acme.example`));
    expect(seen).toEqual([]);
    expect(status(await asks(await scene.stranger("alice")))).toBe(200);
    expect(status(await asks(namesake))).toBe(200);
  });

  it("may come back when the time named is over, and a refusal does not cost it anything before the proof", async () => {
    const alice = await scene.stranger("alice");
    scene.gateway.change({ acme: `${always}    revoked: [{ user: ${alice.name}, until: ${inSeconds(-1)} }]` });
    expect(status(await asks(alice))).toBe(200);
    revoke({ user: alice.name });
    const wrong = await asks(await again(alice, signed(alice.given.username, "not-the-secret-of-acme")));
    expect(code(wrong)).toBe("credential-rejected");
    const expired = await asks(await again(alice, signed(`${inSeconds(-60)}:${alice.address}`)));
    expect(code(expired)).toBe("credential-expired");
  });
});

describe("a revoked credential", () => {
  it("takes along its sockets and what it was exchanged for; another one of the same user stands", async () => {
    const [alice, other] = [await scene.user("alice"), await scene.user("carol")];
    other.client.close();
    const held = await again(alice, await exchanged(alice.given));
    expect(status(await held.client.register(held.address, held.given))).toBe(200);
    const second = await again(alice, signed(`${inSeconds(900)}:${alice.address}`));
    expect(status(await asks(second))).toBe(200);
    const first = again(alice, alice.given);
    revoke({ credential: alice.given.username });
    await Promise.all([alice, held].map(({ client }) => client.closed));
    expect(code(await asks(await first))).toBe("credential-revoked");
    expect(code(await asks(await again(alice, held.given)))).toBe("credential-revoked");
    expect((await exchanged(alice.given)).status).toBe(401);
    expect(status(await asks(second))).toBe(200);
    await expect.poll(() => bindingsOf(scene.kamailio, alice.address)).toEqual([]);
  });

  it("by jti takes along its sockets, exchanged credentials and access tokens; another jti of the same user stands", async () => {
    const alice = await scene.stranger("alice");
    const [one, two] = [await jwt(alice.address, "one"), await jwt(alice.address, "two")];
    const held = await again(alice, await exchanged({ token: one }));
    expect(status(await held.client.register(held.address, held.given))).toBe(200);
    const access = (await accessToken(one, alice.address)) ?? "";
    const [bearer, answer] = await byBearer(alice, access);
    expect(status(answer)).toBe(200);
    const taken = [(await byToken(alice, one)).client, bearer, held.client];
    const kept = [await byToken(alice, two), await again(alice, await exchanged({ token: two }))];
    expect(status(await asks(kept[1]!))).toBe(200);
    revoke({ jti: "one" });
    for (const client of taken) expect((await client.closed).code).toBe(4403);
    const late = await scene.connect({ path: `/?access_token=${one}` });
    expect((await late.closed).code).toBe(4403);
    for (const token of [one, access]) expect(code((await byBearer(alice, token))[1])).toBe("credential-revoked");
    expect(code(await asks(await again(alice, held.given)))).toBe("credential-revoked");
    expect((await exchanged({ token: one })).status).toBe(401);
    expect(await accessToken(one, alice.address)).toBeUndefined();
    expect(status(await kept[0]!.client.ask(kept[0]!.parts("OPTIONS", "sip:acme.example")))).toBe(200);
    expect(status(await asks(kept[1]!))).toBe(200);
  });

  it("by its handle takes along what shows that, and not what else was exchanged", async () => {
    const alice = await scene.stranger("alice");
    const [one, two] = [await exchanged(alice.given), await exchanged(alice.given)];
    const [first, second] = [await again(alice, one), await again(alice, two)];
    expect([status(await asks(first)), status(await asks(second))]).toEqual([200, 200]);
    revoke({ handle: handleOf(one) });
    expect((await first.client.closed).code).toBe(4403);
    expect(code(await asks(await again(alice, one)))).toBe("credential-revoked");
    expect(status(await asks(second))).toBe(200);
    revoke({ handle: two.username });
    expect((await second.client.closed).code).toBe(4403);
  });
});

describe("with calls: finish", () => {
  async function noticed(user: User, call: Call): Promise<void> {
    await expect.poll(() => bindingsOf(scene.kamailio, user.address)).toEqual([]);
    expect(user.client.socket.readyState).toBe(user.client.socket.OPEN);
    user.client.send(call.fromCaller("INFO"));
    await answered(call.callee, call.callId, "INFO");
    for (const method of ["INVITE", "MESSAGE", "REGISTER"]) {
      const uri = method === "REGISTER" ? `sip:${user.domain}` : `sip:${call.callee.address}`;
      const more = method === "REGISTER" ? { to: user.address } : {};
      const refused = await user.prove(method, uri, more);
      expect([status(refused), code(refused)], method).toEqual([403, "credential-revoked"]);
    }
    const uncalled = await call.callee.prove("INVITE", `sip:${user.address}`);
    expect([404, 480, 403]).toContain(status(uncalled));
  }

  it("goes on in its call and nowhere else, and is closed when that has ended", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const call = await establish(alice, carol);
    revoke({ user: alice.name }, { calls: "finish" });
    await noticed(alice, call);
    expect(alice.client.received.filter((text) => text.startsWith("BYE "))).toEqual([]);
    const bye = call.fromCaller("BYE");
    alice.client.send(bye);
    await answered(carol, call.callId, "BYE");
    await alice.client.take((text) => isReply(text, 200, "BYE"));
    await gone(alice);
  });

  it("is ended after all where that is changed to end, and stays where it is given back", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const call = await establish(alice, carol);
    revoke({ user: alice.name }, { calls: "finish" });
    expect(code(await asks(alice))).toBe("credential-revoked");
    scene.gateway.change({ acme: always });
    await expect.poll(async () => status(await asks(alice))).toBe(200);
    expect(status(await alice.client.register(alice.address, alice.given))).toBe(200);
    revoke({ user: alice.name }, { calls: "finish" });
    expect(code(await asks(alice))).toBe("credential-revoked");
    revoke({ user: alice.name });
    await alice.client.take((text) => text.startsWith("BYE "));
    await answered(carol, call.callId, "BYE");
    await gone(alice);
  });

  it("is closed at once where there is no call, and without a challenge where a token of the handshake speaks for it", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const token = await jwt(alice.address, "finish");
    const visitor = await byToken(alice, token);
    const parts = visitor.parts("INVITE", `sip:${bob}`);
    expect(status(await visitor.client.ask(parts))).toBe(200);
    revoke({ user: alice.name }, { calls: "finish" });
    await gone(alice);
    const refused = await visitor.client.ask(visitor.parts("OPTIONS", "sip:acme.example"));
    expect([status(refused), code(refused)]).toEqual([403, "credential-revoked"]);
    expect(visitor.client.socket.readyState).toBe(visitor.client.socket.OPEN);
    visitor.client.close();
    carol.client.close();
  });
});

describe("who is taken back while the leg for a first call opens", () => {
  const onward = (socket: Socket): Socket => {
    const upstream = connect(Number(new URL(scene.kamailio.wsUrl).port), "127.0.0.1");
    socket.pipe(upstream).pipe(socket);
    return upstream;
  };

  it.each(["end", "finish", "not at all"])("%s: begins it only where it was not taken back", async (calls) => {
    const waiting = Promise.withResolvers<Socket>();
    const begun: Socket[] = [];
    // Kamailio refuses a port that another gateway has announced to it of late, and this one comes again with another.
    const slow = createServer((socket) => {
      if (begun.push(socket.pause()) === 1) waiting.resolve(socket);
      else begun.push(onward(socket));
    }).listen(0, "127.0.0.1");
    await once(slow, "listening");
    const url = `ws://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const gateway = await startGateway({ upstreamUrls: [url], acme: always });
    onTestFinished(async () => {
      await gateway.close();
      slow.close();
    });
    const alice = await scene.stranger("alice", "acme.example", gateway);
    const parts = alice.parts("INVITE", `sip:${bob}`);
    const answer = alice.client.prove(parts, alice.given).catch(() => "none");
    const socket = await waiting.promise;
    const revoked = `    revoked: [{ user: ${alice.name}, until: ${inSeconds(600)}, calls: ${calls} }]`;
    if (calls !== "not at all") gateway.change({ acme: `${always}${revoked}` });
    begun.push(onward(socket));
    if (calls === "not at all") expect((await scene.came(parts.callId, "INVITE")).way).toBe("in");
    else {
      expect((await alice.client.closed).code).toBe(4403);
      if (calls === "finish") expect(code(await answer)).toBe("credential-revoked");
      expect(await scene.arrived(parts.callId)).toEqual([]);
    }
    for (const one of [alice.client.socket, ...begun]) one.once("error", () => {});
    alice.client.close();
  });
});

describe("a suspended customer", () => {
  it("has its sockets closed, calls ended, credentials refused everywhere, and manages nothing; another has all of it", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol", "globex.example")];
    const call = await inCall(alice);
    const management = (): Promise<Response> =>
      fetch(`${scene.gateway.adminUrl}/v1/customers/me`, {
        headers: { authorization: `Bearer ${freshToken("100", apiSecret)}` },
      });
    expect((await management()).status).toBe(200);
    suspend("end");
    await alice.client.take((text) => text.startsWith("BYE "));
    await gone(alice);
    await hungUp(call.callId);
    expect(code(await asks(await again(alice)))).toBe("credential-revoked");
    expect((await exchanged(alice.given)).status).toBe(401);
    expect((await management()).status).toBe(401);
    expect(status(await asks(carol))).toBe(200);
    const stranger = await asks(await again(alice, signed(alice.given.username, `${acmeSecret}x`)));
    expect(code(stranger)).toBe("credential-rejected");
    scene.gateway.change({ acme: always });
    expect(status(await asks(await again(alice)))).toBe(200);
    carol.client.close();
  });

  it("suspended to finish keeps its calls, and begins none", async () => {
    const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
    const dave = await scene.user("dave");
    const call = await establish(alice, carol);
    suspend("finish");
    await gone(dave);
    const refused = await alice.prove("INVITE", `sip:${bob}`);
    expect([status(refused), code(refused)]).toEqual([403, "credential-revoked"]);
    carol.client.send(call.fromCallee("BYE"));
    await answered(alice, call.callId, "BYE");
    await Promise.all([gone(alice), gone(carol)]);
  });
});
