import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { answer, code, credential, RawClient, type RawClientOptions, status, unique } from "../helpers/raw-client.ts";
import { header, request } from "../helpers/raw-sip.ts";
import { signed, User } from "../helpers/scene.ts";
import { Tap } from "../helpers/tap.ts";

let kamailio: Kamailio;
/** On the wire to Kamailio: a message that Kamailio could not read would be in none of its reports. */
let tap: Tap;
const gateways: TestGateway[] = [];
const clients: RawClient[] = [];

const origins = {
  acme: `    origins: ["https://www.acme.example", "https://*.acme.example"]`,
  globex: `    origins: ["https://globex.example"]`,
};
const limits = (text: string) => ({ gateway: `  limits: { ${text} }` });

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
  tap = await Tap.open(kamailio.wsPort);
  plain = await open();
});
afterAll(async () => {
  // Kamailio closes a leg over which came what it cannot read.
  const lost = gateways.flatMap((gateway) => gateway.log().filter(({ msg }) => msg === "upstream lost"));
  for (const client of clients) client.close();
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await tap.close();
  await kamailio.stop();
  expect(lost).toEqual([]);
});

let plain: TestGateway;

async function open(settings = {}): Promise<TestGateway> {
  const gateway = await startGateway({ upstreamUrls: [tap.url], ...settings });
  gateways.push(gateway);
  return gateway;
}

let hosts = 10;
/** An address that no other test connects from. */
const newHost = (): string => `127.0.1.${hosts++}`;

async function dial(gateway: TestGateway, options: RawClientOptions & { from?: string } = {}): Promise<RawClient> {
  const { from = "127.0.0.1", ...rest } = options;
  const client = await RawClient.connect(gateway.gatewayUrl, { ...rest, ws: { ...rest.ws, localAddress: from } });
  clients.push(client);
  return client;
}

async function userOf(gateway: TestGateway, options: RawClientOptions & { from?: string } = {}): Promise<User> {
  const address = `alice${unique().replace("-", ".")}@acme.example`;
  return new User(await dial(gateway, options), address, credential(address));
}

const isOpen = (client: RawClient): boolean => client.socket.readyState === client.socket.OPEN;

/** That the user is served: a request of theirs reaches Kamailio and is answered. */
async function isServed(user: User): Promise<void> {
  const callId = `served-${unique()}`;
  expect(status(await user.prove("OPTIONS", "sip:acme.example", { callId }))).toBe(200);
  await kamailio.waitFor((seen) => seen.method === "OPTIONS" && seen.header("Call-ID") === callId);
}

/** Messages on the wire to Kamailio that hold this text. */
const onWire = (text: string): string[] =>
  tap.messages.map((message) => message.toString("latin1")).filter((message) => message.includes(text));

