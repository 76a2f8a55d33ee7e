import type { IncomingMessage, Server } from "node:http";
import { BlockList, isIP, type Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { Log } from "../telemetry/log.ts";
import { plainAddress } from "./admission.ts";
import { readProxyHeader, type Source } from "./proxy-header.ts";

/** Networks whose word on who is behind them is believed. cidrs: checked already. */
export function trustedNetworks(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false;
  const networks = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", bits] = cidr.split("/");
    const family = isIP(network) === 6 ? "ipv6" : "ipv4";
    networks.addSubnet(network, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return (address) => isIP(address) !== 0 && networks.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** Bytes of a request's head in which X-Forwarded-For is looked for before its turn. */
const longestHead = 4_096;

export interface SourceOptions {
  readonly trusted: () => (address: string) => boolean;
  /** PROXY headers are mandatory from trusted proxies, and nobody else may connect. */
  readonly proxyProtocol: boolean;
  /** Milliseconds within which a PROXY header must have come; 0 for no limit. */
  readonly patience: () => number;
  readonly log: Log;
}

/** Tells for an upgrade who is really there: the peer itself, or whom a trusted proxy names. */
export class Sources {
  readonly #options: SourceOptions;
  /** By the proxy's own address and port, which TLS leaves as they are. */
  readonly #claimed = new Map<string, Source>();

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  of(request: IncomingMessage): Source {
    const { remoteAddress, remotePort } = request.socket;
    const claimed = this.#claimed.get(`${remoteAddress} ${remotePort}`);
    if (claimed) return claimed;
    const peer = { address: plainAddress(remoteAddress ?? ""), port: remotePort ?? 0 };
    const forwarded = request.headers["x-forwarded-for"];
    if (this.#options.proxyProtocol || forwarded === undefined) return peer;
    return forwardedFor(String(forwarded), peer, this.#options.trusted());
  }

  /** Whether many browsers may stand behind this address. */
  isProxy(address: string): boolean {
    return this.#options.trusted()(address);
  }

  /**
   * Whom a proxy's connection is for, by its first bytes: for the order of turns alone, what counts is read when its turn
   * has come. Undefined where they do not say, as those of TLS without a PROXY header.
   */
  named(proxy: string, first: Buffer): string | undefined {
    if (this.#options.proxyProtocol) {
      const header = readProxyHeader(first);
      return header.kind === "header" ? header.source?.address : undefined;
    }
    // The proxy's own word is the last one: what is cut off before it is a stranger's.
    const [head = "", rest] = first.toString("latin1", 0, longestHead).split("\r\n\r\n", 2);
    if (rest === undefined) return undefined;
    const written = [...head.matchAll(/^x-forwarded-for:(.*)$/gim)].map(([, value]) => value);
    if (written.length === 0) return undefined;
    return forwardedFor(written.join(), { address: proxy, port: 0 }, this.#options.trusted()).address;
  }

  /** Read the PROXY header of each connection before the server sees it. */
  readHeaders(server: Server): void {
    const listeners = server.listeners("connection") as ((socket: Socket) => void)[];
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      this.#readHeader(socket, () => {
        for (const listener of listeners) listener.call(server, socket);
        // TLS takes over what lies beneath the socket; plain HTTP reads the socket itself.
        if (!(server instanceof TlsServer)) socket.resume();
      });
    });
  }

  #readHeader(socket: Socket, next: () => void): void {
    const { trusted, patience, log } = this.#options;
    const proxy = plainAddress(socket.remoteAddress ?? "");
    const refuse = (reason: string): void => {
      log.warn({ address: proxy, reason }, "connection without a PROXY header that is believed");
      socket.destroy();
    };
    socket.on("error", (error) => log.debug({ reason: error.message }, "a client's socket failed"));
    if (!trusted()(proxy)) {
      refuse("not from trustedProxies");
      return;
    }
    let bytes = Buffer.alloc(0);
    const ended = (): void => {
      // A load balancer that only looks whether somebody listens says nothing.
      if (bytes.length === 0) socket.destroy();
      else refuse("ended within its header");
    };
    socket.once("end", ended);
    const timer = patience() > 0 ? setTimeout(refuse, patience(), "too slow") : undefined;
    socket.once("close", () => clearTimeout(timer));
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header.kind === "more") return;
      clearTimeout(timer);
      socket.off("data", read);
      socket.off("end", ended);
      socket.pause();
      if (header.kind === "none") {
        refuse("no PROXY header");
        return;
      }
      this.#claim(socket, header.source);
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      next();
    };
    socket.on("data", read);
  }

  #claim(socket: Socket, source: Source | undefined): void {
    if (!source) return;
    const key = `${socket.remoteAddress} ${socket.remotePort}`;
    this.#claimed.set(key, { address: plainAddress(source.address), port: source.port });
    socket.once("close", () => this.#claimed.delete(key));
  }
}

/**
 * The right-most address of X-Forwarded-For that is no trusted proxy. What a stranger puts to the left of it is not
 * believed; where an entry cannot be read, the proxy that passed it on stands for it.
 */
export function forwardedFor(header: string, peer: Source, trusted: (address: string) => boolean): Source {
  let last = peer;
  for (const entry of header.split(",").reverse()) {
    if (!trusted(last.address)) return last;
    const address = addressIn(entry.trim());
    if (address === undefined) return last;
    last = { address, port: 0 };
  }
  return last;
}

/** `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1` or `[2001:db8::1]:5678`. */
function addressIn(entry: string): string | undefined {
  const bare =
    /^\[([^\]]+)\](?::\d{1,5})?$/.exec(entry)?.[1] ?? /^(\d+(?:\.\d+){3}):\d{1,5}$/.exec(entry)?.[1] ?? entry;
  if (isIP(bare) === 0 || bare.includes("%")) return undefined;
  return plainAddress(bare);
}
