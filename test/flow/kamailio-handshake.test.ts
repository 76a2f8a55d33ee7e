import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { announcedHost, chainSecret, domain, granted, registerOf } from "../helpers/legs.ts";
import { header, isReply } from "../helpers/raw-sip.ts";
import { openUpstream, type UpstreamClient, type UpstreamOptions } from "../helpers/upstream-client.ts";

const former = "fedcba9876543210fedcba9876543210";

describe("Kamailio's WebSocket handshake", () => {
  let kamailio: Kamailio;
  const clients: UpstreamClient[] = [];

  beforeAll(async () => {
    kamailio = await startKamailio({ chainSecret, formerSecret: former, host: ["127.0.0.1", "::1"] });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await kamailio.stop();
  });

  /** 101, or the status of the refusal. */
  async function statusOf(headers: UpstreamOptions["headers"], more: Partial<UpstreamOptions> = {}): Promise<number> {
    const opened = await openUpstream({ url: kamailio.wsUrl, headers, ...more });
    if (!opened.ok) return opened.status;
    clients.push(opened.client);
    return 101;
  }

  const good = granted("alice");
  const now = Math.floor(Date.now() / 1000);

  it("accepts a good grant", async () => {
    expect(await statusOf(good)).toBe(101);
  });

  it("accepts a grant under the secret that is going out", async () => {
    expect(await statusOf(granted("alice", { secret: former }))).toBe(101);
  });

  it("refuses no grant, a grant alone, a token alone", async () => {
    expect(await statusOf({})).toBe(403);
    expect(await statusOf({ "X-Postern-Grant": good["X-Postern-Grant"] })).toBe(403);
    expect(await statusOf({ "X-Postern-Token": good["X-Postern-Token"] })).toBe(403);
  });

  it("refuses a wrong, a changed, an expired one, and one whose stamp is no number", async () => {
    expect(await statusOf(granted("alice", { secret: "another secret altogether" }))).toBe(403);
    expect(await statusOf({ ...good, "X-Postern-Grant": `${good["X-Postern-Grant"]}x` })).toBe(403);
    expect(await statusOf(granted("alice", { expiry: now - 1 }))).toBe(403);
    expect(await statusOf(granted("alice", { expiry: Number.NaN }))).toBe(403);
    expect(await statusOf(granted("alice", { algorithm: "sha1" }))).toBe(403);
  });

  it("refuses two of either, though the first is good", async () => {
    const { "X-Postern-Grant": text, "X-Postern-Token": token } = good;
    expect(await statusOf({ ...good, "X-Postern-Grant": [text, "1:mallory@acme.example"] })).toBe(403);
    expect(await statusOf({ ...good, "X-Postern-Token": [token, "x"] })).toBe(403);
  });

  it("refuses a subprotocol other than sip", async () => {
    expect(await statusOf(good, { subprotocol: "msrp" })).toBe(400);
  });

  it("serves nothing else over HTTP", async () => {
    const answer = await fetch(kamailio.wsUrl.replace("ws:", "http:"), { headers: good });
    expect(answer.status).toBe(404);
  });

  it.each([0, 1])("knows a leg by the address it announces (IPv4, IPv6: %i)", async (family) => {
    const host = family === 0 ? announcedHost : "2001:db8::7";
    const announce = { host, port: 44_000 };
    const opened = await openUpstream({ url: kamailio.wsUrls[family] ?? "", headers: good, announce });
    if (!opened.ok) throw new Error(`refused with ${opened.status}`);
    clients.push(opened.client);
    opened.client.send(registerOf("alice"));
    await opened.client.waitFor((message) => isReply(message, 200, "REGISTER"));
    const seen = await kamailio.waitFor((one) => one.method === "REGISTER" && one.host.replace(/[[\]]/g, "") === host);
    expect([seen.way, seen.proto, seen.port]).toEqual(["in", "ws", 44_000]);
    expect(header(seen.raw, "To")).toBe(`<sip:alice@${domain}>`);
  });

  it("keeps the secrets out of its log", () => {
    expect(kamailio.log()).not.toContain(chainSecret);
    expect(kamailio.log()).not.toContain(former);
  });
});

describe("an announced address, of two gateways", () => {
  let kamailio: Kamailio;
  let port = 45_000;
  beforeAll(async () => {
    kamailio = await startKamailio({ chainSecret, defines: { ADDRESS_KEPT: 1 } });
  });
  afterAll(() => kamailio.stop());

  const open = (gateway: string, at: number) =>
    openUpstream({
      url: kamailio.wsUrl,
      headers: { ...granted("alice"), "X-Postern-Gateway": gateway },
      announce: { host: announcedHost, port: at },
    });

  async function leg(gateway: string, at: number): Promise<UpstreamClient> {
    const opened = await open(gateway, at);
    if (!opened.ok) throw new Error(`refused with ${opened.status}`);
    return opened.client;
  }

  /** 101, or the status of the refusal. */
  async function statusOf(gateway: string, at: number): Promise<number> {
    const opened = await open(gateway, at);
    if (!opened.ok) return opened.status;
    await opened.client.close();
    return 101;
  }

  async function register(client: UpstreamClient, extra: string[] = []): Promise<void> {
    const text = registerOf("alice", { extra });
    client.send(text);
    const callId = header(text, "Call-ID");
    await client.waitFor((got) => isReply(got, 200, "REGISTER") && header(got, "Call-ID") === callId);
  }

  /** Once Kamailio has seen that what was closed before is closed. */
  async function allClosed(): Promise<void> {
    const at = port++;
    await (await leg("one", at)).close();
    await expect.poll(() => statusOf("two", at)).toBe(101);
  }

  it("is the one's while its leg stands, and may be opened anew by it", async () => {
    const at = port++;
    const first = await leg("one", at);
    expect(await statusOf("two", at)).toBe(409);
    const second = await leg("one", at);
    await first.close();
    await allClosed();
    expect(await statusOf("two", at)).toBe(409);
    await second.close();
    await expect.poll(() => statusOf("two", at)).toBe(101);
  });

  it("stays the one's while a binding may live under it, though its leg is gone", async () => {
    const at = port++;
    const first = await leg("one", at);
    await register(first);
    await first.close();
    await allClosed();
    expect(await statusOf("two", at)).toBe(409);
    const again = await leg("one", at);
    await register(again, ["Expires: 0"]);
    await again.close();
    await expect.poll(() => statusOf("two", at)).toBe(101);
  });

  it("is anybody's who does not say which gateway they are", async () => {
    const announce = { host: announcedHost, port: port++ };
    const [one, two] = [0, 1].map(() => openUpstream({ url: kamailio.wsUrl, headers: granted("alice"), announce }));
    for (const opened of [await one!, await two!]) {
      expect(opened.ok).toBe(true);
      if (opened.ok) await opened.client.close();
    }
  });
});

describe("Kamailio without tcp_accept_haproxy", () => {
  it("refuses a gateway that announces, and takes one that does not", async () => {
    const kamailio = await startKamailio({ chainSecret, haproxy: false });
    const headers = granted("alice");
    const announce = { host: announcedHost, port: 44_001 };
    await expect(openUpstream({ url: kamailio.wsUrl, headers, announce })).rejects.toThrow();
    const opened = await openUpstream({ url: kamailio.wsUrl, headers });
    expect(opened.ok).toBe(true);
    if (opened.ok) await opened.client.close();
    await kamailio.stop();
  });
});
