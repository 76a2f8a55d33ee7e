import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as secure } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { withExchange } from "../helpers/issued.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { beginningWith, mappedV2, proxyV1, proxyV2 } from "../helpers/proxy.ts";
import {
  type Credential,
  credential,
  RawClient,
  type RawClientOptions,
  status,
  unique,
} from "../helpers/raw-client.ts";

let kamailio: Kamailio;
const gateways: TestGateway[] = [];

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
});

afterAll(() => kamailio?.stop());

async function gatewayWith(lines: string, listen?: string, more?: string): Promise<TestGateway> {
  const given = { upstreamUrls: [kamailio.wsUrl], gateway: lines, ...(listen && { listen }), ...(more && { more }) };
  const gateway = await startGateway(given);
  gateways.push(gateway);
  return gateway;
}

/** The address and port that Kamailio sees for a client that connects so. */
async function announced(gateway: TestGateway, options: RawClientOptions): Promise<[string, number]> {
  const client = await RawClient.connect(gateway.gatewayUrl, options);
  const callId = `reg-${unique()}`;
  const answered = await client.register("alice@acme.example", credential("alice@acme.example"), { callId });
  expect(status(answered), answered).toBe(200);
  const seen = await kamailio.waitFor((one) => one.method === "REGISTER" && one.header("Call-ID") === callId);
  client.close();
  return [seen.host, seen.port];
}

const forwarded = (value: string): RawClientOptions => ({ ws: { headers: { "X-Forwarded-For": value } } });
const trusting = '  trustedProxies: ["127.0.0.0/8", "10.0.0.0/8"]';

describe("X-Forwarded-For", () => {
  it("from a trusted proxy names the browser, the right-most untrusted one", async () => {
    const gateway = await gatewayWith(trusting);
    const [host, port] = await announced(gateway, forwarded("6.6.6.6, 203.0.113.9, 10.1.2.3"));
    expect(host).toBe("203.0.113.9");
    expect(port).toBeGreaterThan(1023);
  });

  it("from anybody else is nothing", async () => {
    const gateway = await gatewayWith('  trustedProxies: ["10.0.0.0/8"]');
    expect((await announced(gateway, forwarded("203.0.113.9")))[0]).toBe("127.0.0.1");
  });

  it.each(["evil", "203.0.113.9 evil", "::1%lo", "203.0.113.999", ""])("that reads %j is nothing", async (value) => {
    const gateway = await gatewayWith(trusting);
    expect((await announced(gateway, forwarded(value)))[0]).toBe("127.0.0.1");
  });

  it("gives two browsers behind it two addresses at Kamailio", async () => {
    const gateway = await gatewayWith(trusting);
    const one = await announced(gateway, forwarded("203.0.113.9"));
    const client = await RawClient.connect(gateway.gatewayUrl, forwarded("203.0.113.9"));
    await client.register("bob@acme.example", credential("bob@acme.example"));
    const other = await announced(gateway, forwarded("203.0.113.9"));
    const bobs = kamailio.saw().filter((seen) => seen.method === "REGISTER" && seen.raw.includes("bob@acme"));
    expect(other[1]).not.toBe(bobs.at(-1)?.port);
    expect(one[0]).toBe(other[0]);
    client.close();
  });
});

describe("what else names a browser", () => {
  const others = [
    ["Forwarded", "for=203.0.113.9"],
    ["X-Real-IP", "203.0.113.9"],
    ["X-Client-IP", "203.0.113.9"],
    ["True-Client-IP", "203.0.113.9"],
    ["CF-Connecting-IP", "203.0.113.9"],
    ["X-Forwarded", "203.0.113.9"],
    ["X_Forwarded_For", "203.0.113.9"],
    ["Via", "1.1 203.0.113.9"],
  ] as const;

  it.each(others)("is nothing, from a trusted proxy too: %s", async (name, value) => {
    const gateway = await gatewayWith(trusting);
    const [host] = await announced(gateway, { ws: { headers: { [name]: value } } });
    expect(host).toBe("127.0.0.1");
    const [twin] = await announced(gateway, {
      ws: { headers: { [name]: value, "X-Forwarded-For": "203.0.113.10" } },
    });
    expect(twin).toBe("203.0.113.10");
  });

  it("is one list where X-Forwarded-For stands twice: the last entry is the proxy's", async () => {
    const gateway = await gatewayWith(trusting);
    for (const headers of [
      { "X-Forwarded-For": ["6.6.6.6", "203.0.113.9"] },
      { "x-forwarded-for": ["203.0.113.200, 6.6.6.6", "203.0.113.9, 10.9.9.9"] },
    ]) {
      // ws has it as text; node:http writes a line for each.
      const ws = { headers: headers as unknown as Record<string, string> };
      expect((await announced(gateway, { ws }))[0]).toBe("203.0.113.9");
    }
  });
});

