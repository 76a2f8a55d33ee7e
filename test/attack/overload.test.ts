import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answered, establish, responseTo } from "../helpers/dialog.ts";
import type { TestGateway } from "../helpers/gateway.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { type RequestParts, request } from "../helpers/raw-sip.ts";
import { Scene } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({
    acme: "    limits: { connectionsPerUser: 2 }",
    more: "exchange: { secret: the-exchange-secret-of-the-tests }",
  });
});

afterAll(() => scene?.close());

const options = (more: Partial<RequestParts> = {}): RequestParts => ({
  method: "OPTIONS",
  uri: "sip:acme.example",
  from: "eve@acme.example",
  to: "eve@acme.example",
  fromTag: "f",
  callId: `flood-${unique()}`,
  cseq: 1,
  ...more,
});

describe("one user on many connections", () => {
  it("has as many as it may, and another when one of them is gone", async () => {
    const [first, second] = [await scene.user("alice"), await scene.stranger("x")];
    const again = { client: second.client, address: first.address, given: first.given };
    expect(status(await again.client.register(again.address, again.given))).toBe(200);
    const third = await scene.connect();
    const refused = await third.register(first.address, first.given);
    expect([status(refused), code(refused)]).toEqual([503, "limit-reached"]);
    expect(refused).toMatch(/\r\nRetry-After: \d+\r\n/);
    first.client.close();
    const registered = async (): Promise<number> => status(await third.register(first.address, first.given));
    await expect.poll(registered).toBe(200);
  });

  it("twin: does not keep another user, or a user of a customer without that limit, from theirs", async () => {
    const alice = await scene.user("alice");
    for (const _ of [1, 2]) await (await scene.connect()).register(alice.address, alice.given);
    await scene.user("bob");
    const carol = await scene.user("carol", "globex.example");
    for (const _ of [1, 2, 3]) {
      expect(status(await (await scene.connect()).register(carol.address, carol.given))).toBe(200);
    }
  });
});

describe("a gateway whose memory is short", () => {
  /** Half of what this process has: ten times as much would do. */
  const little = { gateway: `  limits: { memoryMegabytes: ${Math.round(process.memoryUsage.rss() / 2 ** 21)} }` };
  const short = (gateway: TestGateway): Promise<number> => gateway.metric('postern_overloaded{shortage="memory"}');

  async function post(gateway: TestGateway, path: string, body: object | string): Promise<[IncomingMessage, unknown]> {
    const type = typeof body === "string" ? "application/x-www-form-urlencoded" : "application/json";
    const asked = httpRequest(gateway.gatewayUrl.replace(/^ws/, "http") + path, {
      method: "POST",
      headers: { "content-type": type },
    });
    const [answer] = (await once(asked.end(typeof body === "string" ? body : JSON.stringify(body)), "response")) as [
      IncomingMessage,
    ];
    return [answer, await json(answer)];
  }

  it("refuses what is new and serves who is there, until it has room again", async () => {
    const gateway = await scene.another({ more: "exchange: { secret: the-exchange-secret-of-the-tests }" });
    const alice = await scene.user("alice", "acme.example", gateway);
    const silent = await scene.connect({}, gateway);
    gateway.change(little);
    await expect.poll(() => short(gateway)).toBe(1);

    await expect(RawClient.connect(gateway.gatewayUrl)).rejects.toThrow("HTTP 503");
    const [refused, problem] = await post(gateway, "/v1/exchange", credential("alice@acme.example"));
    expect([refused.statusCode, refused.headers["retry-after"]]).toEqual([503, "5"]);
    expect(problem).toMatchObject({ status: 503, code: "limit-reached" });
    const [form] = await post(gateway, "/authenticate", "grant_type=authorization_code&code=a.b.c&client_id=a%40acme");
    expect(form.statusCode).toBe(503);

    const callId = `standing-${unique()}`;
    expect(status(await alice.prove("OPTIONS", "sip:acme.example", { callId }))).toBe(200);
    await scene.came(callId, "OPTIONS");
    silent.send(request(options()));
    expect((await silent.closed).code).toBe(1008);

    gateway.change({ gateway: "" });
    await expect.poll(() => short(gateway)).toBe(0);
    await scene.user("bob", "acme.example", gateway);
    const [granted] = await post(gateway, "/v1/exchange", credential("alice@acme.example"));
    expect(granted.statusCode).toBe(200);
    const told = gateway.log().filter(({ msg }) => String(msg).includes("overloaded"));
    expect(told.map(({ level, shortage }) => [level, shortage])).toEqual([
      ["warn", "memory"],
      ["info", "memory"],
    ]);
  });

  it("cuts no call whose credential has ended: what belongs to it goes on", async () => {
    let ahead = 0;
    const gateway = await scene.another({ clock: { now: () => Date.now() + ahead } });
    const [alice, bob] = [await scene.stranger("alice", "acme.example", gateway), await scene.user("bob")];
    alice.given = credential(alice.address, { ttl: 60 });
    expect(status(await alice.client.register(alice.address, alice.given))).toBe(200);
    const call = await establish(alice, bob);
    ahead = 61_000;
    gateway.change(little);
    await expect.poll(() => short(gateway)).toBe(1);
    for (const method of ["UPDATE", "BYE"]) {
      const text = call.fromCaller(method);
      alice.client.send(text);
      await answered(bob, call.callId, method);
      expect(status(await responseTo(alice, text))).toBe(200);
    }
    alice.client.send(request(alice.parts("OPTIONS", "sip:acme.example")));
    expect((await alice.client.closed).code).toBe(1008);
  });

  it("twin: with room for what it has it refuses nobody", async () => {
    const gateway = await scene.another({ gateway: "  limits: { memoryMegabytes: 0 }" });
    await scene.user("alice", "acme.example", gateway);
    expect(await short(gateway)).toBe(0);
  });
});

