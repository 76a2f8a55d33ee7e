import { createHmac, hkdfSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mintAccessToken } from "../../src/auth/access-token.ts";
import { essence, OwnKeys } from "../../src/auth/own-keys.ts";
import type { Identity, Narrowing } from "../../src/core/identity.ts";
import { customer, identity } from "../helpers/customers.ts";
import { acmeSecret, chainSecret, type TestGateway } from "../helpers/gateway.ts";
import { exchange, exchanged, exchangedDirect, gatewayKeys, withExchange } from "../helpers/issued.ts";
import { freePort } from "../helpers/ports.ts";
import { answer, type Credential, code, credential, status, unique } from "../helpers/raw-client.ts";
import { header, type RequestParts } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, signed, User } from "../helpers/scene.ts";
import { signer, signToken, verificationKey } from "../helpers/tokens.ts";
import { openUpstream } from "../helpers/upstream-client.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "busy", gateway: "  limits: { failuresPerMinute: 0 }", more: withExchange });
});
afterAll(() => scene.close());

/** Somebody new on a socket of their own whose credential was exchanged. */
async function visitor(name: string, narrowing: Narrowing = {}, gateway?: TestGateway): Promise<User> {
  const user = await scene.stranger(name, "acme.example", gateway);
  user.given = exchanged(user.address, { narrowing });
  return user;
}

const handleOf = ({ username }: Credential): string => username.slice(username.indexOf(";") + 1);
const bareOf = ({ username }: Credential): string => username.slice(0, username.indexOf(";"));
const resigned = (username: string, secret = exchange.secret): Credential => signed(username, secret);
const forbidden = (of: string): [number, string] => [403, of];
const verdict = (response: string): [number, string | undefined] => [status(response), code(response)];

