import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakePage, type FakeSocket, fakePage, json } from "../../helpers/fake-page.ts";
import { header } from "../../helpers/raw-sip.ts";

let page: FakePage;
beforeEach(() => {
  page = fakePage();
});
afterEach(() => page.leave());

const good = (name = "one", ttl = 100) => ({
  username: `1999999999:${name}@acme.example`,
  password: `c2VjcmV0${name}`,
  ttl,
});
const digest = 'WWW-Authenticate: Digest realm="acme.example", nonce="n", algorithm=MD5, qop="auth"';

/** The socket that is open now; fails where there is none. */
const socket = (): FakeSocket => page.sockets.at(-1)!;
const toldOf = (type: string) => page.told.filter((one) => one.type === type).map(({ detail }) => detail);

/** A page that is connected and whose REGISTER is on its way. */
async function connected(options: Parameters<FakePage["connect"]>[0] = {}, answer: object = good()) {
  page.answers = [json(answer)];
  const phone = page.connect(options);
  await page.pass();
  socket().open();
  await page.pass();
  return phone;
}

const md5 = (...parts: readonly (string | undefined)[]): string =>
  createHash("md5").update(parts.join(":")).digest("hex");

/** Answers REGISTER's challenge and reads who proves it, rightly. */
function provedAs(): string {
  socket().answer("401 Unauthorized", digest);
  const shown = header(socket().sent.at(-1) ?? "", "Authorization") ?? "";
  const [user = "", nonce, uri, response, cnonce] = ["username", "nonce", "uri", "response", "cnonce"].map(
    (name) => new RegExp(`\\b${name}="([^"]*)"`).exec(shown)?.[1],
  );
  const { password } = good(/:(\w+)@/.exec(user)?.[1]);
  const proof = md5(md5(user, "acme.example", password), nonce, "00000001", cnonce, "auth", md5("REGISTER", uri));
  expect(response).toBe(proof);
  return user;
}

const registers = (): void => {
  const contact = header(socket().sent.at(-1) ?? "", "Contact");
  socket().answer("200 OK", `Contact: ${contact?.replace(/expires=\d+/, "expires=600")}`);
};

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = (claims: object): string => `${base64url({ alg: "HS256" })}.${base64url(claims)}.c2ln`;
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

