import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answersTo, type FakeLeg, FakeUpstream, toClient } from "../helpers/fake-upstream.ts";
import { closeFrame, type FrameParts, frame, opcodes } from "../helpers/frames.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { held } from "../helpers/held.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, isReply, type RequestParts, reply, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { User } from "../helpers/scene.ts";

/** What no Kamailio does, a fake one does; bob, on another leg, must not notice. What Kamailio does is in `upstream`. */

const closing: (() => unknown)[] = [];
let upstream: FakeUpstream;
let gateway: TestGateway;
let alice: User;
let bob: User;

const messagesPerSecond = "  limits: { messagesPerSecond: 0 }";

async function gatewayAt(url: string): Promise<TestGateway> {
  const opened = await startGateway({ upstreamUrls: [url], proxyProtocol: "off", gateway: messagesPerSecond });
  closing.push(() => opened.close());
  return opened;
}

async function userOf(at: TestGateway, name: string): Promise<User> {
  const address = `${name}${unique().replace("-", ".")}@acme.example`;
  const client = await RawClient.connect(at.gatewayUrl);
  closing.push(() => client.close());
  return new User(client, address, credential(address, { ttl: 3000 }));
}

async function registered(at: TestGateway, name: string): Promise<User> {
  const user = await userOf(at, name);
  expect(status(await user.client.register(user.address, user.given))).toBe(200);
  return user;
}

