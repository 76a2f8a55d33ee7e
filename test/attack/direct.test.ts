import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { answered, type Call, cancelOf, establish, exchange, responseTo, ring } from "../helpers/dialog.ts";
import { type Kamailio, type KamailioOptions, type Seen, startDirectKamailio } from "../helpers/kamailio.ts";
import { answer, type Credential, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, headers, isReply, type RequestParts, reply, request } from "../helpers/raw-sip.ts";
import { inSeconds, signed, User } from "../helpers/scene.ts";
import { openUdpSink } from "../helpers/udp-sink.ts";
import { grant } from "../helpers/upstream-client.ts";

const exchangeSecret = "of the exchange alone, 32 bytes.";
const chainSecret = "of the chain alone, 32 bytes too";
const customerSecret = "of acme's servlet, and so on....";

/** The direct Kamailio, and the users on it. */
class Place {
  readonly kamailio: Kamailio;
  readonly #clients: RawClient[] = [];
  readonly #friends = new Map<string, Promise<User>>();

  private constructor(kamailio: Kamailio) {
    this.kamailio = kamailio;
  }

  static async open(options: Partial<KamailioOptions> = {}): Promise<Place> {
    return new Place(await startDirectKamailio({ exchangeSecret, memory: 64, ...options }));
  }

  async connect(options: Parameters<typeof RawClient.connect>[1] = {}): Promise<RawClient> {
    const client = await RawClient.connect(this.kamailio.wsUrl, options);
    this.#clients.push(client);
    return client;
  }

  /** Whom nobody else is called, on a connection of their own, with a good credential. */
  async stranger(name: string, domain = "acme.example"): Promise<User> {
    const address = `${name}${unique().replace("-", ".")}@${domain}`;
    return this.again(address);
  }

  /** Another connection of that user. */
  async again(address: string): Promise<User> {
    return new User(await this.connect(), address, credential(address, { secret: exchangeSecret }));
  }

  async user(name: string, domain?: string): Promise<User> {
    const user = await this.stranger(name, domain);
    expect(status(await user.client.register(user.address, user.given))).toBe(200);
    return user;
  }

  /** One who means no harm, for each domain. */
  friend(domain: string): Promise<User> {
    const friend = this.#friends.get(domain) ?? this.stranger("friend", domain);
    this.#friends.set(domain, friend);
    return friend;
  }

  /** What Kamailio sent anywhere, requests and others' replies, with this Call-ID; asked after what came to it before. */
  async sent(callId: string): Promise<Seen[]> {
    const fence = await this.friend("acme.example");
    const own = `fence-${unique()}`;
    expect(status(await fence.prove("OPTIONS", "sip:acme.example", { callId: own }))).toBe(200);
    await this.kamailio.waitFor((seen) => seen.header("Call-ID") === own && seen.header("CSeq") === "2 OPTIONS");
    return this.kamailio.saw().filter((seen) => seen.way === "out" && seen.header("Call-ID") === callId);
  }

  /** What this user has got with that Call-ID, when a message that was sent to it after all else has arrived. */
  async got(user: User, callId: string): Promise<string[]> {
    const friend = await this.friend(user.domain);
    const parts = friend.parts("MESSAGE", `sip:${user.address}`);
    const answered = friend.client.prove(parts, friend.given);
    const message = await user.client.take((text) => text.includes(`${parts.callId}\r\n`));
    user.client.send(reply(message, { status: "200 OK" }));
    await answered;
    return user.client.received.filter((text) => text.includes(`${callId}\r\n`));
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.kamailio.stop();
  }
}

let place: Place;
/** A registered user of acme, whom everybody wants to reach. */
let bob: User;

beforeAll(async () => {
  place = await Place.open();
  bob = await place.user("bob");
});
afterAll(() => place.close());

interface Attempt {
  readonly method?: string;
  readonly uri?: string;
  readonly more?: Partial<RequestParts>;
  readonly changes?: Parameters<User["prove"]>[3];
  readonly edit?: (text: string) => string;
  readonly user?: User;
}

/** An attempt to reach Bob: the verdict; that Kamailio sent nothing and Bob got nothing is asserted. */
async function refusal(attempt: Attempt = {}): Promise<number> {
  const user = attempt.user ?? (await place.stranger("mallory"));
  const callId = `attack-${unique()}`;
  const { method = "MESSAGE", uri = `sip:${bob.address}`, more = {}, changes, edit } = attempt;
  const refused = await user.prove(method, uri, { callId, ...more }, changes, edit);
  expect(await place.sent(callId)).toEqual([]);
  expect(await place.got(bob, callId)).toEqual([]);
  if (!attempt.user) user.client.close();
  return status(refused);
}

/** The harmless twin: Bob gets it as the text that is returned, and his 200 comes back. */
async function reaches(user: User, more: Partial<RequestParts> = {}, edit?: (text: string) => string): Promise<string> {
  const parts = user.parts("MESSAGE", `sip:${bob.address}`, more);
  const final = user.client.prove(parts, user.given, {}, edit);
  const got = await bob.client.take((text) => text.includes(`${parts.callId}\r\n`));
  bob.client.send(reply(got, { status: "200 OK" }));
  expect(status(await final)).toBe(200);
  expect((await place.sent(parts.callId)).filter(({ method }) => method === "MESSAGE")).toHaveLength(1);
  return got;
}

const address = "mallory@acme.example";

async function refusalOf(given: Credential, from = address): Promise<number[]> {
  const make = async (): Promise<User> => new User(await place.connect(), from, given);
  const user = await make();
  const registered = await user.client.register(from, given);
  return [status(registered), await refusal({ user: await make() })];
}

