import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { conceal } from "./conceal.ts";
import { hepPacket, type ProtocolType } from "./hep.ts";
import type { Log } from "./log.ts";
import type { HepCounts } from "./metrics.ts";
import type { Party, Traced, TraceListener } from "./trace.ts";

export interface HomerOptions {
  /** `udp://host:port`. */
  readonly url: string;
  readonly captureId: number;
  readonly authKey?: string | undefined;
  readonly log: Log;
  readonly connect?: (url: string) => Promise<Collector>;
}

/** What is needed of a connected UDP socket. */
export type Collector = Pick<Socket, "send" | "getSendQueueSize" | "close" | "on">;

/** Bytes that may wait in the socket; what comes on top is dropped. */
const mostQueued = 1024 * 1024;
const defaultPort = 9060;
const retryMs = 10_000;
const complainEvery = 60_000;
const nowhere: Party = { address: "0.0.0.0", port: 0 };

/**
 * Sends every message to a HEP collector, credentials masked, and each verdict as a log line of the same correlation id,
 * which is where Homer shows what happened to a message. Never waits and never grows: what cannot be sent is counted.
 */
export class Homer implements TraceListener {
  readonly #options: HomerOptions;
  readonly #dropped = { queue: 0, size: 0, unreachable: 0 };
  #sent = 0;
  #socket: Collector | undefined;
  #retry: NodeJS.Timeout | undefined;
  #complainedAt = 0;
  #closed = false;

  constructor(options: HomerOptions) {
    this.#options = options;
  }

  get counts(): HepCounts {
    return { sent: this.#sent, dropped: this.#dropped };
  }

  /** Resolves when the first attempt is over; where it failed, others follow. */
  async open(): Promise<void> {
    const { url, connect = connected } = this.#options;
    try {
      const socket = await connect(url);
      if (this.#closed) {
        socket.close();
        return;
      }
      socket.on("error", (error) => this.#complain(error));
      this.#socket = socket;
    } catch (error) {
      this.#complain(error);
      if (this.#closed) return;
      this.#retry = setTimeout(() => void this.open(), retryMs);
      this.#retry.unref();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#socket = undefined;
  }

  message(traced: Traced, bytes: Buffer): void {
    this.#send(traced, 1, bytes);
  }

  verdict(traced: Traced): void {
    const { verdict, method } = traced;
    if (!verdict) return;
    const reason = verdict.sentence === "" ? "" : `: ${verdict.sentence}`;
    this.#send(traced, 100, Buffer.from(`postern ${verdict.code} ${method}${reason}`));
  }

  #send(traced: Traced, type: ProtocolType, bytes: Buffer): void {
    if (!this.#socket) {
      this.#dropped.unreachable++;
      return;
    }
    if (this.#socket.getSendQueueSize() > mostQueued) {
      this.#dropped.queue++;
      return;
    }
    const { captureId, authKey } = this.#options;
    const { at, callId: correlationId } = traced;
    const packet = hepPacket({ ...ends(traced), at, type, captureId, authKey, correlationId, payload: conceal(bytes) });
    if (packet) this.#socket.send(packet, this.#done);
    else this.#dropped.size++;
  }

  readonly #done = (error: Error | null): void => {
    if (error) {
      this.#dropped.unreachable++;
      this.#complain(error);
    } else this.#sent++;
  };

  #complain(error: unknown): void {
    if (this.#closed || Date.now() - this.#complainedAt < complainEvery) return;
    this.#complainedAt = Date.now();
    const reason = error instanceof Error ? error.message : "unknown";
    this.#options.log.warn({ url: this.#options.url, reason }, "the HEP collector cannot be reached");
  }
}

/** A name is looked up once: the address that it has then is used until the end. */
async function connected(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const { address, family } = await lookup(hostname.replace(/^\[|\]$/g, ""));
  const socket = createSocket(family === 6 ? "udp6" : "udp4").unref();
  try {
    socket.connect(Number(port || defaultPort), address);
    await once(socket, "connect");
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

function ends({ way, line }: Traced): { from: Party; to: Party } {
  const { client, gateway, upstream = nowhere } = line;
  switch (way) {
    case "from-client":
      return { from: client, to: gateway };
    case "to-client":
      return { from: gateway, to: client };
    case "from-upstream":
      return { from: upstream, to: gateway };
    case "to-upstream":
      return { from: gateway, to: upstream };
  }
}
