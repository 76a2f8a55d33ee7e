import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainSecret, globexSecret } from "../helpers/gateway.ts";
import { answer, type Credential, code, credential, status, unique } from "../helpers/raw-client.ts";
import { header, headers, request } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, signed, type User } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ gateway: "  limits: { failuresPerMinute: 0 }" });
});
afterAll(() => scene.close());

/** Registers with the credential of make, then, on the same socket, with a right one: what came of both. */
async function attack(make: (user: User) => Credential, parts = {}) {
  const user = await scene.stranger("alice");
  const callId = `reg-${unique()}`;
  const refused = await user.client.register(user.address, make(user), { callId, ...parts });
  const seen = await scene.arrived(callId);
  const twin = `reg-${unique()}`;
  const accepted = await user.client.register(user.address, user.given, { callId: twin });
  expect(status(accepted), accepted).toBe(200);
  await scene.came(twin, "REGISTER");
  return { refused, seen, warning: header(refused, "Warning") };
}

describe("a credential that proves nothing", () => {
  it.each<[string, string, (user: User) => Credential]>([
    ["has expired", "credential-expired", ({ address }) => signed(`${inSeconds(-1)}:${address}`)],
    ["expired before the epoch of cards", "credential-expired", ({ address }) => signed(`1:${address}`)],
    ["has a wrong password", "credential-rejected", ({ given }) => ({ ...given, password: "bm90IHRoaXM=" })],
    ["has an empty password", "credential-rejected", ({ given }) => ({ ...given, password: "" })],
    ["has expired and a wrong password", "credential-rejected", ({ address }) => signed(`1:${address}`, "wrong")],
    ["has user and stamp swapped", "credential-malformed", ({ address }) => signed(`${address}:${inSeconds(300)}`)],
    ["has no colon", "credential-malformed", ({ address }) => signed(address)],
    ["has no user", "credential-malformed", () => signed(`${inSeconds(300)}:`)],
    ["has a space in its user", "credential-malformed", () => signed(`${inSeconds(300)}:al ice@acme.example`)],
    [
      "writes fields of a grant into its user",
      "credential-malformed",
      () => signed(`${inSeconds(300)}:x@acme.example|trunk=sip:192.0.2.1|caller=+1900`),
    ],
    [
      "writes them before its domain",
      "credential-malformed",
      () => signed(`${inSeconds(300)}:x|trunk=sip:192.0.2.1|y=@acme.example`),
    ],
    [
      "has a user of 65 characters",
      "credential-malformed",
      () => signed(`${inSeconds(300)}:${"x".repeat(65)}@acme.example`),
    ],
    ["has a signed stamp", "credential-malformed", ({ address }) => signed(`+${inSeconds(300)}:${address}`)],
    ["lives a second too long", "credential-ttl", ({ address }) => credential(address, { ttl: 3602 })],
    [
      "is under another customer's secret",
      "credential-rejected",
      ({ address }) => credential(address, { secret: globexSecret }),
    ],
    ["is under another hash", "credential-rejected", ({ address }) => credential(address, { algorithm: "sha256" })],
    [
      "is a grant",
      "credential-malformed",
      ({ address }) =>
        signed(`${inSeconds(60)}:${address}|trunk=|trunk2=|caller=|max=|customer=acme`, chainSecret, "sha256"),
    ],
    ["is under the chain secret", "credential-rejected", ({ address }) => credential(address, { secret: chainSecret })],
    [
      "is under the chain secret and hash",
      "credential-rejected",
      ({ address }) => credential(address, { secret: chainSecret, algorithm: "sha256" }),
    ],
  ])("that %s is refused with %s, and a right one beside it is not", async (_, wanted, make) => {
    const { refused, seen } = await attack(make);
    expect([status(refused), code(refused)]).toEqual([403, wanted]);
    expect(header(refused, "Warning")).toMatch(/^399 postern "/);
    expect(seen).toEqual([]);
  });

  it("with a stamp in milliseconds is told so", async () => {
    const { refused, seen, warning } = await attack(({ address }) => signed(`${Date.now() + 300_000}:${address}`));
    expect([status(refused), code(refused)]).toEqual([403, "credential-malformed"]);
    expect(warning).toMatch(/milliseconds/);
    expect(seen).toEqual([]);
  });

  it("is accepted as long as the customer allows, and as the last second of its life", async () => {
    for (const ttl of [3600, 2]) {
      const user = await scene.stranger("alice");
      const answered = await user.client.register(user.address, credential(user.address, { ttl }));
      expect(status(answered), answered).toBe(200);
    }
  });
});

describe("another customer's user", () => {
  it("on acme's realm is not acme's, whatever From says; on its own realm it is welcome", async () => {
    const user = await scene.stranger("dave", "globex.example");
    const callId = `reg-${unique()}`;
    const acme = user.address.replace("globex", "acme");
    const refused = await user.client.register(acme, user.given, { callId });
    expect([status(refused), code(refused)]).toEqual([403, "identity-mismatch"]);
    expect(await scene.arrived(callId)).toEqual([]);
    const other = await scene.stranger("dave", "globex.example");
    const twin = `reg-${unique()}`;
    expect(status(await other.client.register(other.address, other.given, { callId: twin }))).toBe(200);
    const seen = await scene.came(twin, "REGISTER");
    expect(seen.header("X-Postern-Grant")).toContain(`${other.address}|`);
    expect(seen.header("X-Postern-Grant")).toMatch(/customer=globex$/);
  });

  it("under acme's secret is rejected", async () => {
    const { refused, seen } = await attack(() => signed(`${inSeconds(300)}:dave@globex.example`));
    expect([status(refused), code(refused)]).toEqual([403, "credential-rejected"]);
    expect(seen).toEqual([]);
  });

  it("who is unknown looks like a wrong password, byte for byte", async () => {
    const [unknown, wrong] = [await look("nope.example"), await look("acme.example")];
    expect(unknown.texts).toEqual(wrong.texts);
    expect(unknown.lengths).toEqual(wrong.lengths);
    expect(unknown.texts[1]).toMatch(/^SIP\/2\.0 403 /);
    expect(await scene.arrived("look-nope.example")).toEqual([]);
    expect(await scene.arrived("look-acme.example")).toEqual([]);
  });

  /** Challenge and refusal for a wrong password, without what differs by its nature. */
  async function look(domain: string): Promise<{ texts: string[]; lengths: number[] }> {
    const client = await scene.connect();
    const address = `zoe@${domain}`;
    const parts = { method: "REGISTER", uri: `sip:${domain}`, from: address, to: address, fromTag: "z", cseq: 1 };
    const ids = { callId: `look-${domain}`, branch: `z9hG4bK-look-${domain}` };
    const challenge = await client.ask({ ...parts, ...ids });
    const wrong = signed(`${inSeconds(300)}:${address}`, "wrong");
    const proof = answer(challenge, "REGISTER", parts.uri, wrong);
    const refusal = await client.ask({ ...parts, ...ids, cseq: 2, extra: [proof] });
    const plain = (text: string): string =>
      text
        .replaceAll(domain, "D")
        .replace(/nonce="[^"]*"/, "nonce")
        .replace(/^(To:.*;tag=).*$/m, "$1");
    const both = [challenge, refusal];
    return { texts: both.map(plain), lengths: both.map(({ length }) => length) };
  }
});

describe("an answer given before", () => {
  it("is replayed and refused; a higher nc passes, a lower one never again", async () => {
    const user = await scene.stranger("alice");
    const { challenge, parts } = await asked(user);
    const send = (cseq: number, nc: string): Promise<string> =>
      user.client.ask({ ...parts, cseq, extra: [answer(challenge, "REGISTER", parts.uri, user.given, { nc })] });
    expect(status(await send(2, "00000003"))).toBe(200);
    for (const [cseq, nc] of [
      [3, "00000003"],
      [4, "00000002"],
    ] as const) {
      const again = await send(cseq, nc);
      expect([status(again), code(again)]).toEqual([403, "credential-replayed"]);
    }
    expect(status(await send(5, "00000004"))).toBe(200);
    const seen = await scene.arrived(parts.callId);
    expect(seen.map((one) => one.header("CSeq"))).toEqual(["2 REGISTER", "5 REGISTER"]);
  });

  it("on another connection is challenged with stale=true, and the new nonce is good there", async () => {
    const [alice, other] = [await scene.stranger("alice"), await scene.stranger("other")];
    const { challenge, parts } = await asked(alice);
    const proof = answer(challenge, "REGISTER", parts.uri, alice.given);
    const stale = await other.client.ask({ ...parts, cseq: 2, extra: [proof] });
    expect([status(stale), code(stale)]).toEqual([401, undefined]);
    expect(header(stale, "WWW-Authenticate")).toMatch(/stale=true/);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const fresh = answer(stale, "REGISTER", parts.uri, alice.given);
    expect(status(await other.client.ask({ ...parts, cseq: 3, extra: [fresh] }))).toBe(200);
  });

  it("is replayed after a reload too, in which the count goes on", async () => {
    const user = await scene.stranger("alice");
    const { challenge, parts } = await asked(user);
    const send = (cseq: number, nc: string): Promise<string> =>
      user.client.ask({ ...parts, cseq, extra: [answer(challenge, "REGISTER", parts.uri, user.given, { nc })] });
    expect(status(await send(2, "00000002"))).toBe(200);
    scene.gateway.change({ acme: "    maxTtl: 3599\n" });
    scene.gateway.change({ acme: "" });
    expect(code(await send(3, "00000002"))).toBe("credential-replayed");
    expect(status(await send(4, "00000003"))).toBe(200);
    expect((await scene.arrived(parts.callId)).map((one) => one.header("CSeq"))).toEqual(["2 REGISTER", "4 REGISTER"]);
  });

  it("counts to the end, and not from the start again", async () => {
    const user = await scene.stranger("alice");
    const { challenge, parts } = await asked(user);
    const send = (cseq: number, nc: string): Promise<string> =>
      user.client.ask({ ...parts, cseq, extra: [answer(challenge, "REGISTER", parts.uri, user.given, { nc })] });
    expect(status(await send(2, "ffffffff"))).toBe(200);
    for (const [cseq, nc] of [
      [3, "ffffffff"],
      [4, "00000001"],
    ] as const) {
      expect(code(await send(cseq, nc))).toBe("credential-replayed");
    }
    expect((await scene.arrived(parts.callId)).map((one) => one.header("CSeq"))).toEqual(["2 REGISTER"]);
    expect(status(await user.client.register(user.address, user.given))).toBe(200);
  });

  it("at another gateway of the same config is stale, and the nonce of that one is good there", async () => {
    const other = await scene.another({ gateway: "  limits: { failuresPerMinute: 0 }" });
    const [alice, there] = [await scene.stranger("alice"), await scene.connect({}, other)];
    const { challenge, parts } = await asked(alice);
    const proof = answer(challenge, "REGISTER", parts.uri, alice.given);
    const stale = await there.ask({ ...parts, cseq: 2, extra: [proof] });
    expect([status(stale), code(stale)]).toEqual([401, undefined]);
    expect(header(stale, "WWW-Authenticate")).toMatch(/stale=true/);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const fresh = answer(stale, "REGISTER", parts.uri, alice.given);
    expect(status(await there.ask({ ...parts, cseq: 3, extra: [fresh] }))).toBe(200);
  });

  it.each(["0".repeat(44), "x", "5f5e1000000000000001AAAAAAAAAAAAAAAAAAAAAAAA"])(
    "to an invented nonce is challenged with stale=true: %s",
    async (nonce) => {
      const user = await scene.stranger("alice");
      const { challenge, parts } = await asked(user);
      const proof = answer(challenge, "REGISTER", parts.uri, user.given, { nonce });
      const stale = await user.client.ask({ ...parts, cseq: 2, extra: [proof] });
      expect(status(stale)).toBe(401);
      expect(header(stale, "WWW-Authenticate")).toMatch(/stale=true/);
      expect(await scene.arrived(parts.callId)).toEqual([]);
      expect(status(await user.client.register(user.address, user.given))).toBe(200);
    },
  );
});

/** A REGISTER that was challenged. */
async function asked(user: User) {
  const parts = user.parts("REGISTER", `sip:${user.domain}`, { to: user.address, extra: ["Expires: 60"] });
  return { challenge: await user.client.ask(parts), parts };
}

describe("a digest answer that two readers could read differently", () => {
  it.each<[string, (right: string) => string]>([
    ["without qop", (right) => right.replace(", qop=auth", "")],
    ["with qop=auth-int", (right) => right.replace("qop=auth", "qop=auth-int")],
    ["with two usernames", (right) => right.replace('username="', 'username="1:mallory", username="')],
    ["with two realms", (right) => right.replace('realm="', 'realm="other.example", realm="')],
    ["without nc", (right) => right.replace(/, nc=\w+/, "")],
    ["of SHA-256", (right) => right.replace("algorithm=MD5", "algorithm=SHA-256")],
    ["of MD5-sess", (right) => right.replace("algorithm=MD5", "algorithm=MD5-sess")],
    ["with a second username by another spelling", (right) => `${right}, username*=UTF-8''1%3Amallory`],
    ["with a username that is hashed", (right) => `${right}, userhash=true`],
    ["with two nonces", (right) => right.replace('nonce="', 'nonce="0", Nonce="')],
    ["with two responses", (right) => `${right}, RESPONSE="00000000000000000000000000000000"`],
    ["with two nc", (right) => `${right}, nc=00000002`],
    ["with nc 0", (right) => right.replace("nc=00000001", "nc=00000000")],
    ["with a short nc", (right) => right.replace("nc=00000001", "nc=1")],
    ["with a long nc", (right) => right.replace("nc=00000001", "nc=100000001")],
    ["with a quoted nc", (right) => right.replace("nc=00000001", 'nc="00000001"')],
    ["without cnonce", (right) => right.replace(/, cnonce="\w+"/, "")],
    ["with an escape in the username", (right) => right.replace('username="1', 'username="\\1')],
    ["with a quote that does not end", (right) => right.replace(/"$|", nc/, ", nc")],
    ["with a comma at its end", (right) => `${right},`],
    ["with white space between", (right) => right.replaceAll(", ", " ")],
  ])("%s is 400", async (_, change) => {
    const user = await scene.stranger("alice");
    const { challenge, parts } = await asked(user);
    const right = answer(challenge, "REGISTER", parts.uri, user.given);
    const refused = await user.client.ask({ ...parts, cseq: 2, extra: [change(right)] });
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const accepted = await user.client.ask({ ...parts, cseq: 3, extra: [right] });
    expect(status(accepted), accepted).toBe(200);
  });

  it("for another URI than the request's own is 400", async () => {
    const user = await scene.user("alice");
    const callId = `message-${unique()}`;
    const uri = `sip:${user.address}`;
    const refused = await user.prove("MESSAGE", uri, { callId }, { uri: "sip:bob@acme.example" });
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(callId, user)).toEqual([]);
  });

  it("twice for our realm is 400; beside one for another realm it passes, and that one stays", async () => {
    const user = await scene.user("alice");
    const foreign =
      'Proxy-Authorization: Digest username="u", realm="elsewhere.example", nonce="n", uri="sip:x", response="00000000000000000000000000000000", qop=auth, cnonce="c", nc=00000001';
    const twice = (text: string): string => text.replace(/^(Proxy-Authorization:.*\r\n)/m, "$1$1");
    const callId = `message-${unique()}`;
    const refused = await user.prove("OPTIONS", `sip:${user.domain}`, { callId }, {}, twice);
    expect([status(refused), code(refused)]).toEqual([400, "message-malformed"]);
    expect(await scene.arrived(callId, user)).toEqual([]);
    const twin = `message-${unique()}`;
    const passed = await user.prove("OPTIONS", `sip:${user.domain}`, { callId: twin, extra: [foreign] });
    expect(status(passed), passed).toBe(200);
    const seen = await scene.came(twin, "OPTIONS");
    expect(headers(seen.raw, "Proxy-Authorization")).toEqual([foreign.slice("Proxy-Authorization: ".length)]);
  });

  it.each([
    ["OPTIONS", "Authorization", 407],
    ["REGISTER", "Proxy-Authorization", 401],
  ])("of %s in %s is none: it is challenged again", async (method, name, wanted) => {
    const user = await scene.stranger("alice");
    const swap = (text: string): string => text.replace(/^(?:Proxy-)?Authorization:/m, `${name}:`);
    const callId = `swap-${unique()}`;
    const to = user.address;
    const challenged = await user.prove(method, `sip:${user.domain}`, { callId, to }, {}, swap);
    expect([status(challenged), code(challenged)]).toEqual([wanted, undefined]);
    expect(await scene.arrived(callId)).toEqual([]);
    const twin = `swap-${unique()}`;
    const accepted = await user.prove(method, `sip:${user.domain}`, { callId: twin, to });
    expect(status(accepted), accepted).toBe(200);
    await scene.came(twin, method);
  });
});

