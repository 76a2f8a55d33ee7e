import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Narrowing } from "../../src/core/identity.ts";
import { answered, cancelOf, establish, responseTo, exchange as send } from "../helpers/dialog.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { accessToken, exchanged, type Given, gatewayKeys, withExchange } from "../helpers/issued.ts";
import { answer, code, credential, type RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, headers, reply, request } from "../helpers/raw-sip.ts";
import { Scene, signed, User } from "../helpers/scene.ts";

const page = "https://www.acme.example";
const subdomain = "https://shop.acme.example";
const stranger = "https://evil.example";
const origins = `    origins: ["${page}", "https://*.acme.example"]`;
const unlimited = "  limits: { failuresPerMinute: 0 }";
const nothing = { username: "nobody", password: "nothing" };

let scene: Scene;
let gateways: TestGateway[];

beforeAll(async () => {
  scene = await Scene.open({ more: withExchange, acme: origins, gateway: unlimited });
  gateways = [scene.gateway];
});
afterAll(() => scene.close());

const given: string[] = [];
/** A token of this gateway's, remembered for the look at what was written of it. */
function token(address: string, changes: Given = {}, gateway = scene.gateway): string {
  const made = accessToken(gateway, address, changes);
  given.push(made);
  return made;
}

async function another(settings: Parameters<Scene["another"]>[0]): Promise<TestGateway> {
  const gateway = await scene.another({ more: withExchange, gateway: unlimited, ...settings });
  gateways.push(gateway);
  return gateway;
}

/** A JWT of a customer whom nobody knows, whose header is written with spaces. */
const foreign = ['{ "alg": "HS256" }', '{"sub":"alice@none.example","exp":4000000000}', "x".repeat(32)]
  .map((part) => Buffer.from(part).toString("base64url"))
  .join(".");

const someone = (name: string): string => `${name}${unique().replace("-", ".")}@acme.example`;

interface Visit {
  readonly origin?: string;
  readonly path?: string;
  readonly cookie?: string;
  readonly gateway?: TestGateway;
}

const visit = ({ origin, path = "/", cookie, gateway }: Visit): Promise<RawClient> =>
  scene.connect(
    { path, ...(origin !== undefined && { origin }), ...(cookie !== undefined && { ws: { headers: { cookie } } }) },
    gateway,
  );

const query = (shown: string): string => `/?access_token=${shown}`;
const cookie = (shown: string): string => `postern_token=${shown}`;

/** Somebody whom the token of the handshake proves, and who has nothing else. */
async function visitor(name: string, changes: Given = {}, gateway = scene.gateway): Promise<User> {
  const address = someone(name);
  const client = await visit({ path: query(token(address, changes, gateway)), origin: page, gateway });
  return new User(client, address, nothing);
}

const options = (user: User, extra: readonly string[] = []) => user.parts("OPTIONS", `sip:${user.domain}`, { extra });

/** That the gateway closes at once, with which code and reason, and that Kamailio hears nothing of it. */
async function turnedAway(shown: Visit): Promise<{ code: number; reason: string }> {
  const client = await visit(shown);
  const user = new User(client, someone("mallory"), nothing);
  const parts = options(user);
  client.send(request(parts));
  const { code: closed, reason } = await client.closed;
  expect(client.received).toEqual([]);
  expect(await scene.arrived(parts.callId)).toEqual([]);
  return { code: closed, reason: reason.split(":", 1)[0]! };
}

/** That it is somebody who needs no other proof. */
async function welcome(shown: Visit, address: string): Promise<void> {
  const user = new User(await visit(shown), address, nothing);
  const parts = options(user);
  expect(status(await user.client.ask(parts))).toBe(200);
  await scene.came(parts.callId, "OPTIONS");
}