const exchanged = (username: string): Credential => signed(username, exchangeSecret);

describe("a credential", () => {
  it("of the exchange, for the user that it names, registers and is passed to nobody", async () => {
    const alice = await place.user("alice");
    const got = await reaches(alice);
    expect(got).not.toMatch(/^(Proxy-)?Authorization/im);
    expect(got).not.toContain(alice.given.username);
  });

  it("is asked for: REGISTER by 401, all else by 407, one challenge with qop=auth and the domain as realm", async () => {
    const alice = await place.stranger("alice");
    const register = alice.parts("REGISTER", "sip:acme.example", { to: alice.address });
    const answers = [
      await alice.client.ask(register),
      await alice.client.ask(alice.parts("INVITE", `sip:${bob.address}`)),
    ];
    expect(answers.map(status)).toEqual([401, 407]);
    const challenges = [headers(answers[0]!, "WWW-Authenticate"), headers(answers[1]!, "Proxy-Authenticate")].flat();
    expect(challenges).toHaveLength(2);
    for (const challenge of challenges) {
      expect(challenge).toMatch(/^Digest realm="acme\.example", nonce="[^"]+", qop="auth"$/);
    }
  });

  const soon = inSeconds(300);
  it.each<[string, Credential]>([
    ["of a customer's own secret", signed(`${soon}:${address}`, customerSecret)],
    ["of the chain's secret", signed(`${soon}:${address}`, chainSecret)],
    ["with another algorithm", signed(`${soon}:${address}`, exchangeSecret, "sha256")],
    ["with another password", { username: `${soon}:${address}`, password: "" }],
    ["that has expired", exchanged(`${inSeconds(-1)}:${address}`)],
    ["with a handle, which is the gateway's", exchanged(`${soon}:${address};AbCd`)],
    ["with a handle inside the user", exchanged(`${soon}:mallory;AbCd@acme.example`)],
    ["without domain", exchanged(`${soon}:mallory`)],
    ["without a domain behind the @", exchanged(`${soon}:mallory@`)],
    ["without user", exchanged(`${soon}:@acme.example`)],
    ["without stamp", exchanged(address)],
    ["with a stamp in milliseconds", exchanged(`${soon}000:${address}`)],
    ["with a stamp beyond 32 bits", exchanged(`${2 ** 32 + soon}:${address}`)],
    ["with a signed stamp", exchanged(`+${soon}:${address}`)],
    ["with the stamp last", exchanged(`${address}:${soon}`)],
    ["for two users", exchanged(`${soon}:${address}:${soon}:alice@acme.example`)],
    ["with two domains", exchanged(`${soon}:mallory@acme.example@globex.example`)],
    ["with an escape", exchanged(`${soon}:m%61llory@acme.example`)],
    ["with a domain in capitals", exchanged(`${soon}:mallory@ACME.example`)],
    ["with a space", exchanged(`${soon}: ${address}`)],
  ])("%s proves nothing", async (_, given) => {
    expect(await refusalOf(given)).toEqual([403, 403]);
  });

  it("that is a grant is none, not even where both secrets are one", async () => {
    for (const secret of [chainSecret, exchangeSecret]) {
      const made = grant({ secret, user: "mallory", domain: "acme.example", algorithm: "sha1" });
      const given = { username: made["X-Postern-Grant"], password: made["X-Postern-Token"] };
      expect(await refusalOf(given)).toEqual([403, 403]);
    }
    const alice = await place.stranger("alice");
    const made = grant({ secret: exchangeSecret, user: alice.name, domain: alice.domain, algorithm: "sha1" });
    const lines = Object.entries(made).map(([name, value]) => `${name}: ${value}`);
    const asked = await alice.client.ask(alice.parts("MESSAGE", `sip:${bob.address}`, { extra: lines }));
    expect(status(asked)).toBe(407);
  });

  it("of another user or domain does not let its holder be this one", async () => {
    for (const other of ["alice@acme.example", "mallory@globex.example", "Mallory@acme.example"]) {
      expect(await refusalOf(credential(other, { secret: exchangeSecret }))).toEqual([403, 403]);
    }
  });

  it("is good for one identity on a connection", async () => {
    const alice = await place.user("alice");
    const other = await place.stranger("carol");
    const second = new User(alice.client, other.address, other.given);
    expect(await refusal({ user: second })).toBe(403);
    await reaches(alice);
    await reaches(other);
  });

  it("answers a nonce once, from where it was given, for the URI that is asked for", async () => {
    const alice = await place.stranger("alice");
    const uri = `sip:${bob.address}`;
    const parts = alice.parts("MESSAGE", uri);
    const challenge = await alice.client.ask(parts);
    const proof = answer(challenge, "MESSAGE", uri, alice.given);
    const attempt = async (user: User, cseq: number, extra: string[]): Promise<string> => {
      const asked = { ...parts, from: user.address, fromTag: `f${unique()}`, cseq, extra };
      user.client.send(request(asked));
      return user.client.response(parts.callId, cseq, "MESSAGE");
    };
    const first = attempt(alice, 2, [proof]);
    const got = await bob.client.take((text) => text.includes(`${parts.callId}\r\n`));
    bob.client.send(reply(got, { status: "200 OK" }));
    expect(status(await first)).toBe(200);
    const thief = new User(await place.connect(), alice.address, alice.given);
    for (const user of [alice, thief]) {
      const again = await attempt(user, 3, [proof]);
      expect(status(again)).toBe(407);
      expect(header(again, "Proxy-Authenticate")).toContain("stale=true");
    }
    expect(await place.got(bob, parts.callId)).toEqual([]);
  });

  it("with something wrong around its answer is refused, and nothing goes out", async () => {
    const other = "sip:carol@acme.example";
    expect(await refusal({ changes: { uri: other } })).toBe(400);
    expect(await refusal({ changes: { realm: "globex.example" } })).toBe(407);
    expect(await refusal({ changes: { nonce: "A".repeat(48) } })).toBe(407);
    expect(await refusal({ changes: { response: "0".repeat(32) } })).toBe(403);
    expect(await refusal({ changes: { value: "Bearer abc" } })).toBe(403);
    expect(await refusal({ changes: { value: "" } })).toBe(403);
    const twice = (text: string): string => text.replace(/^(Proxy-Authorization:.*\r\n)/m, "$1$1");
    expect(await refusal({ edit: twice })).toBe(400);
    const both = (text: string): string => text.replace(/^Proxy-(Authorization:.*\r\n)/m, "$&$1");
    expect(await refusal({ edit: both })).toBe(400);
    const wrongKind = (text: string): string => text.replace(/^Proxy-(Authorization:.*\r\n)/m, "$1");
    expect(await refusal({ edit: wrongKind })).toBe(400);
  });
});