describe("what is no credential of ours", () => {
  const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDAwMDAwMDAwMH0.c2lnbmF0dXJl";

  it.each([
    ["REGISTER", `Authorization: Bearer ${jwt}`],
    ["REGISTER", `Authorization: bearer ${jwt}`],
    ["REGISTER", `Authorization: ${jwt}`],
    ["INVITE", `Authorization: Bearer ${jwt}`],
    ["INVITE", `Proxy-Authorization: Bearer ${jwt}`],
    ["MESSAGE", `Authorization: ${jwt}`],
  ])("a bad token in %s gets a Bearer challenge and no other: %s", async (method, line) => {
    const user = await scene.stranger("alice");
    const uri = method === "REGISTER" ? `sip:${user.domain}` : `sip:${user.address}`;
    const parts = user.parts(method, uri, { to: user.address, extra: [line] });
    const refused = await user.client.ask(parts);
    expect([status(refused), code(refused)]).toEqual([method === "REGISTER" ? 401 : 407, "credential-rejected"]);
    const asks = [...headers(refused, "WWW-Authenticate"), ...headers(refused, "Proxy-Authenticate")];
    expect(asks).toHaveLength(1);
    expect(asks[0]).toMatch(/^Bearer /);
    expect(refused).not.toMatch(/Digest/);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    expect(status(await user.client.register(user.address, user.given))).toBe(200);
  });

  it("a true grant and token from a client are no proof: it is challenged, and they are not passed on", async () => {
    const user = await scene.stranger("alice");
    const stolen = signed(
      `${inSeconds(60)}:${user.address}|trunk=|trunk2=|caller=|max=|customer=acme`,
      chainSecret,
      "sha256",
    );
    const extra = [`X-Postern-Grant: ${stolen.username}`, `X-Postern-Token: ${stolen.password}`];
    const parts = user.parts("OPTIONS", `sip:${user.domain}`, { extra });
    const challenged = await user.client.ask(parts);
    expect(status(challenged)).toBe(407);
    expect(await scene.arrived(parts.callId)).toEqual([]);
    const twin = `options-${unique()}`;
    expect(status(await user.prove("OPTIONS", `sip:${user.domain}`, { callId: twin, extra }))).toBe(200);
    expect((await scene.came(twin, "OPTIONS")).raw).not.toContain(stolen.password);
  });
});