describe("an exchanged credential", () => {
  it("registers and calls, and Kamailio gets a grant and nothing of the credential", async () => {
    const user = await visitor("alice");
    const [registration, call] = [`reg-${unique()}`, `invite-${unique()}`];
    expect(status(await user.client.register(user.address, user.given, { callId: registration }))).toBe(200);
    expect(status(await user.prove("INVITE", "sip:+3225887123@acme.example", { callId: call }))).toBe(486);
    const seen = [await scene.came(registration, "REGISTER"), await scene.came(call, "INVITE")];
    for (const { raw, header: value } of seen) {
      expect(value("X-Postern-Grant")).toContain(`:${user.address}|trunk=`);
      expect(value("X-Postern-Grant")).toMatch(/customer=acme$/);
      expect(raw).not.toContain(handleOf(user.given).slice(0, 20));
      expect(raw).not.toMatch(/^(?:Proxy-)?Authorization:/im);
    }
  });

  it.each<[string, string, (user: User) => Credential]>([
    [
      "sealed by somebody else",
      "credential-rejected",
      ({ address }) => exchanged(address, { keys: gatewayKeys({ exchange: "other" }) }),
    ],
    [
      "sealed with the chain secret alone",
      "credential-rejected",
      ({ address }) => exchanged(address, { keys: gatewayKeys({}) }),
    ],
    [
      "signed under another exchange secret",
      "credential-rejected",
      ({ address }) => exchanged(address, { exchange: { ...exchange, secret: "another" } }),
    ],
    ["signed under the chain secret", "credential-rejected", ({ given }) => resigned(given.username, chainSecret)],
    ["signed under the customer's secret", "credential-rejected", ({ given }) => resigned(given.username, acmeSecret)],
    [
      "whose handle is another user's",
      "credential-rejected",
      ({ given }) => resigned(`${bareOf(given)};${handleOf(exchanged("mallory@acme.example"))}`),
    ],
    [
      "whose handle is another customer's",
      "credential-rejected",
      ({ given }) => resigned(`${bareOf(given)};${handleOf(exchanged("mallory@globex.example"))}`),
    ],
    [
      "that was given a longer life",
      "credential-rejected",
      ({ given, address }) => resigned(`${inSeconds(3000)}:${address};${handleOf(given)}`),
    ],
    ["whose handle was cut", "credential-rejected", ({ given }) => resigned(given.username.slice(0, -2))],
    ["without its handle", "credential-rejected", ({ given }) => resigned(bareOf(given))],
    ["whose handle is empty", "credential-malformed", ({ given }) => resigned(`${bareOf(given)};`)],
    ["with two handles", "credential-malformed", ({ given }) => resigned(`${given.username};${handleOf(given)}`)],
    [
      "with a customer's credential before a handle",
      "credential-rejected",
      ({ given, address }) => {
        const mine = credential(address);
        return { username: `${mine.username};${handleOf(given)}`, password: mine.password };
      },
    ],
    ["that has ended", "credential-expired", ({ address }) => exchanged(address, { now: inSeconds(-400) })],
    ["made for a Kamailio that is reached directly", "credential-rejected", ({ address }) => exchangedDirect(address)],
    [
      "of nobody's domain",
      "credential-rejected",
      ({ given }) => resigned(`${inSeconds(60)}:a@none.example;${handleOf(given)}`),
    ],
    [
      "that is a grant",
      "credential-malformed",
      ({ address }) =>
        signed(`${inSeconds(60)}:${address}|trunk=|trunk2=|caller=|max=|customer=acme`, chainSecret, "sha256"),
    ],
    [
      "that is a grant with a handle",
      "credential-malformed",
      ({ address, given }) =>
        signed(`${inSeconds(60)}:${address}|trunk=|customer=acme;${handleOf(given)}`, chainSecret, "sha256"),
    ],
  ])("%s is refused with %s, and the right one beside it is not", async (_, wanted, make) => {
    const user = await visitor("alice");
    const callId = `reg-${unique()}`;
    const refused = await user.client.register(user.address, make(user), { callId });
    expect(verdict(refused)).toEqual(forbidden(wanted));
    expect(header(refused, "Warning")).toMatch(/^399 postern "/);
    expect(await scene.arrived(callId)).toEqual([]);
    const twin = `reg-${unique()}`;
    expect(status(await user.client.register(user.address, user.given, { callId: twin }))).toBe(200);
    await scene.came(twin, "REGISTER");
  });

  it("of one user proves no other, and no other customer's", async () => {
    for (const other of ["bob@acme.example", "dave@globex.example"]) {
      const user = await visitor("alice");
      const callId = `reg-${unique()}`;
      const refused = await user.client.register(other, user.given, { callId });
      expect(verdict(refused)).toEqual(forbidden("identity-mismatch"));
      expect(await scene.arrived(callId)).toEqual([]);
      expect(status(await user.client.register(user.address, user.given))).toBe(200);
    }
  });
});

describe("a digest answer under an exchanged credential", () => {
  it("that comes again is refused, on its own socket and on another one", async () => {
    const alice = await visitor("alice");
    const parts = alice.parts("OPTIONS", `sip:${alice.domain}`);
    const proof = answer(await alice.client.ask(parts), "OPTIONS", parts.uri, alice.given);
    expect(status(await alice.client.ask({ ...parts, cseq: 2, extra: [proof] }))).toBe(200);
    const replayed = { ...parts, callId: `options-${unique()}`, cseq: 3, extra: [proof] };
    expect(verdict(await alice.client.ask(replayed))).toEqual(forbidden("credential-replayed"));
    const other = await scene.connect();
    const elsewhere = { ...parts, callId: `options-${unique()}`, cseq: 1, extra: [proof] };
    const stale = await other.ask(elsewhere);
    expect([status(stale), code(stale)]).toEqual([407, undefined]);
    expect(header(stale, "Proxy-Authenticate")).toMatch(/stale=true/);
    expect(await scene.arrived(replayed.callId, alice)).toEqual([]);
    expect(await scene.arrived(elsewhere.callId)).toEqual([]);
    const fresh = answer(stale, "OPTIONS", parts.uri, alice.given);
    expect(status(await other.ask({ ...elsewhere, cseq: 2, extra: [fresh] }))).toBe(200);
  });

  it("proves one request and no other: another method, another Request-URI", async () => {
    const alice = await visitor("alice");
    const parts = alice.parts("MESSAGE", `sip:${alice.address}`);
    const proof = answer(await alice.client.ask(parts), "OPTIONS", parts.uri, alice.given);
    expect(verdict(await alice.client.ask({ ...parts, cseq: 2, extra: [proof] }))).toEqual(
      forbidden("credential-rejected"),
    );
    const uri = `sip:${alice.domain}`;
    const refused = await alice.prove("MESSAGE", `sip:${alice.address}`, { callId: parts.callId, cseq: 4 }, { uri });
    expect(verdict(refused)).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(parts.callId)).toEqual([]);
  });
});