describe("a token in the URL of the handshake", () => {
  it("speaks for every request, and Kamailio sees them under a grant and nothing of the token", async () => {
    const user = await visitor("alice");
    const register = user.parts("REGISTER", `sip:${user.domain}`, { to: user.address, extra: ["Expires: 60"] });
    const asked = [register, options(user), user.parts("MESSAGE", `sip:${user.address}`, { cseq: 7 })];
    for (const parts of asked) {
      user.client.send(request(parts));
      if (parts.method === "MESSAGE") await answered(user, parts.callId, "MESSAGE");
      expect(status(await user.client.response(parts.callId, parts.cseq, parts.method)), parts.method).toBe(200);
      const seen = await scene.came(parts.callId, parts.method);
      expect(seen.header("X-Postern-Grant")).toContain(`:${user.address}|`);
    }
  });

  it.each(["/?a=b&access_token=", "/sip?access_token=", "/?access%5Ftoken="])("is found in %s", async (path) => {
    const address = someone("alice");
    await welcome({ path: path + token(address), origin: page }, address);
  });

  it.each<[string, number, string, (address: string) => Visit]>([
    ["has ended", 4401, "credential-expired", (who) => ({ path: query(token(who, { ttl: -1 })) })],
    ["is not signed by us", 4403, "credential-rejected", (who) => ({ path: query(`${token(who).slice(0, -4)}AAAA`) })],
    [
      "is signed with other keys",
      4403,
      "credential-rejected",
      (who) => ({ path: query(token(who, { keys: gatewayKeys({}) })) }),
    ],
    [
      "is another gateway's",
      4403,
      "credential-revoked",
      (who) => ({ path: query(token(who, {}, { ...scene.gateway, gatewayUrl: "wss://other.example" })) }),
    ],
    ["has more than 300 s left", 4403, "credential-ttl", (who) => ({ path: query(token(who, { ttl: 310 })) })],
    ["is of nobody", 4403, "credential-rejected", () => ({ path: query(foreign) })],
    ["is no JWT", 4403, "credential-malformed", () => ({ path: query("x") })],
    ["is empty", 4403, "credential-malformed", () => ({ path: query("") })],
    ["is an exchanged credential", 4403, "credential-malformed", (who) => ({ path: query(exchanged(who).username) })],
    [
      "stands there twice",
      4403,
      "credential-malformed",
      (who) => ({ path: `${query(token(who))}&access_token=${token(who)}` }),
    ],
    [
      "stands there under two spellings",
      4403,
      "credential-malformed",
      (who) => ({ path: `${query(token(who))}&access%5Ftoken=${token(who)}` }),
    ],
    [
      "stands beside an empty one",
      4403,
      "credential-malformed",
      (who) => ({ path: `${query(token(who))}&access_token=` }),
    ],
    [
      "stands before a second question mark",
      4403,
      "credential-malformed",
      (who) => ({ path: `${query(token(who))}?x=y` }),
    ],
    [
      "stands beside a cookie",
      4403,
      "credential-malformed",
      (who) => ({ path: query(token(who)), cookie: cookie(token(who)) }),
    ],
    [
      "is shown by a page that the customer does not list",
      4403,
      "origin-denied",
      (who) => ({ path: query(token(who)), origin: stranger }),
    ],
    ["is shown by a page of no origin", 4403, "origin-denied", (who) => ({ path: query(token(who)), origin: "null" })],
  ])("that %s closes with %s %s", async (_, close, wanted, make) => {
    const who = someone("alice");
    expect(await turnedAway({ origin: page, ...make(who) })).toEqual({ code: close, reason: wanted });
    await welcome({ path: query(token(who)), origin: page }, who);
  });

  it("is good from every page that the customer lists, from none where that is allowed, and for 300 s", async () => {
    const who = someone("alice");
    for (const shown of [{ origin: page }, { origin: subdomain }, {}])
      await welcome({ ...shown, path: query(token(who, { ttl: 300 })) }, who);
    const strict = await another({ gateway: `${unlimited}\n  allowMissingOrigin: false`, acme: origins });
    const path = query(token(who, {}, strict));
    expect(await turnedAway({ path, gateway: strict })).toEqual({ code: 4403, reason: "origin-denied" });
    await welcome({ path, origin: page, gateway: strict }, who);
  });

  it("that is wrong too often from one address is not looked at for a while, right ones neither", async () => {
    const gateway = await another({ gateway: "  limits: { failuresPerMinute: 2 }", acme: origins });
    const who = someone("alice");
    const right = query(token(who, {}, gateway));
    await welcome({ path: right, origin: page, gateway }, who);
    for (const _ of [1, 2]) {
      const wrong = await turnedAway({ path: query(token(who, { keys: gatewayKeys({}) })), origin: page, gateway });
      expect(wrong).toEqual({ code: 4403, reason: "credential-rejected" });
    }
    expect(await turnedAway({ path: right, origin: page, gateway })).toEqual({ code: 4429, reason: "rate-limited" });
    const other = new User(await visit({ gateway }), who, credential(who));
    expect(status(await other.prove("OPTIONS", "sip:acme.example"))).toBe(200);
  });

  it("narrows what may be asked under it", async () => {
    const narrowing: Narrowing = { methods: ["OPTIONS", "INVITE"], numbers: ["+3225887999"] };
    const user = await visitor("alice", { narrowing });
    const number = user.parts("INVITE", "sip:+3225887123@acme.example");
    const registration = user.parts("REGISTER", `sip:${user.domain}`, { to: user.address });
    expect(code(await user.client.ask(number))).toBe("destination-denied");
    expect(code(await user.client.ask(registration))).toBe("method-denied");
    for (const { callId } of [number, registration]) expect(await scene.arrived(callId)).toEqual([]);
    expect(status(await user.client.ask(options(user)))).toBe(200);
  });
});