describe("what the credential endpoint may answer", () => {
  it.each([
    { form: "mint's", answer: () => good(), user: good().username, renewIn: 75 },
    {
      form: "the exchange's",
      answer: () => ({ ...good(), refreshAfter: 60, uris: ["wss://b.example"], uri: "sip:two@acme.example" }),
      user: good().username,
      uri: "sip:two@acme.example",
      renewIn: 60,
    },
    {
      form: "voxrtc_config",
      answer: () => ({ key: good("one").password, expires: inSeconds(200), username: "one@acme.example" }),
      user: /^\d+:one@acme\.example$/,
      renewIn: 150,
    },
  ])("$form", async ({ answer, user, uri = "sip:one@acme.example", renewIn }) => {
    const { ua } = await connected({}, answer());
    expect(String(Object(ua).configuration.uri)).toBe(uri);
    expect(provedAs()).toMatch(user);
    expect(toldOf("renewed")[0]?.renewIn).toBeCloseTo(renewIn, -1);
  });

  it.each([
    { form: "token", answer: () => ({ token: jwt({ sub: "one@acme.example", exp: inSeconds(400) }) }), renewIn: 300 },
    { form: "access_token", answer: () => ({ access_token: "opaque", expires_in: 40 }), renewIn: 30 },
  ])("{$form}, shown as Bearer on each request", async ({ answer, renewIn }) => {
    await connected({ uri: "sip:one@acme.example" }, answer());
    expect(header(socket().sent[0] ?? "", "Authorization")).toMatch(/^Bearer (ey|opaque)/);
    expect(toldOf("renewed")[0]?.renewIn).toBeCloseTo(renewIn, -1);
  });

  it("what a function of the page resolves with", async () => {
    const phone = page.connect({ credentials: async () => good("mine") });
    await page.pass();
    socket().open();
    expect(await phone.ready).toBe(phone.ua);
    expect(provedAs()).toBe(good("mine").username);
    expect(page.asked).toEqual([]);
  });

  it("servers and ICE servers of the answer, where the page names none", async () => {
    const iceServers = Array(16).fill({ urls: ["turn:t.example"], username: "u", credential: "c" });
    const options = { servers: undefined } as unknown as { servers: string };
    const phone = await connected(options, {
      ...good(),
      uris: [7, "wss://a.example\r\n", "wss://b.example"],
      iceServers: [...iceServers, {}],
    });
    expect(page.sockets.map(({ url }) => url)).toEqual(["wss://b.example"]);
    expect(phone.iceServers).toEqual(iceServers);
  });

  it("is exchanged at the gateway, where the page says so: a password", async () => {
    page.answers = [json(good("minted")), json({ ...good("issued"), iceServers: [{ urls: "stun:s.example" }] })];
    const phone = page.connect({ exchange: "https://a.example/v1/exchange" });
    await page.pass();
    const { method, body, credentials } = page.asked[1]?.init ?? {};
    expect({ url: page.asked[1]?.url, method, credentials }).toEqual({
      url: "https://a.example/v1/exchange",
      method: "POST",
      credentials: "omit",
    });
    expect(JSON.parse(String(body))).toEqual({ username: good("minted").username, password: good("minted").password });
    socket().open();
    expect(provedAs()).toBe(good("issued").username);
    expect(phone.iceServers).toHaveLength(1);
    expect(page.asked.map(({ init }) => init.cache)).toEqual(["no-store", "no-store"]);
  });

  it("is exchanged at the gateway: a token", async () => {
    page.answers = [json({ token: jwt({ exp: inSeconds(100) }) }), json(good("issued"))];
    page.connect({ exchange: "https://a.example/v1/exchange" });
    await page.pass();
    expect(page.asked[1]?.init.headers).toEqual({ authorization: expect.stringMatching(/^Bearer ey/) });
    expect(page.asked[1]?.init.body).toBeUndefined();
  });
});

