import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";

export interface GrantOptions {
  readonly secret: string;
  readonly user: string;
  readonly domain: string;
  /** Unix seconds; default one minute from now. */
  readonly expiry?: number;
  readonly trunk?: string;
  readonly trunk2?: string;
  readonly caller?: string;
  /** Seconds. */
  readonly max?: number;
  readonly customer?: string;
  readonly algorithm?: "sha1" | "sha256" | "sha384" | "sha512";
}

/** A grant made by hand: the two headers that carry it, as name and value. */
export function grant(options: GrantOptions): Record<"X-Postern-Grant" | "X-Postern-Token", string> {
  const expiry = options.expiry ?? Math.floor(Date.now() / 1000) + 60;
  const fields = [
    `${expiry}:${options.user}@${options.domain}`,
    `trunk=${options.trunk ?? ""}`,
    `trunk2=${options.trunk2 ?? ""}`,
    `caller=${options.caller ?? ""}`,
    `max=${options.max ?? ""}`,
    `customer=${options.customer ?? "acme"}`,
  ];
  const text = fields.join("|");
  const token = createHmac(options.algorithm ?? "sha256", options.secret)
    .update(text)
    .digest("base64");
  return { "X-Postern-Grant": text, "X-Postern-Token": token };
}

/** Header lines directly after the start line, as the gateway puts them. */
export const withHeaders = (message: string, headers: Readonly<Record<string, string>>): string => {
  const end = message.indexOf("\r\n") + 2;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return message.slice(0, end) + lines.join("") + message.slice(end);
};

export interface UpstreamOptions {
  readonly url: string;
  /** Of the upgrade; an array gives that many header lines. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** The address announced by PROXY v1; without it no PROXY line is sent. */
  readonly announce?: { readonly host: string; readonly port: number };
  readonly subprotocol?: string;
  /** PEM that a wss: url is believed by. */
  readonly ca?: Buffer;
}

/** A raw leg: what the gateway does towards Kamailio, and nothing else. */
export interface UpstreamClient {
  send(message: string): void;
  /** Everything received, oldest first. */
  received(): readonly string[];
  /** The first message, received already or still to come, that the predicate takes. */
  waitFor(predicate: (message: string) => boolean, timeoutMs?: number): Promise<string>;
  close(): Promise<void>;
}

export type Opened = { ok: true; client: UpstreamClient } | { ok: false; status: number };

/** Opens a leg; a refused upgrade is an outcome, a broken connection an error. */
export function openUpstream(options: UpstreamOptions): Promise<Opened> {
  const socket = new WebSocket(options.url, options.subprotocol ?? "sip", {
    headers: options.headers as Record<string, string>,
    perMessageDeflate: false,
    createConnection: () => announced(options),
  });
  return new Promise((resolve, reject) => {
    socket.once("unexpected-response", (request, response) => {
      request.destroy();
      resolve({ ok: false, status: response.statusCode ?? 0 });
    });
    socket.once("error", reject);
    socket.once("open", () => resolve({ ok: true, client: clientOf(socket) }));
  });
}

/** The PROXY line comes before TLS. */
function announced({ url, announce, ca }: UpstreamOptions): Socket {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(port) });
  if (announce) {
    const family = host.includes(":") ? "TCP6" : "TCP4";
    socket.write(`PROXY ${family} ${announce.host} ${host} ${announce.port} ${port}\r\n`);
  }
  return protocol === "wss:" ? connectTls({ socket, servername: "localhost", ...(ca && { ca }) }) : socket;
}

function clientOf(socket: WebSocket): UpstreamClient {
  const received: string[] = [];
  socket.on("message", (data) => received.push(data.toString()));
  const waitFor = (predicate: (message: string) => boolean, timeoutMs = 10_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = received.find(predicate);
        if (found === undefined) return;
        settle();
        resolve(found);
      };
      const settle = (): void => {
        clearTimeout(timer);
        socket.off("message", look);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`no such message within ${timeoutMs} ms, only:\n${received.join("\n---\n")}`));
      }, timeoutMs);
      socket.on("message", look);
      look();
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (socket.readyState === WebSocket.CLOSED) return resolve();
      socket.once("close", () => resolve());
      socket.terminate();
    });
  return { send: (message) => socket.send(message), received: () => received, waitFor, close };
}
