import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeFrame, type FrameParts, frame, inFrames, opcodes } from "../helpers/frames.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { held } from "../helpers/held.ts";
import { answer, status } from "../helpers/raw-client.ts";
import { request } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";

/** The cases that the Autobahn test suite has for servers, by its numbers, with SIP in the place of its echo. */

let scene: Scene;
let slow: TestGateway;

beforeAll(async () => {
  scene = await Scene.open({ gateway: "  limits: { messagesPerSecond: 0 }" });
  slow = await scene.another({ gateway: "  limits: { messagesPerSecond: 20 }" });
});
afterAll(() => scene.close());

/** A MESSAGE with its proof, unsent. */
async function ready(user: User, body = "body") {
  const parts = user.parts("MESSAGE", "sip:nobody@acme.example");
  const challenge = await user.client.ask(parts);
  const proof = answer(challenge, parts.method, parts.uri, user.given);
  const text = request({ ...parts, cseq: 2, extra: [proof], body });
  const bytes = Buffer.from(text.replace(/^Content-Length: \d+/m, `Content-Length: ${body.length}`), "latin1");
  return { bytes, callId: parts.callId };
}

const of = (opcode: number, more: Partial<FrameParts> = {}) => ({ opcode, ...more });

/** Each makes frames of a right message; none of them is one. */
const broken: [string, number, (right: Buffer) => Buffer][] = [
  ["unmasked (5.1)", 1002, (payload) => frame(of(opcodes.binary, { payload, masked: false }))],
  ...[1, 2, 3, 4, 5, 6, 7].map((rsv): [string, number, (right: Buffer) => Buffer] => [
    `with reserved bits ${rsv} (3)`,
    1002,
    (payload) => frame(of(opcodes.binary, { payload, rsv })),
  ]),
  [
    "a compressed continuation",
    1002,
    (right) => {
      const [one, two] = [right.subarray(0, 9), right.subarray(9)];
      return Buffer.concat([
        frame(of(opcodes.binary, { payload: one, fin: false })),
        frame(of(opcodes.continuation, { payload: two, rsv: 4 })),
      ]);
    },
  ],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, number, (right: Buffer) => Buffer] => [
    `of opcode ${opcode} (4)`,
    1002,
    (payload) => frame({ opcode, payload: payload.subarray(0, 100) }),
  ]),
  ["a ping of 126 bytes (2.5)", 1002, (right) => frame(of(opcodes.ping, { payload: right.subarray(0, 126) }))],
  ["a pong of 126 bytes", 1002, (right) => frame(of(opcodes.pong, { payload: right.subarray(0, 126) }))],
  ["a ping in pieces (5.1)", 1002, (right) => frame(of(opcodes.ping, { payload: right.subarray(0, 9), fin: false }))],
  ["a pong in pieces (5.2)", 1002, (right) => frame(of(opcodes.pong, { payload: right.subarray(0, 9), fin: false }))],
  ["a close in pieces", 1002, () => frame(of(opcodes.close, { payload: Buffer.from([3, 232]), fin: false }))],
  ["a continuation of nothing (5.9)", 1002, (payload) => frame(of(opcodes.continuation, { payload }))],
  [
    "a continuation of nothing, not the last (5.10)",
    1002,
    (payload) => frame(of(opcodes.continuation, { payload, fin: false })),
  ],
  [
    "a continuation after the last (5.15)",
    1002,
    (right) =>
      Buffer.concat([
        frame(of(opcodes.binary, { payload: right.subarray(0, 9), fin: false })),
        frame(of(opcodes.binary, { payload: right })),
      ]),
  ],
  ["a length that is negative (65-bit)", 1009, () => frame(of(opcodes.binary, { length: 2 ** 53 }))],
  ["a length of 16 MB, nothing behind it", 1009, () => frame(of(opcodes.binary, { length: 2 ** 24 }))],
  ["a length of 65,537", 1009, () => frame(of(opcodes.binary, { length: 65_537 }))],
  ["pieces of more than 65,536 together", 1009, (right) => inFrames(Buffer.alloc(65_537, right), 8_000)],
  [
    "of text that is no UTF-8 (6.3)",
    1007,
    (right) =>
      frame(of(opcodes.text, { payload: Buffer.concat([right.subarray(0, -4), Buffer.from([0xed, 0xa0, 0x80, 65])]) })),
  ],
  [
    "of text with a character cut off (6.4)",
    1007,
    (right) =>
      frame(of(opcodes.text, { payload: Buffer.concat([right.subarray(0, -4), Buffer.from([65, 65, 0xe2, 0x82])]) })),
  ],
  [
    "of text with an overlong slash (6.12)",
    1007,
    (right) =>
      frame(of(opcodes.text, { payload: Buffer.concat([right.subarray(0, -4), Buffer.from([0xc0, 0xaf, 65, 65])]) })),
  ],
];