describe("renewal", () => {
  it("comes at 75 % of the life and is what JsSIP proves itself with from then on", async () => {
    await connected();
    expect(provedAs()).toBe(good("one").username);
    registers();
    page.answers = [json(good("two"))];
    await page.pass(74_000);
    expect(page.asked).toHaveLength(1);
    await page.pass(2_000);
    expect(page.asked).toHaveLength(2);
    Object(socket()).sent.length = 0;
    // When, JsSIP leaves to chance; what is not answered within 32 seconds is answered too late.
    for (let second = 0; second < 600 && socket().sent.length === 0; second++) await page.pass(1_000);
    expect(socket().sent[0]).toMatch(/^REGISTER /);
    expect(provedAs()).toBe(good("two").username);
    expect(page.sockets).toHaveLength(1);
  });

  it("survives a challenge that was answered with the old credential meanwhile", async () => {
    const phone = await connected({}, good("one", 20));
    expect(provedAs()).toBe(good("one").username);
    page.answers = [json(good("two"))];
    await page.pass(16_000);
    socket().answer("401 Unauthorized", `${digest.replace('"n"', '"m"')}, stale=true`);
    registers();
    phone.ua?.register();
    expect(provedAs()).toBe(good("two").username);
    const { authorization_user, password } = Object(phone.ua).configuration;
    expect([authorization_user, password]).not.toContain(good("one").username);
  });

  it("goes by the server's clock, wherever the page's stands", async () => {
    const now = Date.now();
    vi.setSystemTime(now - 3_600_000);
    const token = jwt({ sub: "one@acme.example", exp: Math.floor(now / 1000) + 100 });
    page.answers = [json({ token }, { headers: { Date: new Date(now).toUTCString() } })];
    page.connect();
    await page.pass();
    expect(Math.round(Number(toldOf("renewed")[0]?.renewIn))).toBe(75);
  });

  it("goes on with the credential there is while the endpoint is down, and says so", async () => {
    const phone = await connected();
    page.answers = [json("", { status: 500 })];
    await page.pass(76_000);
    expect(toldOf("trouble")[0]).toMatchObject({ code: "credentials-unavailable", retryIn: expect.any(Number) });
    page.answers = [json(good("two"))];
    await page.pass(5_000);
    expect(toldOf("renewed")).toHaveLength(2);
    expect(page.sockets).toHaveLength(1);
    expect(phone.ua?.isConnected()).toBe(true);
  });

  it("of a life of months comes once a day, not at once", async () => {
    await connected({}, good("one", 1e8));
    expect(toldOf("renewed")[0]?.renewIn).toBe(86_400);
    await page.pass(10_000);
    expect(page.asked).toHaveLength(1);
  });

  it.each([0.001, -5])("that the answer wants after %s s comes after a second", async (refreshAfter) => {
    await connected({}, { ...good(), refreshAfter });
    await page.pass(900);
    expect(page.asked).toHaveLength(1);
    await page.pass(200);
    expect(page.asked).toHaveLength(2);
  });

  it("comes before the next call where the page has slept over it, and once", async () => {
    const phone = await connected();
    const call = vi.spyOn(phone.ua!, "call").mockReturnValue({} as never);
    await page.pass(30_000);
    vi.setSystemTime(Date.now() + 200_000);
    page.answers = [json({ ...good("two"), iceServers: [{ urls: "stun:s.example" }] })];
    const own = { pcConfig: { iceTransportPolicy: "relay" as const } };
    await Promise.all([phone.call("bob", { extraHeaders: ["X-A: 1"] }), phone.call("carol", own)]);
    const pcConfig = { iceServers: [{ urls: "stun:s.example" }] };
    const mediaConstraints = { audio: true, video: false };
    expect(call).toHaveBeenCalledWith("bob", { mediaConstraints, pcConfig, extraHeaders: ["X-A: 1"] });
    expect(call).toHaveBeenCalledWith("carol", { mediaConstraints, ...own });
    await page.pass(70_000);
    expect(page.asked).toHaveLength(2);
  });

  it("of a token is on the next request", async () => {
    const token = (name: string) => ({ token: jwt({ sub: `${name}@acme.example`, exp: inSeconds(100) }) });
    const phone = await connected({}, token("one"));
    registers();
    page.answers = [json(token("two"))];
    await page.pass(76_000);
    phone.ua?.register();
    const shown = header(socket().sent.at(-1) ?? "", "Authorization") ?? "";
    expect(atob(shown.split(".")[1] ?? "")).toContain("two@acme.example");
  });

  it("that is denied cuts nothing off, and is not asked again and again", async () => {
    const phone = await connected();
    provedAs();
    registers();
    page.answers = [json({ error: "log in first" }, { status: 401 })];
    await page.pass(76_000);
    expect(toldOf("trouble")).toEqual([{ code: "credentials-denied", sentence: "log in first" }]);
    expect(phone.ua?.isConnected()).toBe(true);
    await page.pass(100_000);
    phone.ua?.register();
    const before = page.asked.length;
    for (let times = 0; times < 9; times++) {
      socket().answer("403 Forbidden", "Postern-Code: credential-expired", 'Warning: 399 postern "over"');
      await page.pass(1_000);
    }
    expect(page.asked.length - before).toBeLessThan(3);
  });
});