describe("one secret's word in the place of another's", () => {
  const asHeaders = ({ username, password }: Credential) => ({
    "X-Postern-Grant": username,
    "X-Postern-Token": password,
  });

  it("an exchanged credential as a grant is no proof for the gateway, and goes no further", async () => {
    const user = await visitor("alice");
    const extra = Object.entries(asHeaders(user.given)).map(([name, value]) => `${name}: ${value}`);
    const parts = user.parts("OPTIONS", `sip:${user.domain}`, { extra });
    expect(status(await user.client.ask(parts))).toBe(407);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const twin = `options-${unique()}`;
    expect(status(await user.prove("OPTIONS", `sip:${user.domain}`, { callId: twin, extra }))).toBe(200);
    const seen = await scene.came(twin, "OPTIONS");
    expect(seen.headers("X-Postern-Grant")).toHaveLength(1);
    expect(seen.raw).not.toContain(user.given.password);
  });

  it("a grant is no credential at the exchange, and no token, whichever way it is shown", async () => {
    const address = "alice@acme.example";
    const grant = signed(
      `${inSeconds(60)}:${address}|trunk=|trunk2=|caller=|max=|customer=acme`,
      chainSecret,
      "sha256",
    );
    const short = signed(`${inSeconds(60)}:${address}`, chainSecret, "sha256");
    const http = scene.gateway.gatewayUrl.replace(/^ws/, "http");
    const post = async (path: string, type: string, body: string, more = {}): Promise<number> => {
      const headers = { "content-type": type, ...more };
      return (await fetch(http + path, { method: "POST", headers, body })).status;
    };
    const json = (given: object): Promise<number> => post("/v1/exchange", "application/json", JSON.stringify(given));
    const script = async ({ username, password }: Credential): Promise<number> => {
      const [expires = "", name = ""] = username.split(/:(.*)/s);
      const query = new URLSearchParams({ username: name, key: password, expires });
      return (await fetch(`${http}/rest/authentication/createToken?${query}`)).status;
    };
    for (const given of [grant, short]) {
      expect([400, 401]).toContain(await json(given));
      expect([400, 401]).toContain(await json({ ...given, direct: true }));
      expect([400, 401]).toContain(await script(given));
      const form = { grant_type: "authorization_code", code: given.username, client_id: "alice@acme" };
      const typed = "application/x-www-form-urlencoded";
      expect(await post("/authenticate", typed, new URLSearchParams(form).toString())).toBe(401);
      const bearer = { authorization: `Bearer ${given.username}` };
      expect([400, 401]).toContain(await post("/v1/exchange", "application/json", "{}", bearer));
      const opened = await scene.connect({ path: `/?access_token=${encodeURIComponent(given.username)}` });
      expect(await opened.closed).toMatchObject({ code: 4403 });
    }
    expect(await json(credential(address))).toBe(200);
    expect(await script(credential(address))).toBe(200);
  });

  it("an exchanged credential opens no leg at Kamailio, a grant does", async () => {
    const address = "alice@acme.example";
    const legWith = async (headers: Record<string, string>): Promise<number> => {
      const announce = { host: "192.0.2.77", port: 40_077 };
      const opened = await openUpstream({ url: scene.kamailio.wsUrl, headers, announce });
      if (!opened.ok) return opened.status;
      await opened.client.close();
      return 101;
    };
    for (const algorithm of ["sha1", "sha256"] as const) {
      const own = { ...exchange, algorithm };
      expect(await legWith(asHeaders(exchanged(address, { exchange: own })))).toBe(403);
      const plain = `${inSeconds(60)}:${address}|trunk=|trunk2=|caller=|max=|customer=acme`;
      expect(await legWith(asHeaders(signed(plain, exchange.secret, algorithm)))).toBe(403);
    }
    const right = `${inSeconds(60)}:${address}|trunk=|trunk2=|caller=|max=|customer=acme`;
    const password = createHmac("sha256", chainSecret).update(right).digest("base64");
    expect(await legWith(asHeaders({ username: right, password }))).toBe(101);
  });
});