beforeEach(async () => {
  upstream = await FakeUpstream.open();
  closing.push(() => upstream.close());
  gateway = await gatewayAt(upstream.url);
  [alice, bob] = [await registered(gateway, "alice"), await registered(gateway, "bob")];
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const legOf = (user: User): FakeLeg => upstream.legOf(user.address);
const isOpen = ({ client }: User): boolean => client.socket.readyState === client.socket.OPEN;
const legsOf = (user: User): number => upstream.legs.filter((leg) => leg.user === user.address).length;

async function isServed(user: User): Promise<void> {
  expect(status(await user.prove("OPTIONS", "sip:acme.example"))).toBe(200);
}

/** Bob is served on the leg that he had, and has got nothing that was not for him. */
async function bobIsServed(): Promise<void> {
  await isServed(bob);
  expect([isOpen(bob), legsOf(bob), bob.client.received]).toEqual([true, 1, []]);
}

/** A request of alice's that upstream has and does not answer. */
async function pending(method = "MESSAGE", more: Partial<RequestParts> = {}) {
  const leg = legOf(alice);
  const { answer: usual } = leg;
  leg.answer = () => undefined;
  const final = alice.prove(method, `sip:${bob.address}`, more);
  final.catch(() => {}); // a test that does not wait for it closes the socket
  const asked = await leg.request(method);
  leg.answer = usual;
  return { leg, asked, final };
}

const unavailable = [503, "upstream-unavailable"];

/** That what upstream did cost alice the leg and her pending request, and nothing else. */
async function costsTheLeg(spoil: (leg: FakeLeg) => void, wanted: number): Promise<void> {
  const { leg, final } = await pending();
  const again = upstream.next();
  spoil(leg);
  const refused = await final;
  expect([status(refused), code(refused)]).toEqual(unavailable);
  expect((await leg.closed).code).toBe(wanted);
  await bobIsServed();
  expect((await again).user).toBe(alice.address);
  await isServed(alice);
  expect([isOpen(alice), alice.client.received, legsOf(alice)]).toEqual([true, [], 2]);
}

const server = (parts: FrameParts): Buffer => frame({ masked: false, ...parts });
const some = Buffer.from("some bytes of no meaning at all");

describe("an upstream that sends frames which are none", () => {
  it.each<[string, number, Buffer]>([
    ["masked", 1002, frame({ opcode: opcodes.text, payload: some })],
    ["of a reserved opcode", 1002, server({ opcode: 3, payload: some })],
    ["with a reserved bit, as if compressed", 1002, server({ opcode: opcodes.text, payload: some, rsv: 4 })],
    ["a continuation of nothing", 1002, server({ opcode: opcodes.continuation, payload: some })],
    ["a ping in pieces", 1002, server({ opcode: opcodes.ping, payload: some, fin: false })],
    ["a ping of 126 bytes", 1002, server({ opcode: opcodes.ping, payload: Buffer.alloc(126) })],
    ["text that is no UTF-8", 1007, server({ opcode: opcodes.text, payload: Buffer.from([0xff, 0xfe]) })],
    ["a close of code 1005", 1002, frame({ opcode: opcodes.close, payload: Buffer.from([3, 237]), masked: false })],
    [
      "fragments of one byte without end",
      1008,
      Buffer.concat([
        server({ opcode: opcodes.text, payload: Buffer.from("x"), fin: false }),
        ...Array.from({ length: 2_000 }, () =>
          server({ opcode: opcodes.continuation, payload: Buffer.from("x"), fin: false }),
        ),
      ]),
    ],
    [
      "empty fragments without end",
      1008,
      Buffer.concat([
        server({ opcode: opcodes.text, fin: false }),
        ...Array.from({ length: 2_000 }, () => server({ opcode: opcodes.continuation, fin: false })),
      ]),
    ],
  ])("loses the leg with a close that says why, and nothing else: %s, %i", async (_, wanted, bytes) => {
    await costsTheLeg((leg) => leg.stream.write(bytes), wanted);
  });

  it("twin: a message in three frames with a ping between is one", async () => {
    const { leg, asked, final } = await pending();
    const bytes = Buffer.from(reply(asked, { status: "202 Accepted", tag: "up" }));
    leg.stream.write(server({ opcode: opcodes.text, payload: bytes.subarray(0, 9), fin: false }));
    leg.stream.write(server({ opcode: opcodes.ping }));
    leg.stream.write(server({ opcode: opcodes.continuation, payload: bytes.subarray(9, 30), fin: false }));
    leg.stream.write(server({ opcode: opcodes.continuation, payload: bytes.subarray(30) }));
    expect(status(await final)).toBe(202);
    expect(legsOf(alice)).toBe(1);
  });

  it("of 16 MB loses the leg with 1009 and is not kept; one of 65,535 bytes does not", async () => {
    const { leg, final } = await pending();
    const size = 16 * 1024 * 1024;
    const before = held();
    leg.stream.write(server({ opcode: opcodes.text, length: size }));
    const chunk = Buffer.alloc(64 * 1024, "x");
    for (let sent = 0; sent < size; sent += chunk.length) leg.stream.write(chunk);
    expect(status(await final)).toBe(503);
    expect((await leg.closed).code).toBe(1009);
    expect(held() - before).toBeLessThan(size / 4);
    await bobIsServed();
    await isServed(alice);
    const twin = await pending();
    const text = reply(twin.asked, { status: "202 Accepted", tag: "up", body: "" });
    const body = "x".repeat(65_535 - text.length - 4);
    twin.leg.send(text.replace("Content-Length: 0", `Content-Length: ${body.length}`) + body);
    expect((await twin.final).length).toBe(65_535);
    expect(legsOf(alice)).toBe(2);
  });

  it("of 16 MB in one message of many fragments loses the leg as soon as it is more than 65,535 bytes", async () => {
    const part = Buffer.alloc(16_000, "x");
    await costsTheLeg((leg) => {
      leg.stream.write(server({ opcode: opcodes.text, payload: part, fin: false }));
      for (let at = 0; at < 64; at++)
        leg.stream.write(server({ opcode: opcodes.continuation, payload: part, fin: false }));
    }, 1009);
  });
});

describe("an upstream that goes away in the middle", () => {
  const half = server({ opcode: opcodes.text, payload: some, length: 5_000 });
  it.each<[string, number, (leg: FakeLeg) => void]>([
    ["of a frame", 1006, ({ stream }) => stream.end(half)],
    ["of a frame, by a reset", 1006, ({ stream }) => stream.write(half, () => stream.resetAndDestroy())],
    [
      "of a fragmented message",
      1006,
      ({ stream }) => stream.end(server({ opcode: opcodes.text, payload: some, fin: false })),
    ],
    ["with half of its connection only", 1006, ({ stream }) => stream.end()],
    ["with a close", 1000, ({ socket }) => socket.close(1000)],
    [
      "with a close, and says more behind it",
      1001,
      ({ stream }) =>
        stream.write(Buffer.concat([server({ opcode: opcodes.close, payload: Buffer.from([3, 233]) }), half])),
    ],
  ])("%s, loses the leg (%i), and comes back", async (_, wanted, leave) => {
    await costsTheLeg(leave, wanted);
  });
});

describe("an upstream that sends SIP which is none", () => {
  const nonsense: [string, (right: string) => string | Buffer][] = [
    ["words", () => "hello there"],
    ["a byte", () => Buffer.from([0])],
    ["noise", () => Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 197 + 31) & 0xff))],
    ["HTTP", () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["a status of four digits", (right) => right.replace("SIP/2.0 200", "SIP/2.0 2000")],
    ["a status of 999", (right) => right.replace("SIP/2.0 200", "SIP/2.0 999")],
    ["another version", (right) => right.replace("SIP/2.0 200", "SIP/3.0 200")],
    ["no Via", (right) => right.replace(/^Via:.*\r\n/m, "")],
    ["two From", (right) => right.replace(/^(From:.*\r\n)/m, "$1$1")],
    ["two CSeq", (right) => right.replace(/^(CSeq:.*\r\n)/m, "$1$1")],
    ["a bare LF", (right) => right.replace(/\r\nTo:/, "\nTo:")],
    ["a NUL", (right) => right.replace("OK", "O\0K")],
    ["a length beyond its end", (right) => right.replace("Content-Length: 0", "Content-Length: 10")],
    ["two messages in one", (right) => right + right],
    ["no end of the header", (right) => right.slice(0, -2)],
    ["300 fields", (right) => right.replace(/\r\nTo:/, `\r\n${"X-A: b\r\n".repeat(300)}To:`)],
  ];

  it.each(nonsense)("is not delivered, and the right answer behind it is: %s", async (_, spoil) => {
    const { leg, asked, final } = await pending();
    const spoilt = spoil(reply(asked, { status: "200 OK", tag: "up" }));
    leg.socket.send(spoilt, { binary: typeof spoilt !== "string" });
    leg.reply(asked, { status: "202 Accepted" });
    expect(status(await final)).toBe(202);
    expect([alice.client.received, legsOf(alice)]).toEqual([[], 1]);
    await bobIsServed();
  });

  it("without end, fills neither memory nor the log's lines with what it said", async () => {
    const { leg, asked, final } = await pending();
    const marker = `marker-${unique()}`;
    const before = held();
    for (let at = 0; at < 2_000; at++) leg.send(`${marker}\r\nX: ${"y".repeat(5_000)}\r\n\r\n`);
    leg.reply(asked, { status: "202 Accepted" });
    expect(status(await final)).toBe(202);
    expect(held() - before).toBeLessThan(5_000_000);
    expect(JSON.stringify(gateway.log())).not.toContain(marker);
    await bobIsServed();
  });
});