describe("frames of a user who is accepted,", () => {
  it.each(broken)("%s, close with %i, and Kamailio sees nothing of them; whole ones it sees", async (_, code, make) => {
    const user = await scene.user("alice");
    const attack = await ready(user);
    user.client.write(make(attack.bytes));
    // What comes behind a broken frame is not read, however right it is.
    user.client.write(frame(of(opcodes.binary, { payload: attack.bytes })));
    expect((await user.client.closed).code).toBe(code);
    expect(await scene.arrived(attack.callId)).toEqual([]);
    const twin = await scene.user("alice");
    const right = await ready(twin);
    twin.client.write(frame(of(opcodes.binary, { payload: right.bytes })));
    await scene.came(right.callId, "MESSAGE");
  });

  it.each<[string, (right: Buffer) => Buffer]>([
    ["as text (1.1)", (payload) => frame(of(opcodes.text, { payload }))],
    ["in frames of one byte (5.6)", (right) => inFrames(right, 1)],
    ["with a ping between any two (5.7)", (right) => inFrames(right, 50, frame(of(opcodes.ping)))],
    ["with a pong between any two (5.8)", (right) => inFrames(right, 50, frame(of(opcodes.pong)))],
    [
      "with empty frames between (6.1.3)",
      (right) => inFrames(right, 50, frame(of(opcodes.continuation, { fin: false }))),
    ],
    [
      "after pings of no and of 125 bytes (2.1)",
      (payload) =>
        Buffer.concat([
          frame(of(opcodes.ping)),
          frame(of(opcodes.ping, { payload: payload.subarray(0, 125) })),
          frame(of(opcodes.binary, { payload })),
        ]),
    ],
    [
      "after a pong that nobody asked for (2.7)",
      (payload) =>
        Buffer.concat([frame(of(opcodes.pong, { payload: Buffer.from("x") })), frame(of(opcodes.binary, { payload }))]),
    ],
  ])("%s, come to Kamailio once and whole", async (_, make) => {
    const user = await scene.user("alice");
    const { bytes, callId } = await ready(user);
    user.client.write(make(bytes));
    await scene.came(callId, "MESSAGE");
    const seen = await scene.arrived(callId, user);
    expect(seen.filter(({ method }) => method === "MESSAGE").map(({ raw }) => raw.slice(-8))).toEqual(["\r\n\r\nbody"]);
    expect(user.client.socket.readyState).toBe(user.client.socket.OPEN);
  });

  it("byte by byte, come as if sent at once (1.1.8)", async () => {
    const user = await scene.user("alice");
    const { bytes, callId } = await ready(user);
    for (const byte of frame(of(opcodes.binary, { payload: bytes }))) {
      user.client.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    await scene.came(callId, "MESSAGE");
  });
});

describe("a close frame", () => {
  it.each([
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code): [string, Buffer] => [
      `of code ${code} (7.9)`,
      closeFrame(code),
    ]),
    ["of one byte (7.3.2)", frame(of(opcodes.close, { payload: Buffer.from([3]) }))],
    ["of 126 bytes (7.3.6)", closeFrame(1000, Buffer.alloc(124, "x"))],
  ])("%s is a protocol error", async (_, bytes) => {
    const user = await scene.user("alice");
    user.client.write(bytes);
    expect((await user.client.closed).code).toBe(1002);
  });

  it("whose reason is no UTF-8 closes with 1007 (7.5.1)", async () => {
    const user = await scene.user("alice");
    user.client.write(closeFrame(1000, Buffer.from([0xce, 0xba, 0xff])));
    expect((await user.client.closed).code).toBe(1007);
  });

  it.each([1000, 1001, 1003, 1011, 3000, 3999, 4000, 4999])(
    "twin: of code %i is answered with it (7.7)",
    async (code) => {
      const user = await scene.user("alice");
      user.client.write(closeFrame(code));
      expect((await user.client.closed).code).toBe(code);
    },
  );

  it("is the end: what comes behind it is not heard (7.1)", async () => {
    const user = await scene.user("alice");
    const { bytes, callId } = await ready(user);
    user.client.write(Buffer.concat([closeFrame(1000), frame(of(opcodes.binary, { payload: bytes })), frame(of(9))]));
    expect((await user.client.closed).code).toBe(1000);
    expect(await scene.arrived(callId)).toEqual([]);
  });
});