describe("an access token of a gateway without exchange secret", () => {
  const pair = signer("ES256");
  const key = verificationKey("ES256", { kind: "pem", pem: pair.pem });
  const keys = `    keys: [{ id: j1, alg: ES256, pem: ${JSON.stringify(pair.pem)} }]\n`;
  const given = (address: string): Promise<string> =>
    signToken({ alg: "ES256" }, { sub: address, exp: inSeconds(200) }, pair.private);

  /** The gateway's own keys as they would be with nothing but the chain secret in them. */
  class FromChainAlone extends OwnKeys {
    constructor() {
      super({ chain: [chainSecret] });
    }

    override sign(text: string): string {
      const own = hkdfSync("sha256", JSON.stringify([chainSecret, null]), "", "postern token 1", 32);
      return createHmac("sha256", Buffer.from(own)).update(text).digest("base64url");
    }

    override fingerprint(provedBy: Identity["provedBy"]): string {
      return this.sign(`fingerprint ${essence(provedBy)}`).slice(0, 16);
    }
  }

  async function authenticated(address: string, gateway: TestGateway): Promise<string> {
    const form = { grant_type: "authorization_code", code: await given(address), client_id: `${address}@acme` };
    const url = `${gateway.gatewayUrl.replace("ws", "http")}/authenticate`;
    const answered = await fetch(url, { method: "POST", body: new URLSearchParams(form) });
    return ((await answered.json()) as { access_token: string }).access_token;
  }

  async function shown(bearer: string, address: string, gateway: TestGateway): Promise<[number, string | undefined]> {
    const user = new User(await scene.connect({}, gateway), address, { username: "none", password: "none" });
    const extra = [`Authorization: Bearer ${bearer}`];
    return verdict(await user.client.ask(user.parts("OPTIONS", "sip:acme.example", { extra })));
  }

  it("is not to be made from what Kamailio has, the chain secret; those that the gateway gave outlive a reload", async () => {
    const gateway = await scene.another({ acme: keys, more: "" });
    const address = `alice${unique().replace("-", ".")}@acme.example`;
    const real = await authenticated(address, gateway);
    expect(await shown(real, address, gateway)).toEqual([200, undefined]);
    const of = identity(customer({ keys: [key] }), { user: address.split("@", 1)[0]!, provedBy: key });
    // What the key's public part and its place in the config tell to whoever knows the customer.
    const config = JSON.parse(JSON.stringify({ id: "j1", alg: "ES256", singleUse: false, source: key.source }));
    const wanted = { issuer: gateway.gatewayUrl, ttl: 300, now: inSeconds(0), keys: new FromChainAlone() };
    const forged = mintAccessToken({ ...wanted, identity: { ...of, provedBy: config } });
    expect(await shown(forged, address, gateway)).toEqual([407, "credential-rejected"]);
    gateway.change({ acme: `${keys}    maxTtl: 3000\n` });
    expect(await shown(real, address, gateway)).toEqual([200, undefined]);
  });
});