describe("an upstream that answers", () => {
  it.each([
    ["200 OK", "200 OK"],
    ["200 OK", "486 Busy Here"],
    ["486 Busy Here", "200 OK"],
    ["404 Not Found", "100 Trying"],
  ])("twice, %s and then %s: the client has the first", async (first, second) => {
    const { leg, asked, final } = await pending();
    leg.reply(asked, { status: first });
    leg.reply(asked, { status: second });
    expect(await final).toContain(first);
    await isServed(alice);
    expect([alice.client.received, legsOf(alice)]).toEqual([[], 1]);
  });

  it("for another leg's request: neither client has it, and who asked has its own answer still", async () => {
    const { leg, asked, final } = await pending();
    legOf(bob).reply(asked, { status: "486 Busy Here" });
    await bobIsServed();
    leg.reply(asked, { status: "202 Accepted" });
    expect(status(await final)).toBe(202);
    expect([alice.client.received, bob.client.received]).toEqual([[], []]);
  });

  it("an INVITE of another leg's makes no dialog, there or here", async () => {
    const { leg, asked, final } = await pending("INVITE");
    legOf(bob).reply(asked, { status: "200 OK", contact: "<sip:far@far.example>" });
    await bobIsServed();
    const parts = {
      uri: "sip:far@far.example",
      from: alice.address,
      to: bob.address,
      callId: header(asked, "Call-ID")!,
    };
    const bye = { ...parts, method: "BYE", fromTag: tagOf(header(asked, "From")), toTag: "up", cseq: 9 };
    for (const user of [alice, bob]) {
      expect(code(await user.client.ask({ ...bye, from: user.address }))).toBe("dialog-unknown");
    }
    leg.reply(asked, { status: "200 OK", contact: "<sip:far@far.example>" });
    expect(status(await final)).toBe(200);
    expect(status(await alice.client.ask(bye))).toBe(200);
  });

  it.each<[string, (right: string) => string]>([
    ["Call-ID", (right) => right.replace(/^Call-ID: .*/m, "Call-ID: another")],
    ["branch", (right) => right.replace(/branch=[^;\r]*/, "branch=z9hG4bKanother")],
    ["CSeq", (right) => right.replace(/^CSeq: \d+/m, "CSeq: 77")],
    ["method", (right) => right.replace(/^(CSeq: \d+).*/m, "$1 OPTIONS")],
    ["From tag", (right) => right.replace(/^(From: .*;tag=).*/m, "$1another")],
  ])("with another %s: the client has only what answers it", async (_, change) => {
    const { leg, asked, final } = await pending();
    const right = reply(asked, { status: "486 Busy Here", tag: "up" });
    expect(change(right)).not.toBe(right);
    leg.send(change(right));
    leg.reply(asked, { status: "202 Accepted" });
    expect(status(await final)).toBe(202);
    expect(alice.client.received).toEqual([]);
    await bobIsServed();
  });

  it("nothing of the word that a client has left, and other things: its address is kept", async () => {
    const { leg, asked } = await pending("OPTIONS", { to: alice.address });
    leg.answer = () => undefined;
    alice.client.reset();
    const taken = await leg.take((text) => text.startsWith("REGISTER ") && text.includes(";expires=0"));
    leg.reply(asked, { status: "200 OK" });
    await isServed(bob);
    expect(leg.isOpen).toBe(true);
    leg.reply(taken, { status: "200 OK" });
    expect((await leg.closed).code).toBe(1000);
  });
});