describe("an address that a stranger makes up", () => {
  const limit = 3;
  const lines = `  limits: { failuresPerMinute: ${limit} }`;
  const wrong = { username: `${Math.floor(Date.now() / 1000) + 250}:alice@acme.example`, password: "bm90IHRoaXM=" };
  const named = (at: number): string => `203.0.113.${at + 1}`;

  async function register(gateway: TestGateway, at: number, given: Credential): Promise<[number, boolean]> {
    const client = await RawClient.connect(gateway.gatewayUrl, forwarded(named(at)));
    const callId = `guess-${unique()}`;
    const answered = await client.register("alice@acme.example", given, { callId });
    client.close();
    return [status(answered), kamailio.saw().some((seen) => seen.header("Call-ID") === callId)];
  }

  async function exchange(gateway: TestGateway, at: number, given: Credential): Promise<number> {
    const response = await fetch(`${gateway.gatewayUrl.replace(/^ws/, "http")}/v1/exchange`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": named(at) },
      body: JSON.stringify(given),
    });
    return response.status;
  }

  it("is no way round the limit of wrong credentials, on the WebSocket", async () => {
    const gateway = await gatewayWith(`  trustedProxies: ["10.0.0.0/8"]\n${lines}`);
    for (let at = 0; at < limit; at++) expect(await register(gateway, at, wrong)).toEqual([403, false]);
    expect(await register(gateway, limit, wrong)).toEqual([503, false]);
    expect(await register(gateway, limit + 1, credential("alice@acme.example"))).toEqual([503, false]);
  });

  it("nor at the exchange", async () => {
    const gateway = await gatewayWith(`  trustedProxies: ["10.0.0.0/8"]\n${lines}`, undefined, withExchange);
    for (let at = 0; at < limit; at++) expect(await exchange(gateway, at, wrong)).toBe(401);
    expect(await exchange(gateway, limit, wrong)).toBe(429);
    expect(await exchange(gateway, limit + 1, credential("alice@acme.example"))).toBe(429);
  });

  it("twin: where the proxy is trusted each address has its own count", async () => {
    const gateway = await gatewayWith(`${trusting}\n${lines}`, undefined, withExchange);
    for (let at = 0; at <= limit; at++) {
      expect(await register(gateway, at, wrong)).toEqual([403, false]);
      expect(await exchange(gateway, at, wrong)).toBe(401);
    }
    expect(await exchange(gateway, limit + 1, credential("alice@acme.example"))).toBe(200);
    expect((await register(gateway, limit + 1, credential("alice@acme.example")))[0]).toBe(200);
  });
});