describe("what narrows a credential is held to", () => {
  const own = "sip:+3225887123@acme.example";

  /** The verdict on a request under it; what is refused must not have come to Kamailio. */
  async function ask(user: User, method: string, uri: string, more: Partial<RequestParts> = {}) {
    const callId = `narrow-${unique()}`;
    const answered = await user.prove(method, uri, { callId, ...more });
    if (code(answered) !== undefined) expect(await scene.arrived(callId)).toEqual([]);
    return { answered, verdict: verdict(answered), callId };
  }

  it("numbers: these and nothing else, in any spelling", async () => {
    const user = await visitor("alice", { numbers: ["+3225887123"] });
    for (const uri of [
      "sip:+3225887124@acme.example",
      "sip:3225887124@acme.example",
      "sip:+322588712%34@voxout.postern.example",
      "tel:+32-2-588-7124",
      "sip:bob@acme.example",
      "sip:1234@acme.example",
    ]) {
      expect((await ask(user, "INVITE", uri)).verdict, uri).toEqual(forbidden("destination-denied"));
    }
    expect((await ask(user, "INVITE", "sip:+19005551234@acme.example")).verdict).toEqual(
      forbidden("destination-denied"),
    );
    expect((await ask(user, "INVITE", own)).verdict).toEqual([486, undefined]);
    const wide = await visitor("alice");
    expect((await ask(wide, "INVITE", "sip:+3225887124@acme.example")).verdict).toEqual([486, undefined]);
  });

  it("methods: no REGISTER where it names INVITE alone, nor what the customer has not", async () => {
    const user = await visitor("alice", { methods: ["INVITE", "SUBSCRIBE"] });
    const to = user.address;
    expect((await ask(user, "REGISTER", `sip:${user.domain}`, { to })).verdict).toEqual(forbidden("method-denied"));
    expect((await ask(user, "SUBSCRIBE", `sip:${to}`)).verdict).toEqual(forbidden("method-denied"));
    expect((await ask(user, "OPTIONS", `sip:${user.domain}`)).verdict).toEqual(forbidden("method-denied"));
    expect((await ask(user, "INVITE", own)).verdict).toEqual([486, undefined]);
  });

  it("permissions: nothing outside a dialog without CreateConference", async () => {
    const user = await visitor("alice", { permissions: ["SubmitConferenceStats"] });
    const to = user.address;
    for (const [method, uri] of [
      ["INVITE", own],
      ["REGISTER", `sip:${user.domain}`],
      ["MESSAGE", `sip:${to}`],
    ] as const) {
      expect((await ask(user, method, uri, { to })).verdict).toEqual(forbidden("permission-missing"));
    }
    user.given = exchanged(user.address, { narrowing: { permissions: ["CreateConference"] } });
    expect((await ask(user, "INVITE", own)).verdict).toEqual([486, undefined]);
  });

  it("maxSeconds and callerId: the grant says them", async () => {
    const user = await visitor("alice", { maxSeconds: 42, callerId: "+3225887999" });
    const { verdict: said, callId } = await ask(user, "INVITE", own);
    expect(said).toEqual([486, undefined]);
    const granted = (await scene.came(callId, "INVITE")).header("X-Postern-Grant");
    expect(granted).toMatch(/\|caller=\+3225887999\|max=42\|customer=acme$/);
    const wide = await visitor("alice");
    const other = await ask(wide, "INVITE", own);
    expect((await scene.came(other.callId, "INVITE")).header("X-Postern-Grant")).toMatch(
      /\|caller=\+3225887000\|max=14400\|/,
    );
  });

  it("callerId: none that is not the customer's", async () => {
    const user = await visitor("alice", { callerId: "+4930111" });
    expect((await ask(user, "INVITE", own)).verdict).toEqual(forbidden("destination-denied"));
  });

  it("a wide credential on the same socket does not widen the narrow one that is shown after it", async () => {
    const user = await visitor("alice");
    const narrow = exchanged(user.address, { narrowing: { numbers: ["+3225887123"] } });
    expect((await ask(user, "INVITE", "sip:+3225887124@acme.example")).verdict).toEqual([486, undefined]);
    user.given = narrow;
    expect((await ask(user, "INVITE", "sip:+3225887124@acme.example")).verdict).toEqual(
      forbidden("destination-denied"),
    );
  });

  describe("one call", () => {
    let calls = 0;
    const once = (): Narrowing => ({
      oneCall: { name: `call-${process.pid}-${calls++}`.padEnd(22, "x"), until: inSeconds(3600) },
    });
    const used = forbidden("credential-replayed");

    it("is one INVITE on its socket, though that one was busy; other requests go on", async () => {
      const user = await visitor("alice", once());
      expect((await ask(user, "OPTIONS", `sip:${user.domain}`)).verdict).toEqual([200, undefined]);
      expect((await ask(user, "INVITE", "sip:+19005551234@acme.example")).verdict).toEqual(
        forbidden("destination-denied"),
      );
      expect((await ask(user, "INVITE", own)).verdict).toEqual([486, undefined]);
      expect((await ask(user, "INVITE", own)).verdict).toEqual(used);
      expect((await ask(user, "OPTIONS", `sip:${user.domain}`)).verdict).toEqual([200, undefined]);
    });

    it("is none on another socket, nor at another exchange of the same token", async () => {
      const narrowing = once();
      const user = await visitor("alice", narrowing);
      expect((await ask(user, "INVITE", own)).verdict).toEqual([486, undefined]);
      const again = new User(await scene.connect(), user.address, user.given);
      expect((await ask(again, "INVITE", own)).verdict).toEqual(used);
      again.given = exchanged(user.address, { narrowing, ttl: 200 });
      expect((await ask(again, "INVITE", own)).verdict).toEqual(used);
      again.given = exchanged(user.address, { narrowing: once() });
      expect((await ask(again, "INVITE", own)).verdict).toEqual([486, undefined]);
    });

    it("is still good where the call went nowhere, for upstream could not be reached", async () => {
      const gateway = await scene.another({ more: withExchange });
      const upstream = { upstreamUrls: [`ws://127.0.0.1:${await freePort()}`] };
      const user = await visitor("alice", once(), gateway);
      gateway.change(upstream);
      expect((await ask(user, "INVITE", own)).verdict).toEqual([503, "upstream-unavailable"]);
      gateway.change({ upstreamUrls: [scene.kamailio.wsUrl] });
      expect((await ask(user, "INVITE", own)).verdict).toEqual([486, undefined]);
      expect((await ask(user, "INVITE", own)).verdict).toEqual(used);
    });

    it("is none that looks like the first one sent again", async () => {
      const user = await visitor("alice", once());
      const same = { branch: `z9hG4bK${unique()}`, fromTag: "same", callId: `same-${unique()}` };
      expect(status(await user.prove("INVITE", own, same))).toBe(486);
      const again = await user.prove("INVITE", own, { ...same, callId: `again-${unique()}` });
      expect(verdict(again)).toEqual(used);
      expect(verdict(await user.prove("INVITE", own, { ...same, cseq: 11 }))).toEqual(used);
      const seen = await scene.arrived(same.callId, user);
      expect(seen.filter(({ method }) => method === "INVITE")).toHaveLength(1);
    });

    it("is one where two sockets ask at once", async () => {
      const user = await visitor("alice", once());
      const other = new User(await scene.connect(), user.address, user.given);
      const both = await Promise.all([user, other].map((one) => one.prove("INVITE", own)));
      expect(both.map(status).toSorted()).toEqual([403, 486]);
    });
  });
});