describe("an upstream that asks", () => {
  const contactOf = (user: User): string => uriOf(user.contact);

  it.each(["INVITE", "OPTIONS", "MESSAGE", "BYE", "NOTIFY", "CANCEL", "X-NEW"])(
    "nobody for %s has 480, and no client sees it; who is meant does",
    async (method) => {
      const leg = legOf(alice);
      for (const uri of ["sip:nobody@nowhere.invalid", contactOf(bob), "sip:acme.example", "tel:+1", "urn:a:b"]) {
        const asked = toClient(method, uri);
        leg.send(asked);
        expect(status(await leg.take(answersTo(asked)))).toBe(480);
      }
      const meant = toClient(method, contactOf(alice));
      leg.send(meant);
      const got = await alice.client.take((text) => header(text, "Call-ID") === header(meant, "Call-ID"));
      expect(alice.client.received).toEqual([]);
      alice.client.send(reply(got, { status: "200 OK", tag: "down", contact: alice.contact }));
      expect(status(await leg.take(answersTo(meant)))).toBe(200);
      await bobIsServed();
    },
  );

  it("for nobody by ACK has nothing", async () => {
    const leg = legOf(alice);
    leg.send(toClient("ACK", "sip:nobody@nowhere.invalid"));
    const asked = toClient("OPTIONS", "sip:nobody@nowhere.invalid");
    leg.send(asked);
    await leg.take(answersTo(asked));
    expect(leg.received.filter((text) => text.startsWith("SIP/2.0 "))).toEqual([]);
    expect(alice.client.received).toEqual([]);
  });

  it("more than a client answers does not keep it from being called: what waits the longest is forgotten", async () => {
    const leg = legOf(alice);
    const asked = Array.from({ length: 600 }, () => toClient("OPTIONS", contactOf(alice)));
    for (const one of asked) leg.send(one);
    const call = toClient("INVITE", contactOf(alice));
    leg.send(call);
    const invite = await alice.client.take((text) => text.startsWith("INVITE "));
    const answers = [asked[0]!, asked.at(-1)!].map((one) => reply(one, { status: "200 OK", tag: "down" }));
    for (const one of answers) alice.client.send(one);
    alice.client.send(reply(invite, { status: "180 Ringing", tag: "down", contact: alice.contact }));
    expect(status(await leg.take(answersTo(call)))).toBe(180);
    expect(leg.received.filter(answersTo(asked.at(-1)!))).toHaveLength(1);
    expect(leg.received.filter(answersTo(asked[0]!))).toEqual([]);
    alice.client.received.length = 0;
    await isServed(alice);
    await bobIsServed();
  });
});

