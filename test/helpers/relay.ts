import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { header } from "../../src/client/ladder.ts";

export const password = "correct horse";
const challenge = 'WWW-Authenticate: Digest realm="acme.example", nonce="n1", qop="auth"';
const refusal = ["Postern-Code: credential-rejected", 'Warning: 399 postern "No."'];
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** A registrar and relay for two: challenges REGISTER, and hands everything else of a call to the call's other end as it is. */
export class Relay {
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

  stop(): void {
    for (const ws of this.server.clients) ws.terminate();
    this.server.close();
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

export async function startRelay(): Promise<Relay> {
  const relay = new Relay();
  await once(relay.server, "listening");
  return relay;
}