describe("revocation", () => {
  it("reaches what was exchanged before, on sockets that stand and on new ones, until the secret is back", async () => {
    const gateway = await scene.another({ more: withExchange });
    const user = await visitor("alice", {}, gateway);
    const ask = (of: User, callId: string) => of.prove("OPTIONS", `sip:${of.domain}`, { callId });
    expect(status(await ask(user, `before-${unique()}`))).toBe(200);
    gateway.change({ acmeSecret: "another-secret-of-acme-in-tests", acmeSecretId: "k1" });
    const other = new User(await scene.connect({}, gateway), user.address, user.given);
    for (const one of [user, other]) {
      const callId = `after-${unique()}`;
      expect(verdict(await ask(one, callId))).toEqual(forbidden("credential-revoked"));
      expect(await scene.arrived(callId)).toEqual([]);
    }
    gateway.change({});
    for (const one of [user, other]) expect(status(await ask(one, `back-${unique()}`))).toBe(200);
  });

  it("comes with another exchange secret, and with none", async () => {
    const gateway = await scene.another({ more: withExchange });
    const user = await visitor("alice", {}, gateway);
    const ask = () => user.prove("OPTIONS", `sip:${user.domain}`);
    expect(status(await ask())).toBe(200);
    for (const more of ["exchange: { secret: another-exchange-secret }", ""]) {
      gateway.change({ more });
      expect(verdict(await ask())).toEqual(forbidden("credential-rejected"));
    }
    gateway.change({});
    expect(status(await ask())).toBe(200);
  });
});

describe("a customer as a whole", () => {
  it("has a credential in every page that sees it, and so may call but not REGISTER by it", async () => {
    const user = new User(await scene.connect(), "acme@acme.example", credential("acme"));
    const callId = `reg-${unique()}`;
    const refused = await user.client.register(user.address, user.given, { callId });
    expect(verdict(refused)).toEqual(forbidden("method-denied"));
    expect(await scene.arrived(callId)).toEqual([]);
    expect(status(await user.prove("INVITE", "sip:+3225887123@acme.example"))).toBe(486);
    user.given = credential("acme@acme.example");
    expect(status(await user.client.register(user.address, user.given))).toBe(200);
  });
});