describe("who calls", () => {
  it.each([
    "<sip:alice@acme.example>;tag=f",
    "<sip:voxrtc@voxbone.example>;tag=f",
    "<sip:mallory@globex.example>;tag=f",
    '"<sip:mallory@acme.example>" <sip:alice@acme.example>;tag=f',
    "<sip:%6dallory@acme.example>;tag=f",
    "<sips:mallory@acme.example>;tag=f",
    "<tel:+3225887000>;tag=f",
  ])("is who the credential says: %s", async (from) => {
    const mallory = new User(await place.connect(), address, credential(address, { secret: exchangeSecret }));
    const edit = (text: string): string => text.replace(/^From: .*$/m, `From: ${from}`);
    const parts = mallory.parts("MESSAGE", `sip:${bob.address}`);
    const challenge = await mallory.client.ask(parts);
    const proof = answer(challenge, "MESSAGE", parts.uri, mallory.given, { realm: realmOf(from) });
    mallory.client.send(edit(request({ ...parts, cseq: 2, extra: [proof] })));
    expect([400, 403]).toContain(status(await mallory.client.response(parts.callId, 2, "MESSAGE")));
    expect(await place.sent(parts.callId)).toEqual([]);
    expect(await place.got(bob, parts.callId)).toEqual([]);
  });

  it("registers itself alone, where it belongs", async () => {
    const alice = await place.stranger("alice");
    const attempt = async (parts: Partial<RequestParts>): Promise<number> =>
      status(await (await place.again(alice.address)).client.register(alice.address, alice.given, parts));
    expect(await attempt({ to: bob.address })).toBe(403);
    expect(await attempt({ uri: "sip:globex.example" })).toBe(403);
    expect(await attempt({ uri: `sip:${alice.address}` })).toBe(403);
    expect(await attempt({ uri: "sip:acme.example:5070" })).toBe(403);
    expect(await attempt({ uri: "sip:acme.example;maddr=192.0.2.66" })).toBe(403);
    expect(await attempt({ contact: "<sip:a@x.invalid>, <sip:b@x.invalid>" })).toBe(400);
    expect(await attempt({ contact: "<sip:a@x.invalid>\r\nm: <sip:b@x.invalid>" })).toBe(400);
    expect(await attempt({ contact: "<sip:a@+322.invalid>" })).toBe(400);
    expect(await attempt({ contact: "<sip:a@x.invalid" })).toBe(400);
    expect(await reached(alice.address)).toBe(404);
    expect(await attempt({})).toBe(200);
  });

  it("is called on its own connection, whatever its Contact and Path say", async () => {
    const sink = await openUdpSink();
    const alice = await place.stranger("alice");
    const contact = `<sip:alice@${sink.host}:${sink.port};transport=udp;maddr=${sink.host}>`;
    const extra = ["Expires: 60", `Path: <sip:${sink.host}:${sink.port};lr>`, "Supported: path, outbound, gruu"];
    expect(status(await alice.client.register(alice.address, alice.given, { contact, extra }))).toBe(200);
    const carol = await place.stranger("carol");
    const parts = carol.parts("MESSAGE", `sip:${alice.address}`);
    const final = carol.client.prove(parts, carol.given);
    alice.client.send(reply(await alice.client.take((text) => text.includes(parts.callId)), { status: "200 OK" }));
    expect(status(await final)).toBe(200);
    expect((await place.sent(parts.callId)).every(({ proto }) => proto === "ws")).toBe(true);
    expect(sink.received()).toEqual([]);
    await sink.close();
  });

  it("has an end with its credential: the binding lives no longer", async () => {
    const alice = await place.stranger("alice");
    const given = credential(alice.address, { secret: exchangeSecret, ttl: 50 });
    const granted = async (contact: string, extra: string[]): Promise<number> => {
      const answered = await alice.client.register(alice.address, given, { contact, extra });
      expect(status(answered)).toBe(200);
      return Number(/;expires=(\d+)/.exec(header(answered, "Contact") ?? "")?.[1] ?? 0);
    };
    const contact = "<sip:alice@x.invalid;transport=ws>";
    for (const [shown, extra] of [
      [contact, []],
      [contact, ["Expires: 600"]],
      [`${contact};expires=600`, []],
      [`${contact};expires=600;q=0.5`, ["Expires: 10"]],
      [`${contact};Expires = 600`, []],
      [contact, ["Expires: 4294967295"]],
      [contact, ["Expires: 2147483648"]],
      [`${contact};expires="7"`, []],
      [`${contact};expires=7;expires=600`, []],
      [`${contact};expires`, ["Expires: 600"]],
    ] as const) {
      const seconds = await granted(shown, [...extra]);
      expect(seconds, `${shown} ${extra}`).toBeLessThanOrEqual(50);
      expect(seconds, `${shown} ${extra}`).toBeGreaterThan(40);
    }
    expect(await granted(`${contact};expires=7`, ["Expires: 600"])).toBe(7);
    expect(await granted(contact, ["Expires: 8"])).toBe(8);
    expect(await granted(`${contact};expires=0`, [])).toBe(0);
    expect(await granted("*", ["Expires: 0"])).toBe(0);
  });
});

