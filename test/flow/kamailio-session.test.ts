import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { type Call, callOf, chainSecret, Legs, withinCall } from "../helpers/legs.ts";
import { header, headers, isReply } from "../helpers/raw-sip.ts";
import type { Trunk } from "../helpers/trunk.ts";
import type { UpstreamClient } from "../helpers/upstream-client.ts";

let kamailio: Kamailio;
let port = 52_000;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret, defines: { MIN_SE: 2, SESSION_SECONDS: 600, CALL_SECONDS: 30 } });
});
afterEach(() => legs.close());
afterAll(() => kamailio.stop());

const timer = (seconds: number): string[] => ["Supported: timer", `Session-Expires: ${seconds};refresher=uac`];

interface Up {
  readonly trunk: Trunk;
  readonly alice: UpstreamClient;
  readonly call: Call;
  readonly ok: string;
  /** Milliseconds of Date.now(). */
  readonly since: number;
}

/** A call of alice to a trunk that knows no session timers, acknowledged. */
async function up(extra: string[], more: { max?: number } = {}): Promise<Up> {
  const trunk = await legs.trunk("answer");
  const alice = await legs.open("alice", port++);
  const call = callOf("alice", "+1900", { trunk: trunk.uri, caller: "+3225887000", ...more }, { extra });
  alice.send(call.invite);
  const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
  alice.send(withinCall(call, ok, "ACK"));
  await trunk.waitFor((message) => message.startsWith("ACK "));
  return { trunk, alice, call, ok, since: Date.now() };
}

const byeAt = async (trunk: Trunk, within = 10_000): Promise<number> => {
  await trunk.waitFor((message) => message.startsWith("BYE "), within);
  return Date.now();
};

const isBye = (message: string): boolean => message.startsWith("BYE ");

describe("a call whose session is not refreshed", () => {
  it("ends for both within the interval, as the caller that the trunk knows", async () => {
    const { trunk, alice, since } = await up(timer(3));
    const seconds = ((await byeAt(trunk)) - since) / 1000;
    expect(seconds).toBeGreaterThan(1.5);
    expect(seconds).toBeLessThan(5);
    const bye = trunk.messages().find(isBye) ?? "";
    expect(header(bye, "From")).toBe("<sip:+3225887000@127.0.0.9>;tag=caller");
    await alice.waitFor(isBye);
  });

  it("asks the caller to refresh where the trunk knows no session timers", async () => {
    const { ok } = await up(timer(3));
    expect(headers(ok, "Session-Expires")).toEqual(["3;refresher=uac"]);
  });

  it("asks so again with each refresh, and offers the trunk what the page asked for", async () => {
    const { trunk, alice, call, ok } = await up(timer(300));
    const invite = trunk.messages().find((message) => message.startsWith("INVITE ")) ?? "";
    expect(headers(invite, "Session-Expires")).toEqual(["300;refresher=uac"]);
    alice.send(withinCall(call, ok, "UPDATE", { extra: timer(300) }));
    const refreshed = await alice.waitFor((message) => isReply(message, 200, "UPDATE"));
    expect(headers(refreshed, "Session-Expires")).toEqual(["300;refresher=uac"]);
  });

  it("goes on while it is refreshed, by UPDATE as JsSIP does it, and ends once that stops", async () => {
    const { trunk, alice, call, ok, since } = await up(timer(3));
    let refreshed = since;
    while (Date.now() - since < 5_000) {
      const update = withinCall(call, ok, "UPDATE", { extra: timer(3) });
      alice.send(update);
      await alice.waitFor(
        (message) => message.startsWith("SIP/2.0 2") && header(message, "CSeq") === header(update, "CSeq"),
      );
      refreshed = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 800));
    }
    expect(trunk.messages().filter(isBye)).toEqual([]);
    const after = (await byeAt(trunk)) - refreshed;
    expect(after).toBeLessThan(5_000);
  });

  it("ends when the grant's seconds are over, however often it is refreshed", async () => {
    const { trunk, alice, call, ok, since } = await up(timer(3), { max: 4 });
    while (!trunk.messages().some(isBye)) {
      alice.send(withinCall(call, ok, "UPDATE", { extra: timer(3) }));
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(Date.now() - since).toBeLessThan(8_000);
    }
    expect(Date.now() - since).toBeGreaterThan(2_500);
  });

  it("is not ended where neither side knows session timers", async () => {
    const { trunk, alice, call, ok } = await up([]);
    const invite = trunk.messages().find((message) => message.startsWith("INVITE ")) ?? "";
    // An offer that the trunk may take up (RFC 4028 8.1).
    expect(headers(invite, "Session-Expires")).toEqual(["600"]);
    expect(headers(ok, "Session-Expires")).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(trunk.messages().filter(isBye)).toEqual([]);
    alice.send(withinCall(call, ok, "BYE"));
    await alice.waitFor((message) => isReply(message, 200, "BYE"));
  });

  it("cannot be asked to be shorter than the least", async () => {
    const alice = await legs.open("alice", port++);
    alice.send(callOf("alice", "+1900", { trunk: "sip:127.0.0.9:9" }, { extra: timer(1) }).invite);
    const refused = await alice.waitFor((message) => isReply(message, 422, "INVITE"));
    expect(header(refused, "Min-SE")).toBe("2");
  });

  it("is found after kill -9 of Kamailio, with what was left of its interval", async () => {
    const { trunk, alice } = await up(timer(4));
    const { dir, wsPort, udp } = kamailio;
    await kamailio.kill();
    await alice.close();
    kamailio = await startKamailio({ chainSecret, dir, wsPort, udpPort: udp.port, defines: { MIN_SE: 2 } });
    await byeAt(trunk);
  });
});