describe("PROXY headers", () => {
  const on = `${trusting}\n  proxyProtocol: on`;

  it.each([
    ["version 1", proxyV1("203.0.113.10", 40_000)],
    ["version 2", proxyV2("203.0.113.10", 40_001)],
  ])("of %s name the browser", async (version, header) => {
    const gateway = await gatewayWith(on);
    const expected = version === "version 1" ? 40_000 : 40_001;
    expect(await announced(gateway, { ws: beginningWith(header) })).toEqual(["203.0.113.10", expected]);
  });

  // A port each: what one gateway has announced, no other at the same Kamailio does.
  it.each<[string, string | Buffer, number]>([
    ["version 1", proxyV1("::ffff:203.0.113.10", 40_010), 40_010],
    ["version 1, in hex", proxyV1("::FFFF:cb00:710a", 40_011), 40_011],
    ["version 2", mappedV2("203.0.113.10", 40_012), 40_012],
  ])("of an IPv4 address written as IPv6 (%s) name the IPv4 one", async (_, header, port) => {
    const gateway = await gatewayWith(on);
    expect(await announced(gateway, { ws: beginningWith(header) })).toEqual(["203.0.113.10", port]);
  });

  it("are read in front of TLS too", async () => {
    const gateway = await gatewayWith(on, "wss://127.0.0.1:0");
    const { port } = new URL(gateway.gatewayUrl);
    const raw = connect({ host: "127.0.0.1", port: Number(port) });
    raw.write(proxyV1("203.0.113.11", 40_002));
    const ws = { createConnection: () => secure({ socket: raw, rejectUnauthorized: false }) };
    expect(await announced(gateway, { ws: ws as NonNullable<RawClientOptions["ws"]> })).toEqual([
      "203.0.113.11",
      40_002,
    ]);
  });

  it.each([
    ["no header", ""],
    ["a header of nonsense", "PROXY TCP4 203.0.113.10 x y z\r\n"],
    ["an IPv6 address called IPv4", "PROXY TCP4 2001:db8::1 127.0.0.1 1 2\r\n"],
    ["an endless line", `PROXY TCP4 ${"1".repeat(300)}`],
    ["a line of 108 bytes", `PROXY UNKNOWN ${"x".repeat(92)}\r\n`],
    ["a version that there is not", Buffer.concat([Buffer.from("0d0a0d0a000d0a515549540a31110000", "hex")])],
    ["version 2 of a command that there is not", Buffer.from("0d0a0d0a000d0a515549540a22110000", "hex")],
    ["version 2 of a local socket", Buffer.from(`0d0a0d0a000d0a515549540a213100d8${"00".repeat(216)}`, "hex")],
    ["version 2 with less than an address", Buffer.from("0d0a0d0a000d0a515549540a21110004cb00710a", "hex")],
    ["version 2 of 64 KB", Buffer.from(`0d0a0d0a000d0a515549540a2111ffff${"00".repeat(3000)}`, "hex")],
    ["version 2 with a byte changed", Buffer.from("0d0a0d0a000d0a515549540b2111000ccb00710a7f0000019c4001bb", "hex")],
    ["an address with a zone", "PROXY TCP6 fe80::1%lo ::1 40000 443\r\n"],
    ["a port that is none", "PROXY TCP4 203.0.113.10 127.0.0.1 70000 443\r\n"],
    ["small letters", "proxy TCP4 203.0.113.10 127.0.0.1 40000 443\r\n"],
    ["a line that ends in LF", "PROXY TCP4 203.0.113.10 127.0.0.1 40000 443\n"],
    ["blanks before it", "  PROXY TCP4 203.0.113.10 127.0.0.1 40000 443\r\n"],
  ])("are mandatory: %s is refused", async (_, header) => {
    const gateway = await gatewayWith(on);
    await expect(RawClient.connect(gateway.gatewayUrl, { ws: beginningWith(header) })).rejects.toThrow();
  });

  it("are refused from who is no trusted proxy", async () => {
    const gateway = await gatewayWith('  trustedProxies: ["10.0.0.0/8"]\n  proxyProtocol: on');
    await expect(
      RawClient.connect(gateway.gatewayUrl, { ws: beginningWith(proxyV1("203.0.113.10", 40_003)) }),
    ).rejects.toThrow();
  });

  it("that never come hold up nobody else, and end in time", async () => {
    const gateway = await gatewayWith(`${on}\n  limits: { preAuthSeconds: 1 }`);
    const silent = connect({ host: "127.0.0.1", port: Number(new URL(gateway.gatewayUrl).port) });
    await once(silent, "connect");
    expect(await announced(gateway, { ws: beginningWith(proxyV1("203.0.113.12", 40_004)) })).toEqual([
      "203.0.113.12",
      40_004,
    ]);
    await once(silent, "close");
  });

  it("are not read where they are not switched on", async () => {
    const gateway = await gatewayWith(trusting);
    await expect(
      RawClient.connect(gateway.gatewayUrl, { ws: beginningWith(proxyV1("203.0.113.10", 40_005)) }),
    ).rejects.toThrow();
  });
});

describe("a flood of new connections through the proxy", () => {
  const upgrade = (address: string): string =>
    [
      ...["GET / HTTP/1.1", "Host: sip.acme.example", "Connection: Upgrade", "Upgrade: websocket"],
      ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: sip"],
      ...[`X-Forwarded-For: 198.51.100.7, ${address}`, "", ""],
    ].join("\r\n");

  it.each([
    ["X-Forwarded-For", trusting, (address: string) => upgrade(address)],
    [
      "PROXY",
      `${trusting}\n  proxyProtocol: on`,
      (address: string) => `${proxyV1(address, 4_000)}${upgrade("203.0.113.1")}`,
    ],
  ] as const)("holds up itself alone: another browser has the next turn (%s)", async (_, lines, first) => {
    const gateway = await gatewayWith(lines);
    const { port, hostname } = new URL(gateway.gatewayUrl);
    let welcomed = 0;
    const come = (address: string): Socket => {
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      socket.write(first(address));
      return socket;
    };
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (let at = 0; at < 200; at++) come("203.0.113.66").once("data", () => void welcomed++);
    await expect.poll(() => welcomed, { interval: 5 }).toBeGreaterThan(0);
    const before = welcomed;
    const [answer] = (await once(come("203.0.113.9"), "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 101/);
    expect(welcomed - before).toBeLessThan(100);
  });
});