/** What a MESSAGE to that address gets. */
async function reached(to: string): Promise<number> {
  const carol = await place.friend("acme.example");
  return status(await carol.prove("MESSAGE", `sip:${to}`));
}

const realmOf = (from: string): string => /@([^>]+)>;tag/.exec(from)?.[1] ?? "acme.example";

describe("a destination", () => {
  it("is a registered user of one's own domain, called 4411 or 3225887000 too, in any spelling of the domain", async () => {
    const alice = await place.stranger("alice");
    await reaches(alice, { uri: `sip:${bob.name}@ACME.Example` });
    for (const name of ["4411", "+3225887000"]) {
      const called = await place.again(`${name}@acme.example`);
      expect(await reached(called.address)).toBe(404);
      const contact = `<sip:${name}@x.invalid;transport=ws>`;
      expect(
        status(await called.client.register(called.address, called.given, { contact, viaHost: "x.invalid" })),
      ).toBe(200);
      const parts = alice.parts("MESSAGE", `sip:${called.address}`);
      const final = alice.client.prove(parts, alice.given);
      called.client.send(reply(await called.client.take((text) => text.includes(parts.callId)), { status: "200 OK" }));
      expect(status(await final)).toBe(200);
    }
  });

  it.each(["INVITE", "MESSAGE", "OPTIONS"])(
    "is 404 where nobody is registered, and nothing goes out: %s",
    async (method) => {
      for (const user of ["nobody", "+19005551234", "911", "0019005551234"]) {
        expect(await refusal({ method, uri: `sip:${user}@acme.example` })).toBe(404);
      }
    },
  );

  it.each([
    "tel:+19005551234",
    "tel:911",
    "sips:bob@acme.example",
    "sip:bob@globex.example",
    "sip:+19005551234@globex.example",
    "sip:bob@192.0.2.66",
    "sip:bob@[2001:db8::66]",
    "sip:bob@127.0.0.1",
    "sip:bob@sub.acme.example",
    "sip:bob@acme.example.",
    "sip:bob@acme.example.evil.example",
    "sip:bob@acme.example:5060",
    "sip:bob@acme.example;maddr=192.0.2.66",
    "sip:bob@acme.example;MADDR=192.0.2.66",
    "sip:bob@acme.example;alias=192.0.2.66~5060~1",
    "sip:bob@acme.example;received=192.0.2.66",
    "sip:bob@acme.example;received=sip:192.0.2.66",
    "sip:bob@acme.example;transport=udp",
    "sip:bob@acme.example;transport=tcp",
    "sip:bob@acme.example;gr=1",
    "sip:bob@acme.example;lr",
    "sip:bob@acme.example;user=phone",
    "sip:bob@acme.example;method=INVITE",
    "sip:bob@acme.example?Route=%3Csip:192.0.2.66%3E",
    "sip:bob;x=y@acme.example",
    "sip:+19005551234;phone-context=+1@acme.example",
    "sip:bob:password@acme.example",
    "sip:bob%40globex.example@acme.example",
    "sip:b%6Fb@acme.example",
    "sip:bob%00@acme.example",
    "sip:acme.example",
    "sip:globex.example",
    "sip:@acme.example",
  ])("elsewhere, or with anything that leads elsewhere, is refused: %s", async (uri) => {
    const own = uri.replace(/^(sips?:)bob\b/, `$1${bob.name}`);
    expect([400, 403]).toContain(await refusal({ uri: own }));
    expect([400, 403]).toContain(await refusal({ uri: own, method: "INVITE" }));
  });

  it("of another domain is unknown there, though both are registered here", async () => {
    const dave = await place.user("dave", "globex.example");
    const callId = `attack-${unique()}`;
    const mallory = await place.stranger("mallory");
    expect(status(await mallory.prove("MESSAGE", `sip:${dave.address}`, { callId }))).toBe(403);
    expect(status(await mallory.prove("MESSAGE", `sip:${dave.name}@acme.example`, { callId }))).toBe(404);
    expect(await place.got(dave, callId)).toEqual([]);
    const twin = await place.user(dave.name, "acme.example");
    expect(twin.address).not.toBe(dave.address);
  });

  it("is not what a Route says", async () => {
    const sink = await openUdpSink();
    const routes = [`<sip:${sink.host}:${sink.port};lr>`, `<sip:127.0.0.1:${place.kamailio.wsPort};lr;transport=ws>`];
    const alice = await place.stranger("alice");
    const got = await reaches(alice, { routes });
    expect(headers(got, "Route")).toEqual([]);
    const callId = `attack-${unique()}`;
    expect(status(await alice.prove("MESSAGE", "sip:nobody@acme.example", { routes, callId }))).toBe(404);
    expect(await place.sent(callId)).toEqual([]);
    expect(sink.received()).toEqual([]);
    await sink.close();
  });

  it("may be asked whether it is alive, one's own domain alone", async () => {
    const alice = await place.stranger("alice");
    expect(status(await alice.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    expect(await refusal({ method: "OPTIONS", uri: "sip:globex.example" })).toBe(403);
  });
});

describe("a method", () => {
  it.each(["SUBSCRIBE", "REFER", "PUBLISH", "SERVICE", "X-NEW"])("that nobody has here is 405: %s", async (method) => {
    const extra = ["Event: presence", "Refer-To: <sip:192.0.2.66>"];
    expect(await refusal({ method, more: { extra } })).toBe(405);
  });

  it.each(["BYE", "PRACK", "UPDATE", "INFO", "NOTIFY"])("of dialogs is 481 outside one: %s", async (method) => {
    expect(await refusal({ method })).toBe(481);
  });

  it.each(["Replaces", "Join"])("with %s takes no call over", async (name) => {
    expect(await refusal({ method: "INVITE", more: { extra: [`${name}: 1;to-tag=2;from-tag=3`] } })).toBe(403);
  });

  it("that is an ACK goes nowhere", async () => {
    const mallory = await place.user("mallory");
    const callId = `attack-${unique()}`;
    const ack = mallory.parts("ACK", `sip:${bob.address}`, { callId });
    mallory.client.send(request(ack));
    mallory.client.send(request({ ...ack, toTag: "x" }));
    mallory.client.send(request({ ...ack, toTag: "x", routes: [`<sip:127.0.0.1:${place.kamailio.wsPort};lr>`] }));
    expect(await place.sent(callId)).toEqual([]);
    expect(await place.got(bob, callId)).toEqual([]);
  });
});

describe("header fields", () => {
  const forged = [
    "X-Postern-Grant: 1",
    "x-postern-trunk: 1",
    "X-POSTERN-NEW : 1",
    "P-Asserted-Identity: <sip:boss@acme.example>",
    "p-asserted-identity\t: <sip:boss@acme.example>",
    "P-Preferred-Identity: <sip:boss@acme.example>",
    "Remote-Party-ID: <sip:boss@acme.example>",
    "Diversion: <sip:boss@acme.example>",
    "History-Info: <sip:boss@acme.example>;index=1",
    "Identity: abc",
    "y: abc",
    "P-Charging-Vector: abc",
    "P-Charging-Function-Addresses: abc",
    "Alert-Info: <http://evil.example/siren>",
    "Answer-Mode: Auto",
    "Priv-Answer-Mode: Auto",
    "Path: <sip:192.0.2.66;lr>",
  ];
  const names =
    /^(x-postern|p-asserted|p-preferred|remote-party|diversion|history-info|identity|y[ \t]*:|p-charging|alert-info|(priv-)?answer-mode|path|(proxy-)?auth|www-auth|proxy-auth)/i;
  const fields = (text: string): string[] => (text.split("\r\n\r\n", 1)[0] ?? "").split("\r\n").slice(1);
  const suspicious = (text: string): string[] => fields(text).filter((line) => names.test(line));

  it("of trust reach nobody, in requests and replies, outside dialogs and in them; others do", async () => {
    const alice = await place.user("alice");
    const context = "X-Context: kept";
    const got = await reaches(alice, { extra: [...forged, "Record-Route: <sip:192.0.2.66;lr>", context] });
    expect(suspicious(got)).toEqual([]);
    expect(headers(got, "Record-Route")).toEqual([]);
    expect(got).toContain(`\r\n${context}\r\n`);

    const ringing = await ring(alice, bob, { extra: [...forged, "Record-Route: <sip:192.0.2.66;lr>", context] });
    expect(suspicious(ringing.invite)).toEqual([]);
    expect(headers(ringing.invite, "Record-Route").join()).not.toContain("192.0.2.66");
    const challenge = 'Proxy-Authenticate: Digest realm="acme.example", nonce="stolen", qop="auth"';
    bob.client.send(
      reply(ringing.invite, { status: "183 Progress", tag: "rings", extra: [...forged, challenge, context] }),
    );
    const progress = await alice.client.take((text) => isReply(text, 183, "INVITE"));
    expect(suspicious(progress)).toEqual([]);
    expect(progress).toContain(`\r\n${context}\r\n`);
    const extra = [...forged, challenge];
    bob.client.send(reply(ringing.invite, { status: "302 Moved", tag: "rings", contact: "<sip:192.0.2.66>", extra }));
    const moved = await ringing.final;
    expect(status(moved)).toBe(302);
    expect(suspicious(moved)).toEqual([]);
    expect(header(moved, "Contact")).toBeUndefined();
  });

  it("of trust reach nobody inside a dialog either", async () => {
    const alice = await place.user("alice");
    const call = await establish(alice, bob);
    const info = call.fromCaller("INFO", {
      extra: [...forged, "Record-Route: <sip:192.0.2.66;lr>", "X-Context: kept"],
    });
    alice.client.send(info);
    const got = await bob.client.take((text) => text.startsWith("INFO ") && text.includes(call.callId));
    expect(suspicious(got)).toEqual([]);
    expect(headers(got, "Record-Route")).toEqual([]);
    expect(got).toContain("\r\nX-Context: kept\r\n");
    bob.client.send(reply(got, { status: "200 OK", extra: forged }));
    expect(suspicious(await responseTo(alice, info))).toEqual([]);
    await hangUp(call);
  });
});

async function hangUp(call: Call): Promise<void> {
  const bye = call.fromCaller("BYE");
  call.caller.client.send(bye);
  const got = await call.callee.client.take((text) => text.startsWith("BYE ") && text.includes(call.callId));
  call.callee.client.send(reply(got, { status: "200 OK" }));
  expect(status(await responseTo(call.caller, bye))).toBe(200);
}

describe("a request that claims a dialog", () => {
  const methods = ["INVITE", "BYE", "UPDATE", "INFO", "MESSAGE", "NOTIFY", "PRACK", "REFER", "REGISTER"];
  const ours = (): string => `<sip:127.0.0.1:${place.kamailio.wsPort};transport=ws;lr>`;

  it.each(methods)("that nobody made is 481: %s", async (method) => {
    const mallory = await place.user("mallory");
    const callId = `attack-${unique()}`;
    const parts = mallory.parts(method, "sip:x@127.0.0.8:9", { callId, toTag: "invented", routes: [ours()] });
    expect(status(await mallory.client.ask(parts))).toBe(481);
    expect(await place.sent(callId)).toEqual([]);
  });

  it("of others is 481, whoever knows its Call-ID, tags, Route and aliases; theirs goes on", async () => {
    const alice = await place.user("alice");
    const call = await establish(alice, bob);
    const outsider = await place.user("mallory");
    const unproved = new User(await place.connect(), alice.address, alice.given);
    const before = (await place.sent(call.callId)).length;
    for (const thief of [outsider, unproved]) {
      for (const text of [
        call.fromCaller("BYE"),
        call.fromCallee("BYE"),
        call.fromCaller("INVITE"),
        call.fromCallee("UPDATE"),
      ]) {
        expect(status(await exchange(thief, text))).toBe(481);
      }
      thief.client.send(call.fromCaller("ACK", { cseq: 2 }));
    }
    expect(await place.sent(call.callId)).toHaveLength(before);
    expect(await place.got(bob, call.callId)).toEqual([]);
    expect(alice.client.received.filter((text) => text.includes(call.callId) && !text.startsWith("SIP/2.0"))).toEqual(
      [],
    );
    await hangUp(call);
  });

  it("of its own does not speak as the other side, nor to anybody else, and its twin arrives", async () => {
    const sink = await openUdpSink();
    const alice = await place.user("alice");
    const carol = await place.user("carol");
    const call = await establish(alice, bob);
    const port = await aliasPort(carol);
    const before = (await place.sent(call.callId)).length;
    const attempts: Partial<RequestParts>[] = [
      { uri: `sip:x@${sink.host}:${sink.port}` },
      { uri: `sip:x@x.invalid;transport=ws;alias=${sink.host}~${sink.port}~1` },
      { uri: `sip:${carol.name}@x.invalid;transport=ws;alias=127.0.0.1~${port}~5` },
      { uri: `sip:${carol.address}` },
      { routes: [ours(), `<sip:${sink.host}:${sink.port};lr>`], uri: `sip:x@${sink.host}:${sink.port}` },
      { routes: [`<sip:${sink.host}:${sink.port};lr>`], uri: `sip:x@${sink.host}:${sink.port}` },
      { routes: [], uri: `sip:${carol.address}` },
      // More than a function of Kamailio's has room for.
      { uri: `sip:x@x.invalid;alias=${"1".repeat(1_500)}~${port}~5` },
      { uri: `sip:x@x.invalid;q=${"1".repeat(1_500)};alias=127.0.0.1~${port}~5` },
    ];
    for (const attempt of attempts) {
      expect(status(await exchange(alice, call.fromCaller("INFO", attempt))), JSON.stringify(attempt)).toBe(481);
    }
    expect(status(await exchange(alice, call.fromCallee("INFO")))).toBe(481);
    expect(status(await exchange(alice, call.fromCaller("REFER", { extra: ["Refer-To: <sip:192.0.2.66>"] })))).toBe(
      405,
    );
    expect(await place.sent(call.callId)).toHaveLength(before);
    expect(await place.got(carol, call.callId)).toEqual([]);
    expect(sink.received()).toEqual([]);
    await hangUp(call);
    await sink.close();
  });

  it("goes on over a new connection of its user, once that has proved it, and not before", async () => {
    const alice = await place.user("alice");
    const call = await establish(alice, bob);
    alice.client.reset();
    const back = await place.again(alice.address);
    expect(status(await exchange(back, call.fromCaller("INFO")))).toBe(481);
    expect(status(await back.client.register(back.address, back.given))).toBe(200);
    await hangUp({ ...call, caller: back });
  });
});

/** The port of the connection that a user's calls come over. */
async function aliasPort(user: User): Promise<number> {
  const callId = `port-${unique()}`;
  await user.prove("OPTIONS", `sip:${user.domain}`, { callId });
  return (await place.kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === callId)).port;
}

describe("what is under way", () => {
  it("is cancelled by its caller alone", async () => {
    const alice = await place.user("alice");
    const mallory = await place.user("mallory");
    const ringing = await ring(alice, bob);
    const cancel = cancelOf(ringing.sent);
    expect(status(await exchange(mallory, cancel))).toBe(481);
    const renamed = cancel.replace(/^From: .*$/m, `From: <sip:${mallory.address}>;tag=x`);
    expect(status(await exchange(mallory, renamed))).toBe(481);
    expect(await place.got(bob, ringing.callId)).toEqual([]);
    alice.client.send(cancel);
    const got = await bob.client.take((text) => text.startsWith("CANCEL ") && text.includes(ringing.callId));
    bob.client.send(reply(got, { status: "200 OK" }));
    bob.client.send(reply(ringing.invite, { status: "487 Request Terminated", tag: "rings" }));
    expect(status(await ringing.final)).toBe(487);
  });

  it.each(["180 Ringing", "200 OK", "486 Busy"])("is answered by who was asked alone: %s", async (answered) => {
    const alice = await place.user("alice");
    const mallory = await place.user("mallory");
    const unproved = await place.stranger("unproved");
    const ringing = await ring(alice, bob);
    for (const thief of [mallory, unproved]) {
      thief.client.send(reply(ringing.invite, { status: answered, tag: "forged", contact: "<sip:x@x.invalid>" }));
    }
    const sink = await openUdpSink();
    sink.send(reply(ringing.invite, { status: answered, tag: "forged" }), place.kamailio.udp);
    await overTcp(reply(ringing.invite, { status: answered, tag: "forged" }));
    for (const _ of [1, 2]) await place.sent(ringing.callId);
    bob.client.send(reply(ringing.invite, { status: "603 Decline", tag: "rings" }));
    expect(status(await ringing.final)).toBe(603);
    expect(alice.client.received.filter((text) => text.includes("forged"))).toEqual([]);
    await sink.close();
  });

  it("has its Call-ID to itself: nobody else asks under it, so that nobody else may answer", async () => {
    const [alice, mallory] = [await place.user("alice"), await place.user("mallory")];
    const ringing = await ring(alice, bob);
    expect(status(await mallory.prove("MESSAGE", `sip:${mallory.address}`, { callId: ringing.callId }))).toBe(403);
    mallory.client.send(reply(ringing.invite, { status: "200 OK", tag: "forged", contact: "<sip:x@x.invalid>" }));
    await place.sent(ringing.callId);
    bob.client.send(reply(ringing.invite, { status: "603 Decline", tag: "rings" }));
    expect(status(await ringing.final)).toBe(603);
    expect(status(await mallory.prove("MESSAGE", `sip:${mallory.address.replace("mallory", "x")}`))).toBe(404);
  });

  it("has answers of its own alone: one more is not sent where its Via says", async () => {
    const target = await openUdpSink("127.0.0.7");
    const alice = await place.user("alice");
    const ringing = await ring(alice, bob);
    const before = (await place.sent(ringing.callId)).length;
    const via = (host: string): string => `Via: SIP/2.0/UDP ${host};branch=z9hG4bKx\r\n`;
    const vias = via(`127.0.0.1:${place.kamailio.udp.port}`) + via(`${target.host}:${target.port}`);
    const answered = reply(ringing.invite, { status: "200 OK", tag: "rings" });
    bob.client.send(answered.replace(/(?:^Via:.*\r\n)+/m, vias));
    expect(await place.sent(ringing.callId)).toHaveLength(before);
    expect(target.received()).toEqual([]);
    bob.client.send(reply(ringing.invite, { status: "603 Decline", tag: "rings" }));
    expect(status(await ringing.final)).toBe(603);
    await target.close();
  });

  it("are so many calls of one user, not more", async () => {
    const small = await Place.open({ defines: { CALLS_PER_USER: 1 } });
    const alice = await small.user("alice");
    const carol = await small.user("carol");
    const call = await establish(alice, carol);
    expect(status(await alice.prove("INVITE", `sip:${carol.address}`))).toBe(503);
    await hangUp(call);
    await hangUp(await establish(alice, carol));
    await small.close();
  });

  it("are each a call, though they share Call-ID and From tag: the end of one is not the other's", async () => {
    const small = await Place.open({ defines: { CALLS_PER_USER: 2 } });
    const [alice, carol] = [await small.user("alice"), await small.user("carol")];
    const ids = { callId: `same-${unique()}`, fromTag: `t${unique()}` };
    const first = alice.prove("INVITE", `sip:${carol.address}`, ids);
    const invite = await carol.client.take((text) => text.startsWith("INVITE "));
    const call = await establish(alice, carol, { ...ids, cseq: 10 });
    const dialogs = [invite, call.ok].map((text) => /;did=([^;>]+)/.exec(header(text, "Record-Route") ?? "")?.[1]);
    expect(dialogs).toEqual([expect.any(String), expect.any(String)]);
    expect(dialogs[0]).not.toBe(dialogs[1]);
    expect(status(await alice.prove("INVITE", `sip:${carol.address}`, { ...ids, cseq: 20 }))).toBe(503);
    carol.client.send(reply(invite, { status: "486 Busy Here", tag: "busy" }));
    expect(status(await first)).toBe(486);
    const info = call.fromCaller("INFO");
    alice.client.send(info);
    await answered(carol, ids.callId, "INFO");
    expect(status(await responseTo(alice, info))).toBe(200);
    await hangUp(call);
    await small.close();
  });
});

/** SIP over plain TCP; what comes back until the other side closes or a response is complete. */
const overTcp = (message: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: place.kamailio.wsPort });
    let said = "";
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (text: Buffer) => {
      said += text.toString();
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(said));
    socket.write(message, () => message.startsWith("SIP/2.0") && socket.end());
  });