describe("compression", () => {
  it.each([
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover, x-webkit-deflate-frame",
    "permessage-bzip2, permessage-deflate",
    "permessage-deflate; server_max_window_bits=99; a=b; a=b;;;",
  ])("that is offered is not taken, and frames that use it all the same are an error (12): %s", async (offer) => {
    const client = await scene.connect({
      ws: { perMessageDeflate: false, headers: { "Sec-WebSocket-Extensions": offer } },
    });
    expect(client.socket.extensions).toBe("");
    client.write(
      frame(of(opcodes.binary, { payload: Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), rsv: 4 })),
    );
    expect((await client.closed).code).toBe(1002);
  });
});

describe("a flood of", () => {
  it.each<[string, number, Buffer]>([
    ["pings", 4429, frame(of(opcodes.ping, { payload: Buffer.alloc(125, "x") }))],
    ["pongs", 4429, frame(of(opcodes.pong))],
    ["empty messages", 4429, frame(of(opcodes.binary))],
  ])("%s closes with %i, and a neighbour is served", async (_, code, one) => {
    const [flooder, neighbour] = [
      await scene.user("mallory", "acme.example", slow),
      await scene.user("alice", "acme.example", slow),
    ];
    for (let at = 0; at < 50; at++) flooder.client.write(one);
    expect((await flooder.client.closed).code).toBe(code);
    expect(status(await neighbour.prove("OPTIONS", "sip:acme.example"))).toBe(200);
  });

  it("pings whose answers nobody reads ends the connection: what it is owed does not grow", async () => {
    const user = await scene.user("mallory");
    const mine = scene.gateway.log().findLast(({ msg }) => msg === "connected")?.connection;
    const isOver = (): boolean =>
      scene.gateway.log().some(({ msg, connection }) => msg === "disconnected" && connection === mine);
    const before = held();
    user.client.readStops();
    const ping = frame(of(opcodes.ping, { payload: Buffer.alloc(125) }));
    const pings = Buffer.concat(Array.from({ length: 500 }, () => ping));
    await expect
      .poll(
        () => {
          if (!isOver()) user.client.write(pings);
          return isOver();
        },
        { timeout: 20_000, interval: 5 },
      )
      .toBe(true);
    // What the client has not got off is in this process too; the kernel takes some megabytes.
    expect(held() - before - user.client.unsent).toBeLessThan(10_000_000);
    const neighbour = await scene.user("alice");
    expect(status(await neighbour.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    user.client.reset();
  }, 30_000);

  const begin = frame(of(opcodes.binary, { fin: false }));
  const empty = (count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, () => frame(of(opcodes.continuation, { fin: false }))));
  const piece = (payload: Buffer, fin: boolean): Buffer => frame(of(opcodes.continuation, { payload, fin }));

  it.each<[string, (right: Buffer) => Buffer]>([
    ["fragments of one byte", (right) => inFrames(Buffer.concat([right, Buffer.alloc(59_000, "x")]), 1)],
    ["empty fragments before a message", (right) => Buffer.concat([begin, empty(2_000), piece(right, true)])],
    ["empty fragments behind one", (right) => Buffer.concat([begin, piece(right, false), empty(2_000)])],
  ])("%s closes with 1008, and Kamailio has nothing of it", async (_, make) => {
    const [user, neighbour] = [await scene.user("mallory"), await scene.user("alice")];
    const { bytes, callId } = await ready(user);
    user.client.write(make(bytes));
    expect((await user.client.closed).code).toBe(1008);
    expect(await scene.arrived(callId)).toEqual([]);
    expect(status(await neighbour.prove("OPTIONS", "sip:acme.example"))).toBe(200);
  });

  it("twin: a message behind some empty fragments comes", async () => {
    const user = await scene.user("alice");
    const { bytes, callId } = await ready(user);
    user.client.write(Buffer.concat([begin, empty(500), piece(bytes, true)]));
    await scene.came(callId, "MESSAGE");
  });

  it("single bytes of one long frame closes with 1008", async () => {
    const user = await scene.user("mallory");
    const bytes = frame(of(opcodes.binary, { payload: Buffer.alloc(8_000, "x"), length: 60_000 }));
    for (const byte of bytes) {
      if (user.client.socket.readyState !== user.client.socket.OPEN) break;
      user.client.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    expect((await user.client.closed).code).toBe(1008);
  });
});

describe("what one socket holds back", () => {
  it("half a message is nobody's, ends with its connection, and holds up nobody", async () => {
    const [half, neighbour] = [await scene.user("mallory"), await scene.user("alice")];
    const { bytes, callId } = await ready(half);
    half.client.write(frame(of(opcodes.binary, { payload: bytes, length: 60_000 })));
    expect(status(await neighbour.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    half.client.reset();
    await half.client.closed;
    expect(await scene.arrived(callId)).toEqual([]);
  });
});