/** Somebody well-behaved on another socket from another address: served before and after, over the same socket. */
describe("with a neighbour", () => {
  let neighbour: User;
  beforeEach(async () => {
    neighbour = await userOf(plain, { from: newHost() });
    await isServed(neighbour);
  });
  afterEach(async () => {
    expect(isOpen(neighbour.client)).toBe(true);
    await isServed(neighbour);
  });

  describe("what is not SIP", () => {
    it.each<[string, Buffer]>([
      ["words", Buffer.from("hello there")],
      ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: acme.example\r\n\r\n")],
      ["JSON", Buffer.from('{"method":"INVITE"}')],
      ["one byte", Buffer.from([0])],
      ["noise", Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 197 + 31) & 0xff))],
      ["noise that looks like a frame of WebSocket", Buffer.from([0x81, 0xfe, 0x00, 0x10, 1, 2, 3, 4])],
      ["SIP of another version", Buffer.from("INVITE sip:bob@acme.example SIP/3.0\r\n\r\n")],
      ["a start line alone", Buffer.from("INVITE sip:bob@acme.example SIP/2.0\r\n")],
      ["three CRLF", Buffer.from("\r\n\r\n\r\n")],
      ["a kilobyte of spaces", Buffer.alloc(1024, " ")],
      ["SIP behind a byte order mark", Buffer.from("\u{FEFF}OPTIONS sip:acme.example SIP/2.0\r\n\r\n")],
      ["SIP behind empty lines", Buffer.from("\r\n\r\nOPTIONS sip:acme.example SIP/2.0\r\n\r\n")],
      ["SIP in UTF-16", Buffer.from("OPTIONS sip:acme.example SIP/2.0\r\n\r\n", "utf16le")],
      ["SIP in full-width letters", Buffer.from("ＯＰＴＩＯＮＳ sip:acme.example SIP/2.0\r\n\r\n")],
      ["a body without its header", Buffer.from("v=0\r\nX-Postern-Grant: 1\r\n\r\n")],
    ])("closes the connection with 1008: %s", async (_, bytes) => {
      const user = await userOf(plain);
      await isServed(user);
      const before = tap.messages.length;
      user.client.send(bytes);
      expect(await user.client.closed).toMatchObject({
        code: 1008,
        reason: expect.stringMatching(/^message-malformed/),
      });
      expect(tap.messages.length).toBe(before);
    });

    it.each(["SIP/2.0 200 OK\r\n\r\n", "ACK sip:bob@acme.example SIP/2.0\r\n\r\n", "SIP/2.0 "])(
      "is dropped where nobody waits for an answer: %j",
      async (text) => {
        const user = await userOf(plain);
        await isServed(user);
        user.client.send(text);
        await isServed(user);
        expect(onWire(text)).toEqual([]);
      },
    );
  });

  describe("ambiguous SIP", () => {
    it.each<[string, (right: string) => string]>([
      ["two From", (right) => right.replace(/^(From:.*\r\n)/m, "$1$1")],
      ["two From, one compact", (right) => right.replace(/^From:(.*\r\n)/m, "From:$1f:$1")],
      ["two To", (right) => right.replace(/^(To:.*\r\n)/m, "$1$1")],
      ["two Call-ID", (right) => right.replace(/^(Call-ID:.*\r\n)/m, "$1i: other\r\n")],
      ["two CSeq", (right) => right.replace(/^(CSeq:.*\r\n)/m, "$1$1")],
      ["two Max-Forwards", (right) => right.replace(/^(Max-Forwards:.*\r\n)/m, "$1$1")],
      ["two Content-Length, the same", (right) => right.replace(/^(Content-Length:.*\r\n)/m, "$1l: 4\r\n")],
      ["two Content-Length, one 0", (right) => right.replace(/^(Content-Length:.*\r\n)/m, "Content-Length: 0\r\n$1")],
      ["no Content-Length, with a body", (right) => right.replace(/^Content-Length:.*\r\n/m, "")],
      ["Content-Length too small", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: 3")],
      ["Content-Length 0 with a body", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: 0")],
      ["Content-Length too large", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: 5")],
      ["Content-Length negative", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: -1")],
      ["Content-Length +4", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: +4")],
      ["Content-Length 0x4", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: 0x4")],
      ["Content-Length 4, 4", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: 4, 4")],
      ["Content-Length beyond 2^32", (right) => right.replace(/^Content-Length:.*$/m, "Content-Length: 4294967300")],
      ["two messages in a frame", (right) => right + right],
      ["CRLF after the body", (right) => `${right}\r\n`],
      ["no empty line", (right) => right.replace(/\r\n\r\n.*$/s, "\r\n")],
      ["a bare LF", (right) => right.replace("Max-Forwards: 70\r\n", "Max-Forwards: 70\n")],
      ["a bare LF that hides a header", (right) => right.replace("70\r\n", "70\r\nX-A: b\nX-Postern-Grant: 1\r\n")],
      ["a bare CR", (right) => right.replace("70\r\n", "70\r\nX-A: b\rX-Postern-Grant: 1\r\n")],
      ["a NUL", (right) => right.replace("70\r\n", "70\r\nX-A: b\0c\r\n")],
      ["a NUL in the start line", (right) => right.replace("@", "\0@")],
      ["an escape in a header name", (right) => right.replace("From:", "F%72om:")],
      ["a letter of UTF-8 in a header name", (right) => right.replace("70\r\n", "70\r\nX-Po\xc5\xbftern-Grant: 1\r\n")],
      [
        "an overlong letter in a header name",
        (right) => right.replace("70\r\n", "70\r\nX\xc0\xadPostern-Grant: 1\r\n"),
      ],
      ["two Content-Type, one compact", (right) => right.replace(/^(Content-Type:.*\r\n)/m, "$1c: text/plain\r\n")],
      [
        "two Refer-To, one compact",
        (right) => right.replace("70\r\n", "70\r\nRefer-To: <sip:a@b>\r\nr: <sip:c@d>\r\n"),
      ],
      ["two Event, one compact", (right) => right.replace("70\r\n", "70\r\nEvent: a\r\no: b\r\n")],
      [
        "two Referred-By, one compact",
        (right) => right.replace("70\r\n", "70\r\nb: <sip:a@b>\r\nReferred-By: <sip:c@d>\r\n"),
      ],
      ["two Session-Expires, one compact", (right) => right.replace("70\r\n", "70\r\nx: 90\r\nSession-Expires: 9\r\n")],
      ["two Expires", (right) => right.replace("70\r\n", "70\r\nExpires: 60\r\nexpires: 9999\r\n")],
      ["two Replaces", (right) => right.replace("70\r\n", "70\r\nReplaces: a\r\nREPLACES: b\r\n")],
      ["an escape in the method", (right) => right.replace(/^MESSAGE/, "MESS%41GE")],
      ["an escape in the CSeq method", (right) => right.replace(/^(CSeq: \d+) MESSAGE/m, "$1 MESS%41GE")],
      ["a header without colon", (right) => right.replace("70\r\n", "70\r\nX-A b\r\n")],
      ["a header without name", (right) => right.replace("70\r\n", "70\r\n: b\r\n")],
      ["a space in a header name", (right) => right.replace("70\r\n", "70\r\nX A: b\r\n")],
      ["a folded first header", (right) => right.replace("\r\n", "\r\n Via: x\r\n")],
      ["a folded line that is empty", (right) => right.replace("70\r\n", "70\r\nX-A: b\r\n \r\n")],
      ["a folded line before the end", (right) => right.replace("\r\n\r\n", "\r\n \r\n\r\n")],
      ["CSeq of another method", (right) => right.replace(/^(CSeq: \d+) MESSAGE/m, "$1 INVITE")],
      ["CSeq of the method in small letters", (right) => right.replace(/^(CSeq: \d+) MESSAGE/m, "$1 message")],
      ["CSeq beyond 2^32", (right) => right.replace(/^CSeq: \d+/m, "CSeq: 4294967296")],
      ["Max-Forwards that is no number", (right) => right.replace("Max-Forwards: 70", "Max-Forwards: -1")],
      ["two spaces in the start line", (right) => right.replace(" SIP/2.0", "  SIP/2.0")],
      ["a tab in the start line", (right) => right.replace(" SIP/2.0", "\tSIP/2.0")],
      ["a branch without its cookie", (right) => right.replace(/branch=z9hG4bK/, "branch=old")],
      ["a Via without branch", (right) => right.replace(/;branch=[^\r]*/, "")],
      ["no Via", (right) => right.replace(/^Via:.*\r\n/m, "")],
      ["no From tag", (right) => right.replace(/^(From: <[^>]*>).*$/m, "$1")],
      ["two From tags", (right) => right.replace(/^(From: .*)$/m, "$1;tag=other")],
      ["a Call-ID of two words", (right) => right.replace(/^Call-ID: (.*)$/m, "Call-ID: $1 b")],
      ["300 header fields", (right) => right.replace("70\r\n", `70\r\n${"X-A: b\r\n".repeat(300)}`)],
      ["a header name of 300 bytes", (right) => right.replace("70\r\n", `70\r\nX-${"A".repeat(300)}: b\r\n`)],
      ["a header of 9000 bytes", (right) => right.replace("70\r\n", `70\r\nX-A: ${"b".repeat(9000)}\r\n`)],
    ])("never gets to Kamailio: %s", async (_, change) => {
      const user = await userOf(plain);
      await isServed(user);
      const { proved, marker } = await ready(user);
      const before = tap.messages.length;
      expect(change(proved)).not.toBe(proved);
      user.client.send(change(proved));
      // What lacks all that a reply needs is closed as noise; everything else is answered.
      const outcome = await Promise.race([
        user.client.take((text) => /^SIP\/2\.0 400 /.test(text)),
        user.client.closed.then(({ reason }) => `closed: ${reason}`),
      ]);
      expect(code(outcome) ?? outcome).toMatch(/^(?:closed: )?message-malformed/);
      expect(tap.messages.length).toBe(before);
      const twin = isOpen(user.client) ? user : await userOf(plain);
      const again = await ready(twin);
      twin.client.send(again.proved);
      await kamailio.waitFor((seen) => seen.raw.includes(again.marker));
      expect(onWire(marker)).toEqual([]);
    });

    it.each<[string, (right: string) => string]>([
      [
        "compact names",
        (right) => right.replace("From:", "f:").replace("Call-ID:", "i:").replace("Content-Length:", "l:"),
      ],
      ["a folded header", (right) => right.replace("70\r\n", "70\r\nSubject: a\r\n b\r\n\tc\r\n")],
      ["space before a colon", (right) => right.replace("From:", "From \t:")],
      [
        "255 header fields",
        (right) => right.replace("70\r\n", `70\r\n${"X-A: b\r\n".repeat(255 - right.split("\r\n").length)}`),
      ],
      ["a header of 8000 bytes", (right) => right.replace("70\r\n", `70\r\nX-A: ${"b".repeat(8000)}\r\n`)],
    ])("but unambiguous SIP does: %s", async (_, change) => {
      const user = await userOf(plain);
      const { proved, marker } = await ready(user);
      user.client.send(change(proved));
      const seen = await kamailio.waitFor((one) => one.way === "in" && one.raw.includes(marker));
      expect(seen.raw.endsWith("\r\n\r\nbody")).toBe(true);
    });
  });

  describe("what is too big", () => {
    /** A MESSAGE of exactly so many bytes. */
    async function sized(user: User, bytes: number): Promise<{ text: string; callId: string }> {
      const { proved, callId } = await ready(user, "x".repeat(bytes));
      const over = proved.length - bytes;
      const body = "x".repeat(bytes - over);
      const text = proved.replace(/Content-Length: \d+\r\n\r\n.*$/s, `Content-Length: ${body.length}\r\n\r\n${body}`);
      return { text, callId };
    }

    it("gets 513, and what just fits gets through", async () => {
      const user = await userOf(plain);
      const fits = await sized(user, 30_000);
      expect(fits.text.length).toBe(30_000);
      user.client.send(fits.text);
      await kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === fits.callId);
      const big = await sized(user, 30_001);
      user.client.send(big.text);
      const refused = await user.client.take((text) => text.startsWith("SIP/2.0 513 "));
      expect([code(refused), header(refused, "Call-ID")]).toEqual(["message-too-big", big.callId]);
      await isServed(user);
      expect(onWire(big.callId)).toEqual([]);
    });

    it("beyond that closes with 1009, though sent in small frames", async () => {
      for (const pieces of [1, 64]) {
        const user = await userOf(plain);
        await isServed(user);
        const { text, callId } = await sized(user, 70_000);
        sendInPieces(user.client, text, Math.ceil(text.length / pieces));
        expect((await user.client.closed).code).toBe(1009);
        expect(onWire(callId)).toEqual([]);
      }
    });

    it("without end, and never accepted, is closed too", async () => {
      const client = await dial(plain);
      client.send(Buffer.alloc(200_000, 65));
      expect((await client.closed).code).toBe(1009);
    });
  });

  describe("frames", () => {
    it("of one message may be many; Kamailio gets one", async () => {
      const user = await userOf(plain);
      const { proved, callId, marker } = await ready(user);
      sendInPieces(user.client, proved, 7);
      await kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === callId);
      expect(onWire(marker)).toHaveLength(1);
      expect(tap.legOf(marker).fragmented).toBe(0);
    });

    it("of one message may hold no second one, wherever it begins", async () => {
      const user = await userOf(plain);
      for (const size of ["first", "second"] as const) {
        const [one, two] = [await ready(user), await ready(user)];
        const cut = one.proved.length + (size === "first" ? 0 : 40);
        const text = one.proved + two.proved;
        user.client.socket.send(Buffer.from(text.slice(0, cut), "latin1"), { binary: true, fin: false });
        user.client.socket.send(Buffer.from(text.slice(cut), "latin1"), { binary: true, fin: true });
        const refused = await user.client.take((got) => got.startsWith("SIP/2.0 400 "));
        expect([code(refused), header(refused, "Call-ID")]).toEqual(["message-malformed", one.callId]);
        await isServed(user);
        for (const { marker } of [one, two]) expect(onWire(marker)).toEqual([]);
      }
      const twins = [await ready(user), await ready(user)];
      for (const { proved } of twins) user.client.send(proved);
      for (const { callId } of twins) {
        await kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === callId);
      }
    });

    it("that are whole hold a whole message: what one begins, the next does not end", async () => {
      const user = await userOf(plain);
      const { proved, callId, marker } = await ready(user);
      const cut = proved.indexOf("\r\n\r\n") + 4;
      user.client.send(proved.slice(0, cut));
      const refused = await user.client.take((got) => got.startsWith("SIP/2.0 400 "));
      expect([code(refused), header(refused, "Call-ID")]).toEqual(["message-malformed", callId]);
      user.client.send(proved.slice(cut));
      expect(await user.client.closed).toMatchObject({ code: 1008 });
      expect(onWire(marker)).toEqual([]);
      const twin = await userOf(plain);
      const whole = await ready(twin);
      twin.client.send(whole.proved);
      await kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === whole.callId);
    });

    it("of text that is no UTF-8 close with 1007, as binary they pass", async () => {
      const user = await userOf(plain);
      const { proved, callId } = await ready(user, "\xff\xfe");
      user.client.send(proved);
      await kamailio.waitFor((seen) => seen.way === "in" && seen.header("Call-ID") === callId);
      const text = await ready(user, "\xff\xfe");
      user.client.socket.send(Buffer.from(text.proved, "latin1"), { binary: false });
      expect((await user.client.closed).code).toBe(1007);
      expect(onWire(text.marker)).toEqual([]);
    });

    it("that break RFC 6455 close with 1002", async () => {
      const socket = await handshakeByHand(plain);
      socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
      const [bytes] = (await once(socket, "data")) as [Buffer];
      expect([...bytes.subarray(0, 4)]).toEqual([0x88, 2, 0x03, 0xea]);
      socket.destroy();
    });
  });

  describe("a handshake", () => {
    it.each([[[]], [["sips"]], [["SIP"]], [["msrp"]]])(
      "without the subprotocol sip is HTTP 400: %j",
      async (protocols) => {
        await expect(dial(plain, { protocols })).rejects.toThrow("HTTP 400");
      },
    );

    it("with sip among others gets sip", async () => {
      const client = await dial(plain, { protocols: ["msrp", "sip"] });
      expect(client.socket.protocol).toBe("sip");
    });

    it("of a page that no customer lists is closed at once with 4403", async () => {
      const gateway = await open(origins);
      const strangers = [
        "https://evil.example",
        "http://www.acme.example",
        "https://acme.example",
        "null",
        "https://www.acme.example.evil.example",
        "https://www.acme.example:444",
      ];
      for (const origin of strangers) {
        const client = await dial(gateway, { origin });
        expect(await client.closed, origin).toMatchObject({
          code: 4403,
          reason: expect.stringMatching(/^origin-denied/),
        });
      }
      for (const origin of ["https://www.acme.example", "https://a.b.acme.example"]) {
        await isServed(await userOf(gateway, { origin }));
      }
      await isServed(await userOf(gateway));
    });

    it("of another customer's page is refused at its first proof", async () => {
      const gateway = await open(origins);
      const user = await userOf(gateway, { origin: "https://globex.example" });
      const callId = `origin-${unique()}`;
      const refused = await user.client.register(user.address, user.given, { callId });
      expect([status(refused), code(refused)]).toEqual([403, "origin-denied"]);
      expect(onWire(callId)).toEqual([]);
    });

    it("without Origin is closed where one is demanded", async () => {
      const gateway = await open({ ...origins, gateway: "  allowMissingOrigin: false" });
      expect((await (await dial(gateway)).closed).code).toBe(4403);
      await isServed(await userOf(gateway, { origin: "https://www.acme.example" }));
    });
  });

  describe("whoever is never accepted", () => {
    it("is closed preAuthSeconds after its first message, however much it says; who says nothing may stay", async () => {
      const gateway = await open(limits("preAuthSeconds: 1"));
      const [silent, pinging, talking, proved] = [
        await dial(gateway),
        await dial(gateway),
        await dial(gateway),
        await userOf(gateway),
      ];
      pinging.send("\r\n\r\n");
      await pinging.take((text) => text === "\r\n");
      await isServed(proved);
      const started = Date.now();
      const chatter = setInterval(() => {
        if (!isOpen(talking)) return;
        pinging.send("\r\n\r\n");
        talking.send(request(proved.parts("OPTIONS", "sip:acme.example")));
      }, 100);
      const { code: closed } = await talking.closed;
      clearInterval(chatter);
      expect(closed).toBe(1008);
      expect(Date.now() - started).toBeGreaterThan(900);
      expect(Date.now() - started).toBeLessThan(2_500);
      expect([silent, pinging, proved.client].map(isOpen)).toEqual([true, true, true]);
      await isServed(proved);
      for (const client of [silent, pinging]) {
        const address = "late@acme.example";
        await isServed(new User(client, address, credential(address)));
      }
    });

    it("is closed though its challenge was answered wrongly again and again", async () => {
      const gateway = await open(limits("preAuthSeconds: 1"));
      const user = await userOf(gateway);
      user.given = signed(user.given.username, "wrong");
      const refused = await user.client.register(user.address, user.given);
      expect(code(refused)).toBe("credential-rejected");
      expect((await user.client.closed).code).toBe(1008);
    });

    it.each([
      ["says nothing", ""],
      ["begins an upgrade and leaves it", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"],
    ])("is closed before the upgrade where it %s", async (_, beginning) => {
      const gateway = await open(limits("preAuthSeconds: 1"));
      const { hostname, port } = new URL(gateway.gatewayUrl);
      const socket = connect({ host: hostname, port: Number(port) });
      await once(socket, "connect");
      socket.write(beginning);
      const started = Date.now();
      socket.resume();
      await once(socket, "close");
      expect(Date.now() - started).toBeLessThan(4_000);
    });
  });

  describe("too many", () => {
    it("connections of an address: the oldest silent one goes, and where none is silent the new one gets 503", async () => {
      const gateway = await open(limits("connectionsPerAddress: 3"));
      const from = newHost();
      const active = await userOf(gateway, { from });
      await isServed(active);
      const [older, newer] = [await dial(gateway, { from }), await dial(gateway, { from })];
      const fourth = await userOf(gateway, { from });
      expect((await older.closed).code).toBe(1008);
      expect([active.client, newer, fourth.client].map(isOpen)).toEqual([true, true, true]);
      await isServed(fourth);
      const fifth = await userOf(gateway, { from });
      expect((await newer.closed).code).toBe(1008);
      await isServed(fifth);
      await expect(dial(gateway, { from })).rejects.toThrow("HTTP 503");
      await isServed(await userOf(gateway, { from: newHost() }));
      fifth.client.close();
      await fifth.client.closed;
      await isServed(await userOf(gateway, { from }));
      await isServed(active);
    });

    it("messages a second: 503 with Retry-After, a flood is closed with 4429, and the next second is a new one", async () => {
      const gateway = await open(limits("messagesPerSecond: 20"));
      const [user, flooder] = [await userOf(gateway), await userOf(gateway)];
      await isServed(user);
      await isServed(flooder);
      const options = Array.from({ length: 30 }, () => user.parts("OPTIONS", "sip:acme.example"));
      for (const parts of options) user.client.send(request(parts));
      const answers = await Promise.all(options.map(({ callId }) => user.client.response(callId, 1, "OPTIONS")));
      const refused = answers.filter((text) => code(text) === "rate-limited");
      expect(refused.length).toBeGreaterThan(5);
      expect(refused.length).toBeLessThan(20);
      expect(refused.map(status)).toEqual(refused.map(() => 503));
      expect(header(refused[0]!, "Retry-After")).toMatch(/^\d+$/);
      for (let count = 0; count < 200; count++)
        flooder.client.send(request(flooder.parts("OPTIONS", "sip:acme.example")));
      expect((await flooder.client.closed).code).toBe(4429);
      expect(isOpen(user.client)).toBe(true);
      await untilServed(user);
    });

    it("keep-alives are messages too: a flood of them is closed", async () => {
      const gateway = await open(limits("messagesPerSecond: 20"));
      const client = await dial(gateway);
      for (let count = 0; count < 200; count++) client.send("\r\n\r\n");
      expect((await client.closed).code).toBe(4429);
    });

    it("wrong credentials a minute of an address: 503, and neither another address nor a challenge is touched", async () => {
      const gateway = await open(limits("failuresPerMinute: 3"));
      const from = newHost();
      const wrong = async (): Promise<(string | number | undefined)[]> => {
        const user = await userOf(gateway, { from });
        const refused = await user.client.register(user.address, signed(user.given.username, "wrong"));
        return [status(refused), code(refused)];
      };
      for (let count = 0; count < 3; count++) expect(await wrong()).toEqual([403, "credential-rejected"]);
      expect(await wrong()).toEqual([503, "rate-limited"]);
      const guesser = await userOf(gateway, { from });
      const callId = `guess-${unique()}`;
      const refused = await guesser.client.register(guesser.address, guesser.given, { callId });
      expect([status(refused), code(refused)]).toEqual([503, "rate-limited"]);
      expect(header(refused, "Retry-After")).toMatch(/^\d+$/);
      expect(onWire(callId)).toEqual([]);
      const challenged = await guesser.client.ask(guesser.parts("OPTIONS", "sip:acme.example"));
      expect(status(challenged)).toBe(407);
      await isServed(await userOf(gateway, { from: newHost() }));
    });

    it("made-up domains do not hide an address that fails at so many of them", async () => {
      const gateway = await open(limits("failuresPerMinute: 2"));
      const from = newHost();
      const codes: (string | undefined)[] = [];
      for (let count = 0; count < 30 && codes.at(-1) !== "rate-limited"; count++) {
        const client = await dial(gateway, { from });
        const address = `x@d${count}.example`;
        codes.push(code(await client.register(address, signed(credential(address).username, "wrong"))));
      }
      expect(codes.slice(0, 3)).toEqual(["credential-rejected", "credential-rejected", "credential-rejected"]);
      expect(codes.at(-1)).toBe("rate-limited");
      await isServed(await userOf(gateway, { from: newHost() }));
    });

    it("challenges are no failures", async () => {
      const gateway = await open(limits("failuresPerMinute: 3"));
      const user = await userOf(gateway, { from: newHost() });
      for (let count = 0; count < 10; count++) {
        expect(status(await user.client.ask(user.parts("OPTIONS", "sip:acme.example")))).toBe(407);
      }
      await isServed(user);
    });
  });

  describe("a keep-alive", () => {
    it("of two CRLF is answered by one, of one CRLF by nothing, and neither is forwarded", async () => {
      const user = await userOf(plain);
      await isServed(user);
      const before = tap.messages.length;
      user.client.send("\r\n");
      user.client.send("\r\n\r\n");
      user.client.socket.send("\r\n\r\n");
      for (let count = 0; count < 2; count++) await user.client.take((text) => text === "\r\n");
      expect(tap.messages.length).toBe(before);
      expect(user.client.received).toEqual([]);
      await isServed(user);
    });
  });
});

/** A MESSAGE with its proof, unsent; marker: a text that no other message holds. */
async function ready(user: User, body = "body"): Promise<{ proved: string; callId: string; marker: string }> {
  const marker = `X-Marker: ${unique()}\r\n`;
  const parts = user.parts("MESSAGE", "sip:nobody@acme.example", { extra: [marker.trim()] });
  const challenge = await user.client.ask(parts);
  const proof = answer(challenge, parts.method, parts.uri, user.given);
  const text = request({ ...parts, cseq: 2, extra: [marker.trim(), proof], body });
  const proved = text.replace(/^Content-Length: \d+/m, `Content-Length: ${body.length}`);
  return { proved, callId: parts.callId, marker };
}

function sendInPieces(client: RawClient, text: string, size: number): void {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += size) {
    client.socket.send(bytes.subarray(at, at + size), { binary: true, fin: at + size >= bytes.length });
  }
}

/** There is no event for a second that has passed. Each look is two messages: more often would itself be too many. */
async function untilServed(user: User): Promise<void> {
  for (const until = Date.now() + 5_000; Date.now() < until; ) {
    if (status(await user.prove("OPTIONS", "sip:acme.example")) === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error("not served again within 5 s");
}

/** A WebSocket without a client library, which would not send what is wrong. */
async function handshakeByHand(gateway: TestGateway) {
  const { hostname, port } = new URL(gateway.gatewayUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
  );
  const [bytes] = (await once(socket, "data")) as [Buffer];
  expect(bytes.toString("latin1")).toMatch(/^HTTP\/1\.1 101 /);
  return socket;
}