describe("a closed socket", () => {
  const servers = ["wss://a.example", "wss://b.example"];

  it.each([
    { code: 1006, says: "connection-lost", next: "wss://b.example", least: 1, most: 2, asks: 1 },
    { code: 1001, says: "draining", next: "wss://b.example", least: 1, most: 2, asks: 1 },
    { code: 4401, says: "credential-expired", next: "wss://a.example", least: 1, most: 2, asks: 2 },
    { code: 4429, says: "rate-limited", next: "wss://a.example", least: 5, most: 10, asks: 1 },
    { code: 1008, says: "limit-reached", next: "wss://a.example", least: 5, most: 10, asks: 1 },
    { code: 1013, says: "connection-lost", next: "wss://a.example", least: 5, most: 10, asks: 1 },
  ])("$code: after $least to $most s to $next", async ({ code, says, next, least, most, asks }) => {
    await connected({ servers });
    socket().end(code, says === "connection-lost" ? "" : `${says}: a sentence`);
    const [{ retryIn, ...told } = {}] = toldOf("disconnected");
    expect(told).toEqual({ code: says, sentence: expect.stringMatching(/^(a sentence|The telephone .*)$/) });
    expect(retryIn).toBeGreaterThanOrEqual(least);
    expect(retryIn).toBeLessThanOrEqual(most);
    await page.pass(Number(retryIn) * 1000 - 20);
    expect(page.sockets).toHaveLength(1);
    await page.pass(40);
    expect(page.sockets.map(({ url }) => url)).toEqual(["wss://a.example", next]);
    expect(page.asked).toHaveLength(asks);
  });

  it.each(["ws", "wss"])("is one of %s:, and what goes over it says so (RFC 7118)", async (scheme) => {
    await connected({ servers: `${scheme}://a.example` });
    expect(header(socket().sent[0] ?? "", "Via")).toMatch(`SIP/2.0/${scheme.toUpperCase()} `);
  });

  it("4401: the new credential is asked for at once", async () => {
    await connected();
    socket().end(4401);
    await page.pass();
    expect(page.asked).toHaveLength(2);
  });

  it("comes back with a credential that is good still", async () => {
    await connected();
    socket().end();
    vi.setSystemTime(Date.now() + 200_000);
    page.answers = [() => new Promise(() => {})];
    await page.pass(2_100);
    expect([page.asked.length, page.sockets.length]).toEqual([2, 1]);
  });

  it("4403: it is over, says why, and nobody comes back", async () => {
    const phone = await connected();
    socket().end(4403, "origin-denied: this page is not allowed, ask acme to add its origin");
    const sentence = "this page is not allowed, ask acme to add its origin";
    expect(toldOf("closed")).toEqual([{ code: "origin-denied", sentence }]);
    await page.pass(120_000);
    expect([page.sockets.length, page.asked.length, vi.getTimerCount()]).toEqual([1, 1, 0]);
    await expect(phone.call("bob")).rejects.toMatchObject({ code: "origin-denied", message: sentence });
  });

  it("again and again: waits grow to 30 s, never alike", async () => {
    await connected();
    for (let times = 0; times < 9; times++) {
      socket().end();
      await page.pass(31_000);
    }
    const waits = toldOf("disconnected").map(({ retryIn }) => Number(retryIn));
    expect(waits).toHaveLength(9);
    expect(waits.at(-1)).toBeGreaterThanOrEqual(15);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30);
    expect(new Set(waits).size).toBe(9);
    socket().open();
    socket().hear("\r\n");
    socket().end();
    expect(toldOf("disconnected").at(-1)?.retryIn).toBeLessThanOrEqual(2);
    await page.pass(3_000);
    socket().end();
    await page.pass(31_000);
    socket().open();
    await page.pass(6_000);
    socket().end();
    expect(toldOf("disconnected").at(-1)?.retryIn).toBeLessThanOrEqual(2);
  });

  it("as soon as it is open, again and again: waits grow too", async () => {
    await connected();
    for (let times = 0; times < 9; times++) {
      socket().end();
      await page.pass(31_000);
      socket().open();
    }
    expect(toldOf("disconnected").at(-1)?.retryIn).toBeGreaterThanOrEqual(15);
  });

  it("without network: that is said", async () => {
    await connected();
    vi.stubGlobal("navigator", { onLine: false });
    socket().end();
    expect(toldOf("disconnected")[0]).toMatchObject({ code: "offline" });
  });

  it("is followed by none while JsSIP is stopped, and by one when it is started", async () => {
    const phone = await connected();
    socket().end();
    await page.pass(1_001);
    phone.ua?.stop();
    await page.pass(3_000);
    expect(page.sockets).toHaveLength(1);
    phone.ua?.start();
    await page.pass(3_000);
    expect(page.sockets).toHaveLength(2);
  });

  it("a reason of any length or kind is told as a bounded line of text", async () => {
    await connected();
    socket().end(1008, `limit-reached: <img src=x onerror=alert(1)>\u202e\r\n${"x".repeat(5000)}`);
    const [told] = toldOf("disconnected");
    expect(told?.code).toBe("limit-reached");
    expect(String(told?.sentence)).toMatch(/^<img src=x onerror=alert\(1\)> x+$/);
    expect(String(told?.sentence).length).toBeLessThanOrEqual(300);
  });

  it("the network is back: at once", async () => {
    const heard = new EventTarget();
    const [listens, listensNoMore] = [vi.spyOn(heard, "addEventListener"), vi.spyOn(heard, "removeEventListener")];
    vi.stubGlobal("addEventListener", heard.addEventListener.bind(heard));
    vi.stubGlobal("removeEventListener", heard.removeEventListener.bind(heard));
    await connected();
    socket().end(4429);
    await page.pass(1_100);
    expect(page.sockets).toHaveLength(1);
    heard.dispatchEvent(new Event("online"));
    await page.pass();
    expect(page.sockets).toHaveLength(2);
    expect(listens).toHaveBeenCalled();
    expect(listensNoMore.mock.calls).toEqual(listens.mock.calls);
  });
});

