import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { grant, openUpstream, type UpstreamClient } from "../helpers/upstream-client.ts";

const secret = "0123456789abcdef0123456789abcdef";
const former = "fedcba9876543210fedcba9876543210";
const alice = { secret, user: "alice", domain: "acme.example" };

describe("Kamailio's WebSocket handshake", () => {
  let kamailio: Kamailio;
  const clients: UpstreamClient[] = [];

  beforeAll(async () => {
    kamailio = await startKamailio({ chainSecret: secret, formerSecret: former, host: ["127.0.0.1", "::1"] });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await kamailio.stop();
  });

  /** 101, or the status of the refusal. */
  async function statusOf(headers: Record<string, string | string[]>, subprotocol = "sip"): Promise<number> {
    const opened = await openUpstream({ url: kamailio.wsUrl, headers, subprotocol });
    if (!opened.ok) return opened.status;
    clients.push(opened.client);
    return 101;
  }

  it("accepts a good grant", async () => {
    expect(await statusOf(grant(alice))).toBe(101);
  });

  it("accepts a grant under the secret that is going out", async () => {
    expect(await statusOf(grant({ ...alice, secret: former }))).toBe(101);
  });
  it("refuses no grant, a grant alone, a token alone", async () => {
    const good = grant(alice);
    expect(await statusOf({})).toBe(403);
    expect(await statusOf({ "X-Postern-Grant": good["X-Postern-Grant"] })).toBe(403);
    expect(await statusOf({ "X-Postern-Token": good["X-Postern-Token"] })).toBe(403);
  });
});