describe("an upstream that asks in a way that cannot be read", () => {
  const spoilt: [string, (right: string) => string][] = [
    ["two CSeq", (right) => right.replace(/^(CSeq:.*\r\n)/m, "$1$1")],
    ["two Call-ID", (right) => right.replace(/^(Call-ID:.*\r\n)/m, "$1$1")],
    ["a NUL", (right) => right.replace("Max-Forwards: 70", "Max-Forwards: 7\0")],
    ["a bare LF", (right) => right.replace("Max-Forwards: 70", "Max-Forwards: 70\nX-A: b")],
    ["a length beyond its end", (right) => right.replace("Content-Length: 0", "Content-Length: 10")],
    ["300 fields", (right) => right.replace("Content-Length:", `${"X-A: b\r\n".repeat(300)}Content-Length:`)],
    ["two messages in one", (right) => right + right],
  ];

  it.each(spoilt)("has 400 at once, and no client sees it: %s", async (_, spoil) => {
    const leg = legOf(alice);
    const asked = toClient("INVITE", uriOf(alice.contact));
    leg.send(spoil(asked));
    const refused = await leg.take(answersTo(asked));
    expect(status(refused)).toBe(400);
    expect(header(refused, "Via")).toBe(header(asked, "Via"));
    expect(tagOf(header(refused, "To"))).toMatch(/^[0-9a-f]{16}$/);
    const meant = toClient("MESSAGE", uriOf(alice.contact));
    leg.send(meant);
    await alice.client.take((text) => header(text, "Call-ID") === header(meant, "Call-ID"));
    expect(alice.client.received).toEqual([]);
    await bobIsServed();
  });

  it.each<[string, (right: string) => string]>([
    ["an ACK", (right) => right.replace(/^INVITE/, "ACK").replace("1 INVITE", "1 ACK")],
    ["a response", (right) => right.replace(/^INVITE.*/, "SIP/2.0 200 OK")],
    ["one without a Via", (right) => right.replace(/^Via:.*\r\n/m, "")],
  ])("has nothing where nothing can be answered: %s", async (_, spoil) => {
    const leg = legOf(alice);
    const [before, after] = [toClient("INVITE", uriOf(alice.contact)), toClient("INVITE", "sip:nobody@x.invalid")];
    leg.send(spoil(before).replace("Max-Forwards: 70", "Max-Forwards: 7\0"));
    leg.send(after);
    await leg.take(answersTo(after));
    expect(leg.received.filter((text) => text.includes(header(before, "Call-ID") ?? ""))).toEqual([]);
  });
});

