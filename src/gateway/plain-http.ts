import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Problem } from "../core/http.ts";
import type { Limits } from "../core/limits.ts";

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface PlainHttpOptions {
  /** `ws://host:port` or `wss://host:port`. */
  readonly listen: string;
  readonly tls?: TlsFiles | undefined;
  /** Lets a server answer plain HTTP. */
  readonly http: (server: Server) => void;
}

/** The server of the public port: what asks for a WebSocket is an upgrade, all else is plain HTTP. It does not listen yet. */
export function httpServer({ listen: url, tls, http }: PlainHttpOptions, { preAuthSeconds }: Limits): Server {
  const patience =
    preAuthSeconds === 0 ? {} : { headersTimeout: preAuthSeconds * 1000, requestTimeout: preAuthSeconds * 1000 };
  const common = {
    ...patience,
    connectionsCheckingInterval: 100,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 16_384,
    noDelay: true,
    requireHostHeader: false,
    shouldUpgradeCallback: asksForWebSocket,
  };
  const handshakeTimeout = preAuthSeconds === 0 ? {} : { handshakeTimeout: preAuthSeconds * 1000 };
  const server = url.startsWith("wss:")
    ? createTlsServer({ ...common, ...read(tls!), ...handshakeTimeout, minVersion: "TLSv1.2" })
    : createServer(common);
  http(server);
  return server;
}

/**
 * RFC 9110 §7.8: an upgrade that is not wanted is passed over, clients offer h2c by themselves, and so is any of
 * HTTP/1.0. RFC 6455 §4.1: GET.
 */
const asksForWebSocket = ({
  method,
  httpVersion,
  headers,
}: Pick<IncomingMessage, "method" | "httpVersion" | "headers">): boolean =>
  method === "GET" && httpVersion === "1.1" && headers.upgrade?.toLowerCase() === "websocket";

/** The certificate and its key. Throws where they cannot be read. */
export const read = ({ cert, key }: TlsFiles): { cert: Buffer; key: Buffer } => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
});

/** What the WebSocket library finds wrong with an upgrade. */
export const noHandshake: Problem = {
  status: 400,
  code: "message-malformed",
  detail: "this is no WebSocket handshake: send Sec-WebSocket-Key and Sec-WebSocket-Version: 13 (RFC 6455 section 4.1)",
  headers: { "sec-websocket-version": "13" },
};

/** Resolves with the url and the port that was really taken; rejects where it cannot be had. */
export async function listen(server: Server, listenUrl: string): Promise<string> {
  const url = new URL(listenUrl);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(
      Number(url.port || (url.protocol === "wss:" ? 443 : 80)),
      url.hostname.replace(/^\[|\]$/g, ""),
      resolve,
    );
  });
  url.port = String((server.address() as AddressInfo).port);
  return url.href.replace(/\/$/, "");
}
