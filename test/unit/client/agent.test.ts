import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { type Agent, type AgentOptions, createUserAgent } from "../../../src/client/agent.ts";
import type { Call } from "../../../src/client/call.ts";
import { password, type Relay, startRelay } from "../../helpers/relay.ts";

let relay: Relay;
const agents: Agent[] = [];

async function agent(user: string, options: Partial<AgentOptions> = {}): Promise<Agent> {
  const credentials = { username: `2000000000:${user}`, password };
  const created = await createUserAgent({ url: relay.url, uri: `sip:${user}@acme.example`, credentials, ...options });
  agents.push(created);
  return created;
}

/** An event that only sound can bring about: enough frames heard on both sides. */
async function bothHear(calls: readonly Call[], frames: number): Promise<void> {
  const deadline = Date.now() + 8_000;
  while (calls.some((call) => call.audio.tone < frames)) {
    if (Date.now() > deadline) throw new Error(`heard: ${JSON.stringify(calls.map((call) => call.audio))}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeEach(async () => {
  relay = await startRelay();
});

afterEach(async () => {
  await Promise.all(agents.splice(0).map((one) => one.stop()));
  relay.stop();
});

describe("a user agent", () => {
  it("registers with digest, shows Origin and subprotocol, and masks its proof in the ladder", async () => {
    const alice = await agent("alice", { origin: "https://www.acme.example" });
    expect(await alice.registered).toEqual({ ok: true, status: 200 });
    expect(relay.upgrades).toEqual([{ origin: "https://www.acme.example", protocol: "sip" }]);
    const ladder = JSON.stringify(alice.ladder);
    expect(ladder).toContain("Authorization: ***");
    expect(ladder).not.toContain("2000000000:alice");
  });

  it("says status, code and sentence of a refusal", async () => {
    const alice = await agent("alice", { credentials: { username: "1:alice", password: "wrong" } });
    expect(await alice.registered).toEqual({ ok: false, status: 403, code: "credential-rejected", sentence: "No." });
  });

  it("sends a token as Bearer", async () => {
    const seen = new Promise<string>((resolve) =>
      relay.server.once("connection", (ws: WebSocket) => ws.once("message", (data) => resolve(data.toString()))),
    );
    const alice = await agent("alice", { credentials: { token: "a.b.c" } });
    expect(await seen).toContain("\r\nAuthorization: Bearer a.b.c\r\n");
    expect(JSON.stringify(alice.ladder)).not.toContain("a.b.c");
  });

  it("names the close code where the gateway shuts the door", async () => {
    relay.server.on("connection", (ws) => ws.close(4403, "origin-denied"));
    const alice = await agent("alice");
    expect(await alice.registered).toMatchObject({
      ok: false,
      status: null,
      sentence: "connection closed with 4403: origin-denied",
    });
  });

  it("says so where nobody listens", async () => {
    const alice = await agent("alice", { url: "ws://127.0.0.1:1" });
    expect(await alice.connected).toMatchObject({ ok: false, sentence: expect.stringContaining("ECONNREFUSED") });
  });
});

describe("a call between two user agents", () => {
  it("carries the tone both ways over loopback alone, until one side hangs up", async () => {
    const [alice, bob] = await Promise.all([agent("alice"), agent("bob")]);
    await Promise.all([alice.registered, bob.registered]);
    const incoming = new Promise<Call>((resolve) => {
      bob.onIncoming = resolve;
    });
    const outgoing = alice.call("sip:bob@acme.example", ["X-Voxbone-Context: here"]);
    const answered = await incoming;
    answered.answer();
    expect(await outgoing.accepted).toEqual({ ok: true, status: 200 });
    expect(await answered.accepted).toMatchObject({ ok: true });
    await bothHear([outgoing, answered], 50);

    outgoing.hangUp();
    expect(await answered.ended).toBe("Terminated");
    const candidates = relay.bodies.join("").match(/^a=candidate:.*$/gm) ?? [];
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.filter((line) => !/ udp \d+ (127\.0\.0\.1|::1) /.test(line))).toEqual([]);
    expect(relay.bodies.join("")).not.toMatch(/^c=IN IP4 (?!127\.0\.0\.1\r)/m);
  });

  it("fails with the status and code of the refusal", async () => {
    const alice = await agent("alice", { register: false });
    await alice.connected;
    const call = alice.call("sip:nobody@acme.example");
    expect(await call.accepted).toMatchObject({ ok: false, status: 404, code: "destination-denied" });
  });
});