describe("a client with a name that is no UTF-8", () => {
  const name = '"\xff\xe4" ';

  it("is told in a frame that it may have that upstream is gone, and stays", async () => {
    const { leg, final } = await pending("MESSAGE", { name });
    leg.stream.destroy();
    const refused = await final;
    expect([status(refused), code(refused)]).toEqual(unavailable);
    expect(isOpen(alice)).toBe(true);
    await isServed(alice);
  });

  it("is taken leave of in a frame that upstream may have", async () => {
    const leaving = await userOf(gateway, "leaving");
    expect(status(await leaving.client.register(leaving.address, leaving.given, { name }))).toBe(200);
    const leg = legOf(leaving);
    leaving.client.close();
    expect(await leg.take((text) => /^REGISTER .*expires=0/s.test(text))).toContain("\xff\xe4");
    expect((await leg.closed).code).toBe(1000);
  });
});

describe("an upstream that does not read", () => {
  /** What it was sent and has not taken, in this process's own socket to it and from it, is bounded. */
  it("while it pings without end: the leg ends, what it is owed does not grow", async () => {
    const leg = legOf(alice);
    const lost = (): boolean => gateway.log().some(({ msg }) => msg === "upstream lost");
    leg.stream.pause();
    const pings = Buffer.concat(
      Array.from({ length: 500 }, () => server({ opcode: opcodes.ping, payload: Buffer.alloc(125) })),
    );
    await expect
      .poll(
        () => {
          if (!lost()) leg.stream.write(pings);
          return lost();
        },
        { timeout: 20_000, interval: 5 },
      )
      .toBe(true);
    await bobIsServed();
    await isServed(alice);
    leg.stream.destroy();
  }, 30_000);

  it("twin: pings of one that reads are answered", async () => {
    const { stream, socket } = legOf(alice);
    let pongs = 0;
    socket.on("pong", () => pongs++);
    for (let at = 0; at < 50; at++) stream.write(server({ opcode: opcodes.ping, payload: Buffer.from("x") }));
    await expect.poll(() => pongs).toBe(50);
    await isServed(alice);
    expect(legsOf(alice)).toBe(1);
  });

  it("holds its own client and no other", async () => {
    const { leg, asked, final } = await pending("INVITE");
    leg.reply(asked, { status: "200 OK", contact: "<sip:far@far.example>" });
    expect(status(await final)).toBe(200);
    const ids = { from: alice.address, to: bob.address, callId: header(asked, "Call-ID")! };
    const inside = { ...ids, uri: "sip:far@far.example", fromTag: tagOf(header(asked, "From")), toTag: "up" };
    leg.stream.pause();
    const big = request({ ...inside, method: "ACK", cseq: 2 });
    const sized = big.replace(/Content-Length: 0\r\n\r\n$/, `Content-Length: 28000\r\n\r\n${"x".repeat(28_000)}`);
    const flood = 64 * 1024 * 1024;
    for (let sent = 0; sent < flood; sent += sized.length) alice.client.send(sized);
    let last = -1;
    await expect
      .poll(
        () => {
          const settled = last === alice.client.socket.bufferedAmount;
          last = alice.client.socket.bufferedAmount;
          return settled;
        },
        { interval: 400, timeout: 15_000 },
      )
      .toBe(true);
    expect(last).toBeGreaterThan(flood / 3);
    await bobIsServed();
    leg.stream.resume();
    await expect.poll(() => alice.client.socket.bufferedAmount, { timeout: 15_000 }).toBe(0);
    await isServed(alice);
  }, 40_000);
});

