import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** One connection of the gateway through the tap: every byte is passed on, and what it says is kept. */
export class TapLeg {
  readonly gateway: Socket;
  readonly #upstream: Socket;
  readonly #frames = new Frames();
  #swallows = false;

  constructor(gateway: Socket, upstream: Socket) {
    this.gateway = gateway;
    this.#upstream = upstream;
    gateway.on("data", (bytes: Buffer) => {
      this.#frames.push(bytes);
      if (!this.#swallows) upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => gateway.write(bytes));
    for (const [one, other] of [
      [gateway, upstream],
      [upstream, gateway],
    ] as const) {
      one.on("close", () => other.destroy());
      one.on("error", () => other.destroy());
    }
  }

  /** WebSocket messages from the gateway, unmasked, oldest first; and everything before the first, PROXY line and upgrade. */
  get messages(): readonly Buffer[] {
    return this.#frames.messages;
  }

  /** How many of these messages came in more than one frame. */
  get fragmented(): number {
    return this.#frames.fragmented;
  }

  /** From now on the gateway's messages are counted, but reach nobody. */
  swallow(): void {
    this.#swallows = true;
  }

  /** A WebSocket text message to the gateway, as if Kamailio had sent it. */
  inject(text: string): void {
    const payload = Buffer.from(text, "latin1");
    const head = Buffer.from([0x81, 126, payload.length >> 8, payload.length & 0xff]);
    if (payload.length < 126 || payload.length > 65_535)
      throw new RangeError("a payload of 126 to 65535 bytes is needed");
    this.gateway.write(Buffer.concat([head, payload]));
  }

  close(): void {
    this.gateway.destroy();
    this.#upstream.destroy();
  }
}

/** Stands between a gateway and Kamailio's WebSocket port: what really went over the wire. */
export class Tap {
  readonly legs: TapLeg[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** target: Kamailio's WebSocket port on 127.0.0.1. */
  static async open(target: number): Promise<Tap> {
    const server = createServer({ noDelay: true });
    const tap = new Tap(server);
    server.on("connection", (socket) => {
      tap.legs.push(new TapLeg(socket, connect({ host: "127.0.0.1", port: target, noDelay: true })));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return tap;
  }

  /** For upstream.urls. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Every message of every leg. */
  get messages(): Buffer[] {
    return this.legs.flatMap((leg) => leg.messages);
  }

  /** The leg over which this text went. */
  legOf(text: string): TapLeg {
    const leg = this.legs.find(({ messages }) => messages.some((message) => message.includes(text)));
    if (!leg) throw new Error(`no leg carried ${text}`);
    return leg;
  }

  async close(): Promise<void> {
    for (const leg of this.legs) leg.close();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** What a WebSocket client says after its upgrade, frame by frame (RFC 6455 §5.2). */
class Frames {
  readonly messages: Buffer[] = [];
  fragmented = 0;
  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #upgraded = false;

  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#upgraded && !this.#skipUpgrade()) return;
    while (this.#takeFrame());
  }

  #skipUpgrade(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    this.#rest = this.#rest.subarray(end + 4);
    this.#upgraded = true;
    return true;
  }

  #takeFrame(): boolean {
    const bytes = this.#rest;
    if (bytes.length < 2) return false;
    const short = bytes[1]! & 0x7f;
    const sized = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (bytes.length < 6 + sized) return false;
    const length = sized === 0 ? short : bytes.readUIntBE(sized === 8 ? 4 : 2, sized === 8 ? 6 : 2);
    const start = 6 + sized;
    if (bytes.length < start + length) return false;
    const mask = bytes.subarray(start - 4, start);
    const payload = Buffer.from(bytes.subarray(start, start + length).map((byte, at) => byte ^ mask[at & 3]!));
    this.#rest = bytes.subarray(start + length);
    this.#keep(bytes[0]!, payload);
    return true;
  }

  /** Control frames are nobody's message. */
  #keep(head: number, payload: Buffer): void {
    if ((head & 0x0f) > 2) return;
    this.#parts.push(payload);
    if ((head & 0x80) === 0) return;
    if (this.#parts.length > 1) this.fragmented++;
    this.messages.push(Buffer.concat(this.#parts));
    this.#parts = [];
  }
}