describe("a refused request", () => {
  const warning = 'Warning: 399 postern "the number is not yours, ask for it"';

  it("is told with the gateway's code and sentence", async () => {
    await connected();
    const callId = header(socket().sent[0] ?? "", "Call-ID");
    socket().answer("403 Forbidden", "Postern-Code: destination-denied", warning);
    const sentence = "the number is not yours, ask for it";
    expect(toldOf("refused")).toEqual([
      { method: "REGISTER", callId, status: 403, code: "destination-denied", sentence },
    ]);
    await page.pass(120_000);
    expect(socket().sent).toHaveLength(1);
  });

  it("in a binary frame too", async () => {
    await connected();
    expect(Object(socket()).binaryType).toBe("arraybuffer");
    const text = ["SIP/2.0 403 No", "CSeq: 1 INVITE", "Call-ID: x", "Postern-Code: origin-denied", warning, "", ""];
    socket().hear(new TextEncoder().encode(text.join("\r\n")).buffer as ArrayBuffer);
    expect(toldOf("refused")[0]).toMatchObject({ code: "origin-denied", method: "INVITE" });
  });

  it("with a sentence that is markup, endless or none: text, bounded, the code", async () => {
    await connected();
    const wild = `<script>alert(1)</script>${"y".repeat(5000)}`;
    socket().hear(`SIP/2.0 403 No\r\nPostern-Code: origin-denied\r\nWarning: 399 postern "${wild}"\r\n\r\n`);
    socket().hear("SIP/2.0 403 No\r\nPostern-Code: <b>\r\n\r\n");
    socket().hear("SIP/2.0 200 OK\r\nPostern-Code: origin-denied\r\n\r\n");
    socket().hear("SIP/2.0 486 Busy\r\nX: 1\r\n\r\nPostern-Code: origin-denied\r\n");
    expect(toldOf("refused")).toHaveLength(1);
    expect(String(toldOf("refused")[0]?.sentence).length).toBeLessThanOrEqual(300);
  });

  it("registers again no sooner where that is said to take longer than any timer runs", async () => {
    await connected();
    socket().answer("503 Service Unavailable", "Postern-Code: rate-limited", warning, "Retry-After: 4294967295");
    await page.pass(60_000);
    expect(socket().sent).toHaveLength(1);
  });

  it("registers again after what passes by itself, when the gateway says", async () => {
    await connected();
    socket().answer("503 Service Unavailable", "Postern-Code: rate-limited", warning, "Retry-After: 20");
    expect(toldOf("refused")[0]).toMatchObject({ retryIn: 20 });
    await page.pass(19_000);
    expect(socket().sent).toHaveLength(1);
    await page.pass(2_000);
    expect(socket().sent).toHaveLength(2);
  });

  it("renews an expired credential and registers again", async () => {
    await connected({}, good("one", 2_000));
    vi.setSystemTime(Date.now() + 2_100_000);
    page.answers = [json(good("two"))];
    socket().answer("403 Forbidden", "Postern-Code: credential-expired", 'Warning: 399 postern "over"');
    await page.pass();
    expect(socket().sent).toHaveLength(2);
    expect(provedAs()).toBe(good("two").username);
  });

  it("does not renew a fresh credential that the gateway calls expired: the clocks are wrong, and no loop mends them", async () => {
    await connected();
    socket().answer("403 Forbidden", "Postern-Code: credential-expired", 'Warning: 399 postern "set the clock"');
    await page.pass(60_000);
    expect(page.asked).toHaveLength(1);
    expect(socket().sent).toHaveLength(1);
  });
});