describe("an upstream that does not upgrade", () => {
  const head = (lines: readonly string[]): string => [...lines, "", ""].join("\r\n");
  const switched = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  const wrong = "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=";

  it.each<[string, string]>([
    ["says 200", head(["HTTP/1.1 200 OK", "Content-Length: 0"])],
    ["sends it elsewhere", head(["HTTP/1.1 301 Moved", "Location: ws://127.0.0.1:1/", "Content-Length: 0"])],
    [
      "asks for a password",
      head(["HTTP/1.1 401 Unauthorized", 'WWW-Authenticate: Basic realm="x"', "Content-Length: 0"]),
    ],
    ["has a wrong key", head([...switched, wrong, "Sec-WebSocket-Protocol: sip"])],
    ["has no key", head([...switched, "Sec-WebSocket-Protocol: sip"])],
    ["has no Upgrade", head([switched[0]!, wrong])],
    ["speaks no HTTP", "SIP/2.0 200 OK\r\n\r\n"],
    ["has a head without end", `HTTP/1.1 200 OK\r\nX-A: ${"x".repeat(100_000)}`],
    ["says nothing and ends", ""],
  ])("is upstream-unavailable, and said to be in the log: %s", async (_, said) => {
    const bad = await FakeUpstream.open((_request, stream: Socket) => {
      stream.end(said);
      return true;
    });
    closing.push(() => bad.close());
    const other = await gatewayAt(bad.url);
    const user = await userOf(other, "carol");
    const refused = await user.client.register(user.address, user.given);
    expect([status(refused), code(refused)]).toEqual(unavailable);
    expect(isOpen(user)).toBe(true);
    expect(other.log().some(({ msg, level }) => msg === "upstream unavailable" && level === "warn")).toBe(true);
    await bobIsServed();
  });

  it("and says nothing: 503 after five seconds, for who waits for it alone", async () => {
    const silent = await FakeUpstream.open(({ headers }) => String(headers["x-postern-grant"]).includes(":carol"));
    closing.push(() => silent.close());
    const other = await gatewayAt(silent.url);
    const [carol, dave] = [await userOf(other, "carol"), await userOf(other, "dave")];
    const waiting = carol.client.register(carol.address, carol.given).catch(() => "not within five seconds");
    const refused = carol.client.take((text) => isReply(text, 503, "REGISTER"), 8_000);
    expect(status(await dave.client.register(dave.address, dave.given))).toBe(200);
    expect(code(await refused)).toBe("upstream-unavailable");
    expect(isOpen(carol)).toBe(true);
    await waiting;
  }, 20_000);
});

describe("a client that goes away in the middle of a call", () => {
  /** Alice in a call that upstream has answered. */
  async function inCall(): Promise<FakeLeg> {
    const { leg, asked, final } = await pending("INVITE");
    leg.reply(asked, { status: "200 OK", contact: "<sip:far@far.example>" });
    expect(status(await final)).toBe(200);
    return leg;
  }

  it.each<[string, (client: RawClient) => void]>([
    [
      "in the middle of a frame",
      (client) => {
        client.write(frame({ opcode: opcodes.binary, payload: some, length: 5_000 }));
        client.reset();
      },
    ],
    ["by a frame that is none", (client) => client.write(frame({ opcode: 3, payload: some }))],
    [
      "by a close, and says more behind it",
      (client) => client.write(Buffer.concat([closeFrame(1000), frame({ opcode: opcodes.binary, payload: some })])),
    ],
    ["by half of its connection", (client) => client.endsHalf()],
  ])("%s: its call is ended in its place, its binding taken back, and the leg closed", async (_, leave) => {
    const leg = await inCall();
    leave(alice.client);
    expect(header(await leg.request("BYE"), "Call-ID")).toBeDefined();
    expect(header(await leg.take((text) => text.includes("expires=0")), "CSeq")).toMatch(/ REGISTER$/);
    expect((await leg.closed).code).toBe(1000);
    await bobIsServed();
  });
});
