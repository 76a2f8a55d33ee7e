import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { announcedHost, callOf, chainSecret, domain, Legs, registerOf, uniqueId } from "../helpers/legs.ts";
import { header, isReply } from "../helpers/raw-sip.ts";

let kamailio: Kamailio;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});
afterEach(() => legs.close());
afterAll(() => kamailio.stop());

interface Binding {
  readonly contact: string;
  readonly received: string;
}

function bindings(user: string): Binding[] {
  const database = new DatabaseSync(join(kamailio.dir, "kamailio.sqlite"), { readOnly: true });
  const rows = database
    .prepare("SELECT contact, received FROM location WHERE username = ? AND domain = ?")
    .all(user, domain);
  database.close();
  return rows.map((row) => ({ contact: String(row.contact), received: String(row.received) }));
}

describe("REGISTER", () => {
  it("binds the .invalid contact to the announced address", async () => {
    const alice = await legs.open("alice", 45_001);
    alice.send(registerOf("alice"));
    const ok = await alice.waitFor((message) => isReply(message, 200, "REGISTER"));
    expect(ok).not.toMatch(/^x-postern/im);
    expect(bindings("alice")).toEqual([
      { contact: "sip:alice@alice.invalid;transport=ws", received: `sip:${announcedHost}:45001;transport=ws` },
    ]);
  });

  it("is answered without a gruu, also where one is asked for", async () => {
    const alice = await legs.open("alice", 45_002);
    const contact =
      '<sip:g@alice.invalid;transport=ws>;+sip.instance="<urn:uuid:00000000-0000-4000-8000-000000000001>"';
    alice.send(registerOf("alice", { contact, extra: ["Supported: gruu, outbound"] }));
    const ok = await alice.waitFor((message) => isReply(message, 200, "REGISTER"));
    expect(ok).toContain("g@alice.invalid");
    expect(ok).not.toMatch(/gruu/i);
  });

  it("keeps a short expiry", async () => {
    const carol = await legs.open("carol", 45_003);
    carol.send(registerOf("carol", { contact: "<sip:c@carol.invalid;transport=ws>;expires=7" }));
    const ok = await carol.waitFor((message) => isReply(message, 200, "REGISTER"));
    expect(header(ok, "Contact")).toContain(";expires=7");
  });

  it("waits while another process writes to the database, and is answered once", async () => {
    const dora = await legs.registered("dora", 45_012);
    const writer = new DatabaseSync(join(kamailio.dir, "kamailio.sqlite"));
    writer.exec("BEGIN IMMEDIATE");
    const register = registerOf("dora");
    dora.send(register);
    const answers = (): string[] =>
      dora.received().filter((message) => header(message, "Call-ID") === header(register, "Call-ID"));
    await expect(dora.waitFor(() => answers().length > 0, 100)).rejects.toThrow("within 100 ms");
    writer.exec("COMMIT");
    writer.close();
    await dora.waitFor(() => answers().length > 0);
    dora.send(registerOf("dora"));
    await dora.waitFor((message) => isReply(message, 200, "REGISTER") && !answers().includes(message));
    expect(answers().map((message) => message.split("\r\n", 1)[0])).toEqual(["SIP/2.0 200 OK"]);
  });

  it("of another than the grant's user is 403", async () => {
    const alice = await legs.open("alice", 45_004);
    const other = `bob@${domain}`;
    alice.send(registerOf("alice", { from: other, to: other }));
    await alice.waitFor((message) => isReply(message, 403, "REGISTER"));
    alice.send(registerOf("alice", { to: "alice@other.example", callId: uniqueId() }));
    await alice.waitFor((message) => isReply(message, 403, "REGISTER"));
    expect(bindings("bob")).toEqual([]);
  });

  it("of the same user under two domains makes two users", async () => {
    const here = await legs.registered("dave", 45_005);
    const there = await legs.open("dave", 45_006);
    const to = "dave@other.example";
    there.send(registerOf("dave", { from: to, to, uri: "sip:other.example" }, { domain: "other.example" }));
    await there.waitFor((message) => isReply(message, 200, "REGISTER"));
    const caller = await legs.open("erin", 45_007);
    caller.send(callOf("erin", "dave", {}, { uri: `sip:${to}` }).invite);
    await there.waitFor((message) => message.startsWith("INVITE "));
    expect(here.received().filter((message) => message.startsWith("INVITE "))).toEqual([]);
  });

  it("of the whole domain name in other case is the same user", async () => {
    const frank = await legs.open("frank", 45_008);
    const to = `frank@${domain.toUpperCase()}`;
    frank.send(registerOf("frank", { from: to, to, uri: `sip:${domain}` }));
    await frank.waitFor((message) => isReply(message, 200, "REGISTER"));
    const caller = await legs.open("erin", 45_009);
    caller.send(callOf("erin", "frank").invite);
    await frank.waitFor((message) => message.startsWith("INVITE "));
  });

  it("with * removes all, and what one user may have is bounded", async () => {
    const grace = await legs.open("grace", 45_010);
    for (let i = 0; i < 11; i++) {
      const callId = uniqueId();
      grace.send(registerOf("grace", { contact: `<sip:g${i}@grace.invalid;transport=ws>`, callId }));
      const answer = await grace.waitFor((message) => header(message, "Call-ID") === callId);
      expect(isReply(answer, i < 10 ? 200 : 503, "REGISTER")).toBe(true);
    }
    expect(bindings("grace")).toHaveLength(10);
    const callId = uniqueId();
    grace.send(registerOf("grace", { contact: "*", extra: ["Expires: 0"], callId }));
    await grace.waitFor((message) => header(message, "Call-ID") === callId);
    expect(bindings("grace")).toEqual([]);
  });
});
