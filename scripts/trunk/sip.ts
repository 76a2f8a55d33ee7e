import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Address } from "./rtp.ts";

/** SIP over UDP for a peer that believes whatever it gets: text in, text out. Nothing here is for strangers. */
export class SipSocket {
  readonly #socket: Socket;
  readonly #host: string;
  onMessage: ((message: string, from: Address) => void) | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("message", (data, { address, port }) =>
      this.onMessage?.(data.toString("latin1"), { host: address, port }),
    );
  }

  static async open(host: string, port = 0): Promise<SipSocket> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.bind(port, host);
    await once(socket, "listening");
    return new SipSocket(socket, host);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** host:port as URIs have it. */
  get authority(): string {
    return `${this.#host.includes(":") ? `[${this.#host}]` : this.#host}:${this.port}`;
  }

  send(message: string, to: Address): void {
    this.#socket.send(Buffer.from(message, "latin1"), to.port, to.host);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Values of all fields of that name, long form alone, in order. */
export const fields = (message: string, name: string): string[] =>
  (message.split("\r\n\r\n", 1)[0] ?? "")
    .split("\r\n")
    .slice(1)
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).trim());

export const field = (message: string, name: string): string => fields(message, name)[0] ?? "";

export const bodyOf = (message: string): string => message.slice(message.indexOf("\r\n\r\n") + 4);

export interface ReplyParts {
  readonly status: string;
  readonly tag: string;
  readonly contact: string;
  readonly sdp?: string | undefined;
}

export function replyTo(request: string, { status, tag, contact, sdp = "" }: ReplyParts): string {
  const copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"].flatMap((name) =>
    fields(request, name).map((value) => `${name}: ${value}`),
  );
  const to = field(request, "To");
  return [
    `SIP/2.0 ${status}`,
    ...copied,
    `To: ${to}${to.includes(";tag=") ? "" : `;tag=${tag}`}`,
    `Contact: <${contact}>`,
    ...(sdp ? ["Content-Type: application/sdp"] : []),
    `Content-Length: ${Buffer.byteLength(sdp, "latin1")}`,
    "",
    sdp,
  ].join("\r\n");
}