describe("a token in the cookie", () => {
  it.each(["", "a=b; ", "xpostern_token=z; "])(
    "is good for a page that the customer lists in full: %j",
    async (before) => {
      const who = someone("alice");
      await welcome({ cookie: before + cookie(token(who, { ttl: 3000 })), origin: page }, who);
    },
  );

  it.each<[string, Pick<Visit, "origin">]>([
    ["a page of a stranger (cross-site WebSocket hijacking)", { origin: stranger }],
    ["a page that only a wildcard has", { origin: subdomain }],
    ["a page of no origin", { origin: "null" }],
    ["the same host on another port", { origin: `${page}:8443` }],
    ["the same host without TLS", { origin: "http://www.acme.example" }],
    ["no page at all", {}],
  ])("is nothing for %s", async (_, from) => {
    const who = someone("alice");
    const shown = cookie(token(who));
    expect(await turnedAway({ cookie: shown, ...from })).toEqual({ code: 4403, reason: "origin-denied" });
    await welcome({ cookie: shown, origin: page }, who);
  });

  it("is nothing where the customer lists no origins, for any page then has it; in the URL it is", async () => {
    const gateway = await another({});
    const who = someone("alice");
    const shown = token(who, {}, gateway);
    for (const from of [{ origin: page }, { origin: stranger }, {}]) {
      expect(await turnedAway({ cookie: cookie(shown), gateway, ...from })).toEqual({
        code: 4403,
        reason: "origin-denied",
      });
    }
    await welcome({ path: query(shown), origin: stranger, gateway }, who);
  });

  it.each<[string, number, string, (who: string) => string]>([
    ["has ended", 4401, "credential-expired", (who) => cookie(token(who, { ttl: -1 }))],
    ["is forged", 4403, "credential-rejected", (who) => cookie(token(who, { keys: gatewayKeys({}) }))],
    ["stands there twice", 4403, "credential-malformed", (who) => `${cookie(token(who))}; ${cookie(token(who))}`],
    ["is quoted", 4403, "credential-malformed", (who) => `postern_token="${token(who)}"`],
  ])("that %s closes with %s %s", async (_, close, wanted, make) => {
    expect(await turnedAway({ cookie: make(someone("alice")), origin: page })).toEqual({ code: close, reason: wanted });
  });
});