describe("a connection that is somebody's", () => {
  it("takes no second identity, and a newer credential of the first", async () => {
    const alice = await scene.user("alice");
    const mallory = `mallory${unique().replace("-", ".")}@acme.example`;
    const callId = `reg-${unique()}`;
    const refused = await alice.client.register(mallory, credential(mallory), { callId });
    expect([status(refused), code(refused)]).toEqual([403, "identity-mismatch"]);
    expect(await scene.arrived(callId, alice)).toEqual([]);
    const twin = `reg-${unique()}`;
    const renewed = credential(alice.address, { ttl: 299 });
    expect(status(await alice.client.register(alice.address, renewed, { callId: twin }))).toBe(200);
    await scene.came(twin, "REGISTER");
  });

  it("takes no identity of another customer either", async () => {
    const alice = await scene.user("alice");
    const dave = `dave@globex.example`;
    const callId = `reg-${unique()}`;
    const parts = {
      method: "REGISTER",
      uri: "sip:globex.example",
      from: dave,
      to: dave,
      fromTag: "d",
      callId,
      cseq: 1,
    };
    const refused = await alice.client.prove(parts, credential(dave, { secret: globexSecret }));
    expect([status(refused), code(refused)]).toEqual([403, "identity-mismatch"]);
    expect(await scene.arrived(callId, alice)).toEqual([]);
  });

  it("proves each request for itself: one proof opens no door for the next", async () => {
    const alice = await scene.user("alice");
    const parts = alice.parts("MESSAGE", `sip:${alice.address}`);
    alice.client.send(request(parts));
    expect(status(await alice.client.response(parts.callId, 1, "MESSAGE"))).toBe(407);
    expect(await scene.arrived(parts.callId, alice)).toEqual([]);
  });
});