describe("who is no browser", () => {
  it.each(["REGISTER", "INVITE", "MESSAGE", "OPTIONS"])("is refused over TCP and UDP: %s", async (method) => {
    const alice = await place.stranger("alice");
    const sink = await openUdpSink();
    const parts = alice.parts(method, `sip:${bob.address}`);
    const text = request({ ...parts, viaHost: `${sink.host}:${sink.port}`, viaTransport: "UDP" });
    sink.send(text, place.kamailio.udp);
    await sink.waitFor((message) => isReply(message, 403, method));
    expect(status(await overTcp(text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")))).toBe(403);
    expect(await place.sent(parts.callId)).toEqual([]);
    await sink.close();
  });

  it("cannot have a reply passed on that answers nothing", async () => {
    const target = await openUdpSink("127.0.0.7");
    const socket = createSocket("udp4");
    const vias = [
      `127.0.0.1:${place.kamailio.udp.port};branch=z9hG4bKx`,
      `${target.host}:${target.port};branch=z9hG4bKy`,
    ];
    const lines = vias.map((via) => `Via: SIP/2.0/UDP ${via}\r\n`).join("");
    const rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 INVITE\r\n";
    const stray = `SIP/2.0 200 OK\r\n${lines}${rest}Content-Length: 0\r\n\r\n`;
    socket.send(stray, place.kamailio.udp.port, place.kamailio.udp.host);
    const alice = await place.user("alice");
    alice.client.send(stray);
    await place.kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === "stray");
    expect(await place.sent("stray")).toEqual([]);
    expect(target.received()).toEqual([]);
    socket.close();
    await target.close();
  });
});

describe("a connection", () => {
  it.each([
    ["reset", (user: User) => user.client.reset()],
    ["closed", (user: User) => user.client.close()],
    ["torn down", (user: User) => user.client.socket.terminate()],
  ])("that is %s gets no calls", async (_, end) => {
    const alice = await place.user("alice");
    end(alice);
    await expect.poll(() => reached(alice.address), { timeout: 8_000 }).toBe(404);
  });

  /** Somebody who is gone, and who has that address next: again where another process was faster to take the port. */
  async function successor(tries = 5): Promise<{ alice: User; next: RawClient }> {
    const alice = await place.user("alice");
    const port = await aliasPort(alice);
    alice.client.reset();
    await alice.client.closed;
    try {
      return { alice, next: await place.connect({ ws: { localPort: port } }) };
    } catch (error) {
      if (tries > 1 && error instanceof Error && "code" in error && error.code === "EADDRINUSE")
        return successor(tries - 1);
      throw error;
    }
  }

  it("that is gone leaves no calls to who has its address next", async () => {
    const { alice, next } = await successor();
    const mallory = new User(next, address, credential(address, { secret: exchangeSecret }));
    expect([404, 480]).toContain(await reached(alice.address));
    expect(status(await mallory.client.register(address, mallory.given))).toBe(200);
    expect([404, 480]).toContain(await reached(alice.address));
    expect(next.received).toEqual([]);
  });

  it("from so many of one address, not more; one that closes makes room", async () => {
    const small = await Place.open({ defines: { CONNECTIONS_PER_ADDRESS: 2 } });
    const first = await small.connect();
    await small.connect();
    await expect(small.connect()).rejects.toThrow("HTTP 503");
    first.reset();
    await expect
      .poll(() =>
        small.connect().then(
          () => "open",
          () => "full",
        ),
      )
      .toBe("open");
    await small.close();
  });

  it("from a page is taken where its Origin is listed, refused from others and from none", async () => {
    const listed = "https://www.acme.example https://shop.acme.example:8443";
    const picky = await Place.open({ defines: { ORIGINS: listed } });
    for (const origin of listed.split(" ")) {
      const client = await picky.connect({ origin });
      const user = new User(client, address, credential(address, { secret: exchangeSecret }));
      expect(status(await client.register(address, user.given))).toBe(200);
    }
    const others = [
      "https://evil.example",
      "http://www.acme.example",
      "https://www.acme.example:8443",
      "https://shop.acme.example",
      "https://www.acme.example.evil.example",
      "https://www.acme.example https://shop.acme.example:8443",
      "www.acme.example",
      "null",
      "",
      undefined,
    ];
    for (const origin of others) {
      const options = origin === undefined ? {} : { ws: { headers: { Origin: origin } } };
      await expect(picky.connect(options), String(origin)).rejects.toThrow("HTTP 403");
    }
    const twice = { Origin: ["https://www.acme.example", "https://evil.example"] };
    await expect(picky.connect({ ws: { headers: twice as never } })).rejects.toThrow("HTTP 403");
    await picky.close();
  });

  it("speaks SIP: another subprotocol, or none, is refused", async () => {
    for (const protocols of [["msrp"], []]) {
      const socket = new WebSocket(place.kamailio.wsUrl, protocols);
      const refused = await new Promise<number>((resolve) => {
        socket.once("unexpected-response", (asked, response) => {
          asked.destroy();
          resolve(response.statusCode ?? 0);
        });
        socket.once("open", () => resolve(101));
        socket.on("error", () => {}); // the refusal above
      });
      expect(refused).toBe(400);
    }
  });
});

describe("the log", () => {
  it("names refusals, so often for one address, and no secret, nor what was given", () => {
    const log = place.kamailio.log();
    const lines = log.split("\n").filter((line) => line.includes("credential refused"));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(32);
    const own = log.split("\n").filter((line) => !line.includes("TEST-REPORT"));
    for (const secret of [exchangeSecret, chainSecret, customerSecret]) expect(own.join("\n")).not.toContain(secret);
  });
});
