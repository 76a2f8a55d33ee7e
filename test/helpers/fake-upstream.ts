import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { header, type ReplyParts, reply } from "./raw-sip.ts";

/** One leg of a gateway, as the fake upstream has it. */
export class FakeLeg {
  readonly socket: WebSocket;
  /** Below the WebSocket: for frames that no server sends. */
  readonly stream: Socket;
  /** `user@domain` of the grant. */
  readonly user: string;
  readonly received: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  /** What is said to a request; by default 200. Undefined: nothing. */
  answer: (request: string) => string | undefined = (request) => reply(request, { status: "200 OK", tag: "up" });

  constructor(socket: WebSocket, stream: Socket, user: string) {
    this.socket = socket;
    this.stream = stream;
    this.user = user;
    socket.setMaxListeners(0);
    socket.on("error", () => {}); // what a gateway does shows in the code
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("message", (data: Buffer) => {
      const text = data.toString("latin1");
      this.received.push(text);
      const said = text.startsWith("SIP/2.0") || text.startsWith("ACK ") ? undefined : this.answer(text);
      if (said !== undefined) this.send(said);
    });
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  send(text: string): void {
    this.socket.send(text);
  }

  /** The first message, received already or still to come, that the predicate takes; it is not found again. */
  take(predicate: (message: string) => boolean, timeoutMs = 10_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const at = this.received.findIndex(predicate);
        if (at < 0) return;
        settle();
        resolve(this.received.splice(at, 1)[0]!);
      };
      const settle = (): void => {
        clearTimeout(timer);
        this.socket.off("message", look);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`no such message on the leg within ${timeoutMs} ms, only:\n${this.received.join("\n---\n")}`));
      }, timeoutMs);
      this.socket.on("message", look);
      look();
    });
  }

  /** The next request of this method. */
  request(method: string): Promise<string> {
    return this.take((text) => text.startsWith(`${method} `));
  }

  reply(request: string, parts: ReplyParts): void {
    this.send(reply(request, { tag: "up", ...parts }));
  }
}

/** In Kamailio's place, for what no Kamailio does: it takes every leg and answers every request, until it is told otherwise. */
export class FakeUpstream {
  readonly url: string;
  readonly legs: FakeLeg[] = [];
  readonly #close: () => void;
  readonly #opened: ((leg: FakeLeg) => void)[] = [];

  private constructor(url: string, close: () => void) {
    this.url = url;
    this.#close = close;
  }

  /** upgrade: instead of taking a leg. True where it has done so. */
  static async open(
    upgrade: (request: IncomingMessage, stream: Socket) => boolean = () => false,
  ): Promise<FakeUpstream> {
    const server = createServer();
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => "sip" });
    const streams = new Set<Socket>();
    server.on("connection", (stream) => streams.add(stream.on("error", () => {})));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const upstream = new FakeUpstream(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, () => {
      for (const stream of streams) stream.destroy();
      server.close();
    });
    server.on("upgrade", (request, stream, head) => {
      if (upgrade(request, stream as Socket)) return;
      sockets.handleUpgrade(request, stream, head, (socket) => upstream.#take(socket, stream as Socket, request));
    });
    return upstream;
  }

  #take(socket: WebSocket, stream: Socket, { headers }: IncomingMessage): void {
    const grant = String(headers["x-postern-grant"] ?? "");
    const leg = new FakeLeg(socket, stream, grant.slice(grant.indexOf(":") + 1).split("|", 1)[0]!);
    this.legs.push(leg);
    for (const opened of this.#opened.splice(0)) opened(leg);
  }

  /** The latest leg of this user. */
  legOf(user: string): FakeLeg {
    const leg = this.legs.findLast((one) => one.user === user);
    if (!leg) throw new Error(`${user} has no leg`);
    return leg;
  }

  /** The next leg that opens. */
  next(): Promise<FakeLeg> {
    return new Promise((resolve) => this.#opened.push(resolve));
  }

  close(): void {
    this.#close();
  }
}

/** A request to a client, as a far end behind Kamailio would have it. */
export const toClient = (method: string, uri: string, more: readonly string[] = []): string =>
  [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/WS up.example;branch=z9hG4bK${method}${Math.random().toString(36).slice(2)}`,
    "Max-Forwards: 70",
    "From: <sip:far@far.example>;tag=far",
    `To: <${uri}>`,
    `Call-ID: ${method}-${Math.random().toString(36).slice(2)}`,
    `CSeq: 1 ${method}`,
    "Contact: <sip:far@far.example>",
    ...more,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");

/** Whether it is the answer to this request. */
export const answersTo =
  (request: string) =>
  (text: string): boolean =>
    text.startsWith("SIP/2.0 ") &&
    header(text, "Call-ID") === header(request, "Call-ID") &&
    header(text, "CSeq") === header(request, "CSeq");
