import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, chainSecret, granted, Legs, registerOf, withinCall } from "../helpers/legs.ts";
import { isReply } from "../helpers/raw-sip.ts";
import { openUpstream } from "../helpers/upstream-client.ts";

/** Seconds. */
const ban = 4;
let kamailio: Kamailio;
let port = 53_000;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({
    chainSecret,
    defines: { BAN_AFTER: 4, BANS: `bans=>size=10;autoexpire=${ban};` },
  });
});
afterEach(() => legs.close());
afterAll(() => kamailio.stop());

const wrong = granted("mallory", { secret: "another secret altogether" });
const announce = (host: string) => ({ host, port: port++ });

/** HTTP status, or the word for a connection that ended without an answer. */
async function handshake(host: string, headers = wrong): Promise<number | "closed"> {
  try {
    const opened = await openUpstream({ url: kamailio.wsUrl, headers, announce: announce(host) });
    if (opened.ok) await opened.client.close();
    return opened.ok ? 101 : opened.status;
  } catch (error) {
    expect(String(error)).toMatch(/hang up|ECONNRESET/);
    return "closed";
  }
}

/** Refused until it is banned; how often that was. */
async function banned(host: string): Promise<number> {
  for (let refused = 0; refused < 40; refused++) {
    if ((await handshake(host)) === "closed") return refused;
  }
  throw new Error("never banned");
}

const lines = (text: string): number => kamailio.log().split(text).length - 1;

describe("an address that is refused too often", () => {
  it("gets no answer any more, and one line in the log", async () => {
    const refused = await banned("203.0.113.20");
    expect(refused).toBeGreaterThanOrEqual(4);
    const said = lines("from 203.0.113.20:");
    for (let more = 0; more < 5; more++) expect(await handshake("203.0.113.20")).toBe("closed");
    expect(lines("from 203.0.113.20:")).toBe(said);
    expect(lines("banned: 203.0.113.20 was refused too often")).toBe(1);
    // Others are not meant.
    expect(await handshake("203.0.113.21")).toBe(403);
  });

  it("still has its good grants taken: a neighbour behind the same address registers and calls", async () => {
    await banned("203.0.113.22");
    const opened = await openUpstream({
      url: kamailio.wsUrl,
      headers: granted("alice"),
      announce: announce("203.0.113.22"),
    });
    if (!opened.ok) throw new Error(`refused by ${opened.status}`);
    opened.client.send(registerOf("alice"));
    await opened.client.waitFor((message) => isReply(message, 200, "REGISTER"));
    const trunk = await legs.trunk("answer");
    const call = callOf("alice", "+1900", { trunk: trunk.uri });
    opened.client.send(call.invite);
    const ok = await opened.client.waitFor((message) => isReply(message, 200, "INVITE"));
    opened.client.send(withinCall(call, ok, "ACK"));
    opened.client.send(withinCall(call, ok, "BYE"));
    await opened.client.waitFor((message) => isReply(message, 200, "BYE"));
    await opened.client.close();
  });

  it("is heard again after the ban", async () => {
    await banned("203.0.113.23");
    expect(await handshake("203.0.113.23")).toBe("closed");
    await expect.poll(() => handshake("203.0.113.23"), { timeout: 3_000 * ban, interval: 500 }).toBe(403);
  });

  it("counts refused requests of legs too, which are answered all the same", async () => {
    const opened = await openUpstream({
      url: kamailio.wsUrl,
      headers: granted("bob"),
      announce: announce("203.0.113.24"),
    });
    if (!opened.ok) throw new Error(`refused by ${opened.status}`);
    for (let sent = 1; sent <= 30; sent++) {
      opened.client.send(registerOf("bob", {}, { secret: "another secret altogether" }));
      await opened.client.waitFor(() => opened.client.received().length >= sent);
    }
    expect(opened.client.received().every((message) => isReply(message, 503, "REGISTER"))).toBe(true);
    expect(await handshake("203.0.113.24")).toBe("closed");
    expect(lines("from 203.0.113.24:")).toBeLessThan(25);
    opened.client.send(registerOf("bob"));
    await opened.client.waitFor((message) => isReply(message, 200, "REGISTER"));
    await opened.client.close();
  });

  it("is never a page whose grants are good, however many requests it sends", async () => {
    const opened = await openUpstream({
      url: kamailio.wsUrl,
      headers: granted("eve"),
      announce: announce("203.0.113.25"),
    });
    if (!opened.ok) throw new Error(`refused by ${opened.status}`);
    for (let sent = 1; sent <= 60; sent++) {
      opened.client.send(registerOf("eve"));
      await opened.client.waitFor(() => opened.client.received().length >= sent);
    }
    expect(opened.client.received().every((message) => isReply(message, 200, "REGISTER"))).toBe(true);
    expect(await handshake("203.0.113.25")).toBe(403);
    await opened.client.close();
  });
});