describe("a credential endpoint that gives none", () => {
  it.each([
    { status: 401, body: '{"error":"log in first"}', sentence: "log in first" },
    { status: 403, body: '{"detail":"<b>no</b>"}', sentence: "<b>no</b>" },
    { status: 404, body: "<html>", sentence: "The site answered 404 and gave no credential." },
  ])("for good ($status): is told, and never asked again", async ({ status, body, sentence }) => {
    page.answers = [json(body, { status })];
    const phone = page.connect();
    await expect(phone.ready).rejects.toMatchObject({ code: "credentials-denied", message: sentence });
    await page.pass(120_000);
    expect(toldOf("closed")).toEqual([{ code: "credentials-denied", sentence }]);
    expect([page.asked.length, page.sockets.length, vi.getTimerCount()]).toEqual([1, 0, 0]);
  });

  it.each(["2147484", "99999999999", "Infinity"])(
    "for %s seconds is asked again after a day, not at once",
    async (wait) => {
      page.answers = [json("{}", { status: 503, headers: { "Retry-After": wait } })];
      page.connect();
      await page.pass(60_000);
      expect(page.asked).toHaveLength(1);
      expect(toldOf("trouble")).toHaveLength(1);
      await page.pass(86_400_000);
      expect(page.asked).toHaveLength(2);
    },
  );

  it.each([
    { why: "500", answer: json("<html>oops", { status: 500 }), code: "credentials-unavailable", least: 1 },
    {
      why: "429 with Retry-After",
      answer: json("{}", { status: 429, headers: { "Retry-After": "40" } }),
      code: "credentials-unavailable",
      least: 40,
    },
    { why: "408", answer: json("{}", { status: 408 }), code: "credentials-unavailable" },
    { why: "425", answer: json("{}", { status: 425 }), code: "credentials-unavailable" },
    { why: "a page of HTML", answer: json("<html>please log in"), code: "credentials-unreadable", least: 1 },
    { why: "null", answer: json("null"), code: "credentials-unreadable", least: 1 },
    { why: "an array", answer: json("[]"), code: "credentials-unreadable", least: 1 },
    { why: "no ttl and no stamp", answer: json({ token: "x" }), code: "credentials-unreadable", least: 1 },
    { why: "a life of 0", answer: json(good("one", 0)), code: "credentials-unreadable", least: 1 },
    {
      why: "lines of SIP in the username",
      answer: json({ ...good(), username: "1:a@acme.example\r\nX-Evil: 1" }),
      code: "credentials-unreadable",
      least: 1,
    },
    { why: "a quote in the username", answer: json({ ...good(), username: '1:a"@b' }), code: "credentials-unreadable" },
    { why: "a token of lines", answer: json({ token: "a\nb", ttl: 9 }), code: "credentials-unreadable" },
    { why: "a number as password", answer: json({ ...good(), password: 7 }), code: "credentials-unreadable" },
    { why: "100 kB", answer: json({ ...good(), password: "x".repeat(100_000) }), code: "credentials-unreadable" },
    {
      why: "prototypes",
      answer: json('{"__proto__":{"username":"1:a@b","password":"p","ttl":9},"constructor":{"prototype":{"ttl":9}}}'),
      code: "credentials-unreadable",
    },
  ])("for the moment ($why): is told, asked again later", async ({ answer, code, least = 1 }) => {
    page.answers = [answer, json(good())];
    page.connect();
    await page.pass();
    expect(toldOf("trouble")).toEqual([{ code, sentence: expect.any(String), retryIn: expect.any(Number) }]);
    expect(toldOf("trouble")[0]?.retryIn).toBeGreaterThanOrEqual(least);
    expect(page.sockets).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    await page.pass(41_000);
    expect(page.sockets).toHaveLength(1);
  });

  it("is not there, or the device has no network", async () => {
    page.connect();
    await page.pass();
    vi.stubGlobal("navigator", { onLine: false });
    await page.pass(2_500);
    expect(toldOf("trouble").map(({ code }) => code)).toEqual(["credentials-unavailable", "offline"]);
  });

  it("is slow", async () => {
    vi.useRealTimers();
    const timeouts = vi.spyOn(AbortSignal, "timeout");
    page.connect().close();
    expect(timeouts).toHaveBeenCalledWith(10_000);
    page.answers = [() => new Promise(() => {})];
    const phone = page.connect({ timeout: 20 });
    const { detail } = await new Promise<CustomEvent>((resolve) => phone.addEventListener("trouble", resolve));
    expect(detail).toMatchObject({ code: "credentials-unavailable", sentence: expect.stringMatching(/in time/) });
  });
});

