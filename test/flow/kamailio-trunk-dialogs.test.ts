import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, chainSecret, domain, Legs, withinCall } from "../helpers/legs.ts";
import { header, isReply, type RequestParts, recordRoutes, reply, request, uriOf } from "../helpers/raw-sip.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import type { UpstreamClient } from "../helpers/upstream-client.ts";

let kamailio: Kamailio;
let trunk: UdpSink;
let alice: UpstreamClient;
let port = 48_000;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
beforeEach(async () => {
  trunk = await openUdpSink("127.0.0.9");
  alice = await legs.open("alice", port++);
});
afterEach(async () => {
  await legs.close();
  await trunk.close();
});
afterAll(() => kamailio.stop());

interface Answered {
  readonly invite: string;
  /** A request of the trunk. */
  theirs(method: string, extra?: Partial<RequestParts>): string;
}

/** A call of alice to the trunk, answered by hand. */
async function answered(): Promise<Answered> {
  const here = `${trunk.host}:${trunk.port}`;
  const call = callOf("alice", "+1900", { trunk: `sip:${here}`, caller: "+3225887000" });
  alice.send(call.invite);
  const invite = await trunk.waitFor((message) => message.startsWith("INVITE "));
  trunk.send(reply(invite, { status: "200 OK", tag: "trunk", contact: `<sip:${here}>` }), kamailio.udp);
  const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
  alice.send(withinCall(call, ok, "ACK"));
  await trunk.waitFor((message) => message.startsWith("ACK "));
  const theirs = (method: string, extra: Partial<RequestParts> = {}): string =>
    request({
      method,
      uri: uriOf(header(invite, "Contact")),
      from: `+1900@${domain}`,
      to: uriOf(header(invite, "From")).slice("sip:".length),
      fromTag: "trunk",
      toTag: "caller",
      callId: call.callId,
      cseq: 1,
      viaHost: here,
      viaTransport: "UDP",
      routes: recordRoutes(invite),
      ...extra,
    });
  return { invite, theirs };
}

/** How many Kamailio holds. */
function dialogs(callId = ""): unknown {
  const database = new DatabaseSync(join(kamailio.dir, "kamailio.sqlite"), { readOnly: true });
  const row = database.prepare("SELECT count(*) AS n FROM dialog WHERE callid = ?").get(callId);
  database.close();
  return row?.n;
}

describe("a trunk in a call of its own", () => {
  it("refreshes the session, and its own header fields in X- arrive but not ours", async () => {
    const { theirs } = await answered();
    trunk.send(
      theirs("INVITE", { extra: ["X-Postern-Grant: 1:mallory@acme.example|trunk=|", "X-Ctx: 7"] }),
      kamailio.udp,
    );
    const again = await alice.waitFor((message) => message.startsWith("INVITE sip:alice@alice.invalid;transport=ws "));
    expect(again).not.toMatch(/^x-postern/im);
    expect(header(again, "X-Ctx")).toBe("7");
  });

  it("that is a proxy with aliases of its own gets the page's requests as it has asked for them", async () => {
    const here = `${trunk.host}:${trunk.port}`;
    const call = callOf("alice", "+1900", { trunk: `sip:${here}`, caller: "+3225887000" });
    alice.send(call.invite);
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE "));
    const contact = "<sip:phone@10.9.9.9;alias=127.0.0.7~9~1>";
    const own = `Record-Route: <sip:${here};lr>`;
    const answer = reply(invite, { status: "200 OK", tag: "trunk", contact });
    trunk.send(answer.replace(/^Record-Route:/m, `${own}\r\nRecord-Route:`), kamailio.udp);
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "BYE"));
    const bye = await trunk.waitFor((message) => message.startsWith("BYE "));
    expect(bye.split("\r\n", 1)[0]).toBe("BYE sip:phone@10.9.9.9;alias=127.0.0.7~9~1 SIP/2.0");
    expect(header(bye, "Route")).toBe(`<sip:${here};lr>`);
  });

  it("cannot have Kamailio send to a host that it names", async () => {
    const { theirs } = await answered();
    const elsewhere = await openUdpSink("127.0.0.7");
    trunk.send(theirs("BYE", { uri: `sip:x@${elsewhere.host}:${elsewhere.port}` }), kamailio.udp);
    await trunk.waitFor((message) => isReply(message, 481, "BYE"));
    const out = kamailio.saw().filter((seen) => seen.way === "out" && seen.host === elsewhere.host);
    expect(out).toEqual([]);
    expect(elsewhere.received()).toEqual([]);
    await elsewhere.close();
  });

  it("ends it though it lost the parameters of our Route, and then it is over", async () => {
    const { theirs, invite } = await answered();
    expect(dialogs(header(invite, "Call-ID"))).toBe(1);
    const routes = recordRoutes(invite).map((route) => route.replace(/;did=[^;>]*/, ""));
    trunk.send(theirs("BYE", { routes }), kamailio.udp);
    const bye = await alice.waitFor((message) => message.startsWith("BYE "));
    alice.send(reply(bye, { status: "200 OK" }));
    await trunk.waitFor((message) => isReply(message, 200, "BYE"));
    await expect.poll(() => dialogs(header(invite, "Call-ID")), { timeout: 10_000 }).toBe(0);
  });
});