describe("a flood of strangers' messages", () => {
  const connections = 20;
  const each = 150;

  it("is still being worked off when who was accepted gets an answer, and is answered itself", async () => {
    const gateway = await scene.another({});
    const alice = await scene.user("alice", "acme.example", gateway);
    const flood = await Promise.all(Array.from({ length: connections }, () => scene.connect({}, gateway)));
    for (let sent = 0; sent < each; sent++) for (const client of flood) client.send(request(options()));
    const answers = (): number => flood.reduce((sum, { received }) => sum + received.length, 0);
    expect(status(await alice.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    expect(answers()).toBeLessThan(connections * each);
    await expect.poll(answers, { timeout: 20_000 }).toBe(connections * each);
    expect(flood.filter(({ socket }) => socket.readyState !== socket.OPEN)).toEqual([]);
  });
});

describe("the log under a flood of refusals", () => {
  const count = 400;

  it("is as long as what bans from it needs, and says of others what it would have said", async () => {
    const gateway = await scene.another({
      gateway: "  limits: { failuresPerMinute: 3, messagesPerSecond: 0 }",
    });
    const wrong = { ...credential("eve@acme.example"), password: "bm90IHRoaXM=" };
    const eve = await RawClient.connect(gateway.gatewayUrl, { ws: { localAddress: "127.0.0.66" } });
    for (let sent = 0; sent < count; sent++) {
      expect(status(await eve.prove(options({ callId: `eve-${unique()}` }), wrong))).toBeGreaterThan(402);
    }
    const mallory = await RawClient.connect(gateway.gatewayUrl, { ws: { localAddress: "127.0.0.67" } });
    await mallory.prove(options(), wrong);
    const refused = (address: string, of: string): number =>
      gateway.log().filter((line) => line.msg === "refused" && line.address === address && line.code === of).length;
    expect(refused("127.0.0.66", "credential-rejected")).toBe(3);
    expect(refused("127.0.0.66", "rate-limited")).toBeGreaterThanOrEqual(100);
    expect(refused("127.0.0.66", "rate-limited")).toBeLessThan(count / 2);
    expect(refused("127.0.0.67", "credential-rejected")).toBe(1);
    expect(await gateway.metric('postern_verdicts_total{code="rate-limited"}')).toBe(count - 3);
    eve.close();
    mallory.close();
  });
});

describe("the metrics under a flood of made-up names", () => {
  const seriesOf = async (gateway: TestGateway): Promise<string[]> => {
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  };
  const names = (lines: readonly string[]): string[] => lines.map((line) => line.slice(0, line.lastIndexOf(" ")));

  /** Every text that a stranger can choose, each of them new. */
  async function flood(gateway: TestGateway): Promise<void> {
    const client = await RawClient.connect(gateway.gatewayUrl, { path: "/made/up?made=up" });
    for (let at = 0; at < 100; at++) {
      const word = `madeup${unique().replace("-", "")}`;
      const parts = options({
        method: word.toUpperCase(),
        uri: `sip:${word}@${word}.example`,
        from: `${word}@${word}.example`,
        to: `${word}@${word}.example`,
        callId: word,
        extra: [`User-Agent: ${word}`, `X-${word}: ${word}`],
      });
      await client.prove(parts, credential(`${word}@${word}.example`));
      await fetch(`${gateway.gatewayUrl.replace(/^ws/, "http")}/${word}?${word}`, {
        headers: { origin: `https://${word}.example` },
      });
    }
    client.close();
  }

  it("have the same series after as before, and none of the names", async () => {
    const gateway = await scene.another({ gateway: "  limits: { messagesPerSecond: 0 }" });
    await flood(gateway);
    const before = await seriesOf(gateway);
    await flood(gateway);
    const after = await seriesOf(gateway);
    expect(names(after)).toEqual(names(before));
    expect(after.join("\n").toLowerCase()).not.toContain("madeup");
  });

  it("twin: a method and a code that exist have theirs", async () => {
    const alice = await scene.user("alice");
    await alice.prove("OPTIONS", "sip:acme.example");
    expect(
      await scene.gateway.metric('postern_messages_total{direction="from_client",method="OPTIONS"}'),
    ).toBeGreaterThan(0);
    expect(await scene.gateway.metric('postern_verdicts_total{code="accepted",customer="acme"}')).toBeGreaterThan(0);
  });
});