describe("a page that is mistaken", () => {
  it("without JsSIP or credentials hears it at once", () => {
    expect(() => page.connect({ jssip: undefined as never })).toThrow(/needs jssip and credentials/);
    expect(() => page.connect({ credentials: "" })).toThrow(/needs jssip and credentials/);
  });

  it.each([
    { what: "no server", options: { servers: [] }, says: /server/ },
    { what: "a server that is no URL", options: { servers: "here" }, says: /URL/i },
    { what: "an address that is none", options: { uri: "sip:" }, says: /uri/ },
  ])("with $what is told", async ({ options, says }) => {
    page.answers = [json(good())];
    const phone = page.connect(options);
    await page.pass(10);
    await expect(phone.ready).rejects.toMatchObject({ message: expect.stringMatching(says) });
    expect(toldOf("closed")).toHaveLength(1);
  });
});

describe("close()", () => {
  it("unregisters, closes the socket and leaves nothing running", async () => {
    const phone = await connected();
    provedAs();
    registers();
    phone.close();
    expect(socket().sent.at(-1)).toMatch(/^REGISTER .*expires=0/s);
    phone.close();
    expect(toldOf("closed")).toEqual([{ code: "closed", sentence: expect.any(String) }]);
    await page.pass(40_000);
    expect(socket().readyState).toBe(3);
    expect(toldOf("disconnected")).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect([page.sockets.length, page.asked.length]).toEqual([1, 1]);
  });

  it("before there is a credential: none is used", async () => {
    page.answers = [json(good())];
    const phone = page.connect();
    phone.close();
    await expect(phone.ready).rejects.toMatchObject({ code: "closed" });
    await page.pass(40_000);
    expect([page.sockets.length, page.told.length]).toEqual([0, 1]);
  });

  it("while it waits to come back: it does not", async () => {
    const phone = await connected();
    socket().end();
    phone.close();
    await page.pass(40_000);
    expect(page.sockets).toHaveLength(1);
  });
});

it("nothing of a credential is logged or told", async () => {
  const said = ["log", "info", "warn", "error", "debug"].map((name) => vi.spyOn(console, name as "log"));
  await connected();
  provedAs();
  socket().end();
  await page.pass(60_000);
  expect(said.flatMap(({ mock }) => mock.calls)).toEqual([]);
  expect(JSON.stringify(page.told)).not.toMatch(/c2VjcmV0|1999999999/);
});