describe("a connection under a token", () => {
  it("closes 4401 when the token has ended, silent or registered", async () => {
    const [silent, busy] = await Promise.all([visitor("alice", { ttl: 2 }), visitor("bob", { ttl: 2 })]);
    expect(status(await busy.client.ask(options(busy)))).toBe(200);
    const ends = await Promise.all([silent.client.closed, busy.client.closed]);
    expect(ends.map((end) => [end.code, end.reason.split(":", 1)[0]])).toEqual([
      [4401, "credential-expired"],
      [4401, "credential-expired"],
    ]);
  });

  it("goes on while a call stands, in which everything goes on and outside of which nothing, and closes after it", async () => {
    const bob = await scene.user("bob");
    const [alice, clock] = await Promise.all([visitor("alice", { ttl: 2 }), visitor("clock", { ttl: 2 })]);
    const call = await establish(alice, bob, { cseq: 2 });
    expect((await clock.client.closed).code).toBe(4401);
    const late = options(alice);
    const challenged = await alice.client.ask(late);
    expect([status(challenged), code(challenged)]).toEqual([407, undefined]);
    expect(await scene.arrived(late.callId)).toEqual([]);
    for (const [from, to, text] of [
      [alice, bob, call.fromCaller("INFO")],
      [bob, alice, call.fromCallee("INFO")],
    ] as const) {
      from.client.send(text);
      await answered(to, call.callId, "INFO");
      expect(status(await responseTo(from, text))).toBe(200);
    }
    expect(alice.client.socket.readyState).toBe(alice.client.socket.OPEN);
    const bye = call.fromCaller("BYE");
    alice.client.send(bye);
    await answered(bob, call.callId, "BYE");
    expect(status(await responseTo(alice, bye))).toBe(200);
    expect(await alice.client.closed).toMatchObject({ code: 4401 });
  });

  it("goes on where its user has proved itself otherwise meanwhile", async () => {
    const [alice, clock] = await Promise.all([visitor("alice", { ttl: 2 }), visitor("clock", { ttl: 2 })]);
    alice.given = exchanged(alice.address);
    const bearer = [`Authorization: Bearer ${token("x@acme.example")}`];
    expect(status(await alice.client.ask(options(alice)))).toBe(200);
    // A digest answer although nobody asked: its nonce is none of ours, and the challenge to it has one.
    const parts = options(alice);
    const stale = await alice.client.ask({ ...parts, extra: [forged(alice)] });
    expect(header(stale, "Proxy-Authenticate")).toMatch(/stale=true/);
    const right = answer(stale, "OPTIONS", parts.uri, alice.given);
    expect(status(await alice.client.ask({ ...parts, cseq: 2, extra: [right] }))).toBe(200);
    expect((await clock.client.closed).code).toBe(4401);
    const challenged = await alice.client.ask(options(alice));
    expect(status(challenged)).toBe(407);
    expect(status(await alice.prove("OPTIONS", `sip:${alice.domain}`))).toBe(200);
    expect(code(await alice.client.ask(options(alice, bearer)))).toBe("identity-mismatch");
  });

  it("is one user's: another's digest and another's Bearer are refused, its own are not", async () => {
    const alice = await visitor("alice");
    expect(status(await alice.client.ask(options(alice)))).toBe(200);
    const bob = new User(alice.client, someone("bob"), nothing);
    const refusals = [];
    for (const username of [credential(bob.address), exchanged(bob.address)]) {
      const parts = options(bob);
      const stale = await bob.client.ask({ ...parts, extra: [forged(bob)] });
      const proof = answer(stale, "OPTIONS", parts.uri, username);
      refusals.push({ parts, refused: await bob.client.ask({ ...parts, cseq: 2, extra: [proof] }) });
    }
    const parts = options(bob, [`Authorization: Bearer ${token(bob.address)}`]);
    refusals.push({ parts, refused: await bob.client.ask(parts) });
    for (const {
      parts: { callId },
      refused,
    } of refusals) {
      expect([status(refused), code(refused)]).toEqual([403, "identity-mismatch"]);
      expect(await scene.arrived(callId)).toEqual([]);
    }
    expect(status(await alice.client.ask(options(alice, [`Authorization: Bearer ${token(alice.address)}`])))).toBe(200);
  });

  it("may say no other From than its own", async () => {
    const alice = await visitor("alice");
    const parts = { ...options(alice), from: "bob@acme.example" };
    expect(code(await alice.client.ask(parts))).toBe("identity-mismatch");
    expect(await scene.arrived(parts.callId)).toEqual([]);
  });

  it("opens nothing more once what the token was given for is revoked, and neither does the token", async () => {
    const gateway = await another({ acme: origins });
    const alice = await visitor("alice", {}, gateway);
    expect(status(await alice.client.ask(options(alice)))).toBe(200);
    gateway.change({ acmeSecret: "another-secret-of-acme-in-tests", acmeSecretId: "k1" });
    const parts = options(alice);
    expect(status(await alice.client.ask(parts))).toBe(407);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const path = query(token(alice.address, {}, gateway));
    expect(await turnedAway({ path, origin: page, gateway })).toEqual({ code: 4403, reason: "credential-revoked" });
    gateway.change({});
    await welcome({ path, origin: page, gateway }, alice.address);
  });
});

