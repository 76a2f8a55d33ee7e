import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type Agent, type AgentOptions, createUserAgent } from "../../../src/client/agent.ts";
import type { Call } from "../../../src/client/call.ts";
import { header } from "../../../src/client/ladder.ts";

const password = "correct horse";
const challenge = 'WWW-Authenticate: Digest realm="acme.example", nonce="n1", qop="auth"';
const refusal = ["Postern-Code: credential-rejected", 'Warning: 399 postern "No."'];
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** A registrar and relay for two: challenges REGISTER, and hands everything else of a call to the call's other end as it is. */
class Relay {
  readonly server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "sip" });
  readonly upgrades: { origin: string | undefined; protocol: string | undefined }[] = [];
  readonly bodies: string[] = [];
  readonly #users = new Map<string, WebSocket>();
  readonly #calls = new Map<string, [WebSocket, WebSocket]>();

  constructor() {
    this.server.on("connection", (ws, { headers }) => {
      this.upgrades.push({ origin: headers.origin, protocol: headers["sec-websocket-protocol"] });
      ws.on("message", (data) => this.#take(ws, data.toString()));
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  #take(ws: WebSocket, message: string): void {
    const answer = message.startsWith("REGISTER ") ? this.#register(ws, message) : this.#relay(ws, message);
    if (answer) ws.send(answer);
  }

  #relay(ws: WebSocket, message: string): string | undefined {
    this.bodies.push(message.split("\r\n\r\n")[1] ?? "");
    const callId = header(message, "Call-ID") ?? "";
    const callee = this.#users.get(/^INVITE sip:(\w+)@/.exec(message)?.[1] ?? "");
    if (callee && !this.#calls.has(callId)) this.#calls.set(callId, [ws, callee]);
    const ends = this.#calls.get(callId);
    ends?.[ends[0] === ws ? 1 : 0].send(message);
    if (ends || message.startsWith("ACK ")) return undefined;
    return reply(message, "404 Not Found", ["Postern-Code: destination-denied"]);
  }

  #register(ws: WebSocket, message: string): string {
    const answer = /^Authorization: Digest (.*)\r$/m.exec(message)?.[1];
    if (!answer) return reply(message, "401 Unauthorized", [challenge]);
    const field = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(answer)?.[1] ?? "";
    const ha1 = md5(`${field("username")}:acme.example:${password}`);
    const expected = md5(`${ha1}:n1:${field("nc")}:${field("cnonce")}:auth:${md5(`REGISTER:${field("uri")}`)}`);
    if (field("response") !== expected) return reply(message, "403 Forbidden", refusal);
    this.#users.set(/^From: .*<sip:(\w+)@/m.exec(message)?.[1] ?? "", ws);
    return reply(message, "200 OK", [`Contact: ${header(message, "Contact")}`]);
  }
}

function reply(request: string, status: string, headers: readonly string[]): string {
  const copied = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${header(request, name)}`);
  return [`SIP/2.0 ${status}`, ...copied, ...headers, "Content-Length: 0", "", ""]
    .join("\r\n")
    .replace(/^(To: [^;\r\n]*)$/m, "$1;tag=r");
}

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
  relay = new Relay();
  await once(relay.server, "listening");
});

afterEach(async () => {
  await Promise.all(agents.splice(0).map((one) => one.stop()));
  for (const ws of relay.server.clients) ws.terminate();
  relay.server.close();
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