/** A digest answer that is wrong in all but its form: what it gets is a challenge with stale=true. */
const forged = (user: User): string =>
  answer("", "OPTIONS", `sip:${user.domain}`, signed(`1:${user.address}`), { realm: user.domain, nonce: "x" });

describe("a Bearer", () => {
  const bearer = (shown: string): string => `Authorization: Bearer ${shown}`;

  it.each<[string, (shown: string) => string]>([
    ["with the word", bearer],
    ["without the word", (shown) => `Authorization: ${shown}`],
    ["in Proxy-Authorization", (shown) => `Proxy-Authorization: bearer ${shown}`],
  ])("%s proves each request that carries it, and comes to Kamailio in none, whatever its method", async (_, line) => {
    const bob = await scene.user("bob");
    const address = someone("alice");
    const alice = new User(await scene.connect(), address, nothing);
    const extra = [line(token(address))];
    const register = alice.parts("REGISTER", `sip:${alice.domain}`, { to: address, extra: [...extra, "Expires: 60"] });
    expect(status(await alice.client.ask(register))).toBe(200);
    const call = await establish(alice, bob, { cseq: 2, extra });
    alice.client.send(call.fromCaller("ACK", { cseq: 2, extra }));
    for (const method of ["INFO", "UPDATE", "BYE"]) {
      const text = call.fromCaller(method, { extra });
      alice.client.send(text);
      await answered(bob, call.callId, method);
      expect(status(await responseTo(alice, text)), method).toBe(200);
    }
    const seen = [...(await scene.arrived(call.callId)), await scene.came(register.callId, "REGISTER")];
    const mine = seen.filter(({ raw, method }) => method !== undefined && raw.includes(`<sip:${address}>;tag=`));
    expect(mine.map(({ method }) => method).filter((method) => method === "ACK")).toHaveLength(2);
    expect(new Set(mine.map(({ method }) => method))).toEqual(
      new Set(["INVITE", "ACK", "INFO", "UPDATE", "BYE", "REGISTER"]),
    );
    for (const { raw } of seen) expect(raw).not.toMatch(/^(?:proxy-)?authorization/im);
  });

  it("comes to Kamailio neither in CANCEL nor in the ACK to what was refused", async () => {
    const bob = await scene.user("bob");
    const address = someone("alice");
    const alice = new User(await scene.connect(), address, nothing);
    const parts = alice.parts("INVITE", `sip:${bob.address}`, { extra: [bearer(token(address))] });
    const sent = request(parts);
    alice.client.send(sent);
    const invite = await bob.client.take((text) => text.startsWith("INVITE ") && text.includes(parts.callId));
    bob.client.send(reply(invite, { status: "180 Ringing", tag: "rings", contact: bob.contact }));
    await alice.client.take((text) => text.startsWith("SIP/2.0 180"));
    expect(status(await send(alice, cancelOf(sent)))).toBe(200);
    bob.client.send(reply(invite, { status: "487 Request Terminated", tag: "rings" }));
    const over = await alice.client.response(parts.callId, 1, "INVITE");
    expect(status(over)).toBe(487);
    const ack = cancelOf(sent)
      .replace(/^CANCEL/, "ACK")
      .replace(/^(CSeq: \d+) CANCEL/m, "$1 ACK");
    alice.client.send(ack.replace(/^To:.*$/m, `To: ${header(over, "To")}`));
    for (const method of ["INVITE", "CANCEL", "ACK"]) {
      const seen = await scene.came(parts.callId, method);
      expect(seen.raw).not.toMatch(/^(?:proxy-)?authorization/im);
    }
  });

  it("in a client's response comes neither to Kamailio nor to who asked", async () => {
    const [alice, bob] = [await scene.user("alice"), await scene.user("bob")];
    const callId = `message-${unique()}`;
    const final = alice.prove("MESSAGE", `sip:${bob.address}`, { callId });
    const got = await bob.client.take((text) => text.startsWith("MESSAGE ") && header(text, "Call-ID") === callId);
    const extra = [bearer(token(bob.address)), `Proxy-Authorization: ${token(bob.address)}`];
    bob.client.send(reply(got, { status: "200 OK", contact: bob.contact, extra }));
    const delivered = await final;
    expect(status(delivered)).toBe(200);
    const seen = [delivered, ...(await scene.arrived(callId)).map(({ raw }) => raw)];
    expect(seen.length).toBeGreaterThan(2);
    for (const raw of seen) expect(raw).not.toMatch(/^(?:proxy-)?authorization/im);
  });

  it("proves the request that carries it and not the next one", async () => {
    const address = someone("alice");
    const alice = new User(await scene.connect(), address, nothing);
    expect(status(await alice.client.ask(options(alice, [bearer(token(address))])))).toBe(200);
    const bare = options(alice);
    const challenged = await alice.client.ask(bare);
    expect([status(challenged), code(challenged)]).toEqual([407, undefined]);
    expect(header(challenged, "Proxy-Authenticate")).toMatch(/^Digest /);
    expect(await scene.arrived(bare.callId)).toEqual([]);
  });

  const wrong: [string, string, (address: string) => string][] = [
    ["has ended", "credential-expired", (who) => bearer(token(who, { ttl: -1 }))],
    ["is forged", "credential-rejected", (who) => bearer(token(who, { keys: gatewayKeys({}) }))],
    ["lost its signature", "credential-rejected", (who) => bearer(token(who).replace(/[^.]+$/, ""))],
    [
      "is somebody else's, with spaces in its header and without the word",
      "credential-rejected",
      () => `Authorization: ${foreign}`,
    ],
    ["is no JWT", "credential-malformed", () => bearer("x")],
    ["has two dots too many", "credential-malformed", (who) => bearer(`${token(who)}.x.y`)],
    ["is a grant", "credential-malformed", (who) => bearer(`1999999999:${who}|trunk=|customer=acme`)],
    ["is an exchanged credential", "credential-malformed", (who) => bearer(exchanged(who).username)],
  ];
  it.each(wrong)(
    "that %s gets %s with a Bearer challenge and no other, accepted before or not",
    async (_, wanted, make) => {
      const address = someone("alice");
      const alice = new User(await scene.connect(), address, nothing);
      const extra = [make(address)];
      for (const before of [false, true]) {
        if (before) expect(status(await alice.client.ask(options(alice, [bearer(token(address))])))).toBe(200);
        const register = alice.parts("REGISTER", `sip:${alice.domain}`, { to: address, extra });
        for (const parts of [options(alice, extra), register]) {
          const name = parts.method === "REGISTER" ? "WWW-Authenticate" : "Proxy-Authenticate";
          const refused = await alice.client.ask(parts);
          expect([status(refused), code(refused)]).toEqual([parts.method === "REGISTER" ? 401 : 407, wanted]);
          expect(headers(refused, name)).toEqual(['Bearer realm="acme.example", error="invalid_token"']);
          expect(refused).not.toMatch(/digest|nonce/i);
          expect(await scene.arrived(parts.callId)).toEqual([]);
        }
      }
    },
  );

  it("that was revoked gets credential-revoked with a Bearer challenge", async () => {
    const gateway = await another({});
    const address = someone("alice");
    const alice = new User(await scene.connect({}, gateway), address, nothing);
    const extra = [bearer(token(address, {}, gateway))];
    expect(status(await alice.client.ask(options(alice, extra)))).toBe(200);
    gateway.change({ acmeSecret: "another-secret-of-acme-in-tests" });
    const parts = options(alice, extra);
    const refused = await alice.client.ask(parts);
    expect([status(refused), code(refused)]).toEqual([407, "credential-revoked"]);
    expect(header(refused, "Proxy-Authenticate")).toMatch(/^Bearer /);
    expect(await scene.arrived(parts.callId)).toEqual([]);
  });

  it("beside a digest answer, or beside another Bearer, is refused, though each alone is right", async () => {
    const address = someone("alice");
    const alice = new User(await scene.connect(), address, credential(address));
    const parts = options(alice);
    const proof = answer(await alice.client.ask(parts), "OPTIONS", parts.uri, alice.given);
    const pairs = [
      [bearer(token(address)), proof],
      [proof, bearer(token(address))],
      [bearer(token(address)), `Proxy-Authorization: ${token(address)}`],
      [bearer(token(address)), bearer("x")],
      [bearer(token(address)), `Authorization: ${foreign}`],
    ];
    for (const [at, extra] of pairs.entries()) {
      const refused = await alice.client.ask({ ...parts, cseq: 2 + at, extra });
      expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    }
    expect(await scene.arrived(parts.callId)).toEqual([]);
    expect(status(await alice.client.ask({ ...parts, cseq: 20, extra: [proof] }))).toBe(200);
  });

  it("that is wrong too often from one address under one domain is not looked at for a while", async () => {
    const gateway = await another({ gateway: "  limits: { failuresPerMinute: 2 }" });
    const address = someone("alice");
    const alice = new User(await scene.connect({}, gateway), address, nothing);
    const right = [bearer(token(address, {}, gateway))];
    expect(status(await alice.client.ask(options(alice, right)))).toBe(200);
    for (const _ of [1, 2]) {
      const wrong = bearer(token(address, { keys: gatewayKeys({}) }));
      expect(code(await alice.client.ask(options(alice, [wrong])))).toBe("credential-rejected");
    }
    const parts = options(alice, [bearer(token(address, { ttl: 200 }, gateway))]);
    const refused = await alice.client.ask(parts);
    expect([status(refused), code(refused)]).toEqual([503, "rate-limited"]);
    // What it was accepted with is proved already: whoever shares its address does not stop it.
    expect(status(await alice.client.ask(options(alice, right)))).toBe(200);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const dave = await scene.stranger("dave", "globex.example", gateway);
    expect(status(await dave.prove("OPTIONS", `sip:${dave.domain}`))).toBe(200);
  });

  it("of another user is refused for this From, and on this user's connection", async () => {
    const address = someone("alice");
    const alice = new User(await scene.connect(), address, nothing);
    const other = options(alice, [bearer(token("bob@acme.example"))]);
    const first = await alice.client.ask(other);
    expect([status(first), code(first)]).toEqual([403, "identity-mismatch"]);
    expect(await scene.arrived(other.callId)).toEqual([]);
  });
});

describe("what was written of all these tokens", () => {
  it("is nothing: not in a log line, not at Kamailio", () => {
    const written = JSON.stringify([
      gateways.map((gateway) => gateway.log()),
      scene.kamailio.saw().map(({ raw }) => raw),
    ]);
    given.push(foreign);
    expect(given.length).toBeGreaterThan(60);
    expect(written).toContain("turned away");
    for (const one of given) {
      const [, claims = "", signature = ""] = one.split(".");
      for (const part of [claims.slice(0, 60), signature]) expect(part !== "" && written.includes(part)).toBe(false);
    }
  });
});
