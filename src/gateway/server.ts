import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { type Refusal, refuse } from "../core/errors.ts";
import { plainAddress } from "./admission.ts";
import { Connection, type Peer } from "./connection.ts";
import type { Context } from "./context.ts";
import { closing, judgeHandshake } from "./handshake.ts";

export interface GatewayOptions {
  /** `ws://host:port` or `wss://host:port`. */
  readonly listen: string;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Plain HTTP requests on the same port. */
  readonly http: RequestListener;
}

export interface Gateway {
  /** With the port that was really taken. */
  readonly url: string;
  close(): Promise<void>;
}

const pingEvery = 25_000;
const minPayload = 65_536;
const closeGrace = 2_000;

/** Listen for browsers. Rejects where the address cannot be had. */
export async function openGateway(options: GatewayOptions, context: Context): Promise<Gateway> {
  const server = httpServer(options, context);
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: Math.max(minPayload, 2 * context.limits().messageBytes),
    handleProtocols: () => "sip",
  });
  const leaving = new Set<Promise<void>>();
  server.on("upgrade", (request, socket, head) => upgrade(request, socket, head, { sockets, leaving, context }));
  const pinging = setInterval(() => pingAll(sockets), pingEvery);
  pinging.unref();
  const url = await listen(server, options.listen);
  return {
    url,
    close: async () => {
      clearInterval(pinging);
      await closeAll(server, sockets);
      await Promise.all(leaving);
    },
  };
}

function httpServer({ listen: url, tls, http }: GatewayOptions, context: Context): Server {
  const { preAuthSeconds } = context.limits();
  const patience =
    preAuthSeconds === 0 ? {} : { headersTimeout: preAuthSeconds * 1000, requestTimeout: preAuthSeconds * 1000 };
  const common = {
    ...patience,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 16_384,
    noDelay: true,
  };
  if (!url.startsWith("wss:")) return createServer(common, http);
  const files = { cert: readFileSync(tls!.cert), key: readFileSync(tls!.key) };
  const handshakeTimeout = preAuthSeconds === 0 ? {} : { handshakeTimeout: preAuthSeconds * 1000 };
  return createTlsServer({ ...common, ...files, ...handshakeTimeout, minVersion: "TLSv1.2" }, http);
}

interface Hall {
  readonly sockets: WebSocketServer;
  /** Connections that are over and whose legs take their leave of Kamailio. */
  readonly leaving: Set<Promise<void>>;
  readonly context: Context;
}

function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, hall: Hall): void {
  const { sockets, context } = hall;
  const { remoteAddress, remotePort } = request.socket;
  stream.on("error", (error) => context.log.debug({ reason: error.message }, "a client's socket failed"));
  const address = plainAddress(remoteAddress ?? "");
  const verdict = judgeHandshake(request, address, context);
  if (verdict.kind === "rejected") {
    rejectUpgrade(stream, verdict.status, verdict.sentence);
    return;
  }
  sockets.handleUpgrade(request, stream, head, (socket) => {
    if (verdict.kind === "turned-away") turnAway(socket, verdict.refusal, address, context);
    else welcome(socket, { address, port: remotePort ?? 0, origin: verdict.origin }, hall);
  });
}

function rejectUpgrade(stream: Duplex, status: 400 | 503, sentence: string): void {
  const reason = status === 400 ? "Bad Request" : "Service Unavailable";
  const code = status === 400 ? "message-malformed" : "limit-reached";
  const body = JSON.stringify({ title: reason, status, code, detail: sentence });
  const retry = status === 503 ? "Retry-After: 5\r\n" : "";
  // Node's own time limits no longer hold for a socket that asked for an upgrade.
  setTimeout(() => stream.destroy(), closeGrace).unref();
  stream.once("finish", () => stream.destroy());
  stream.end(
    `HTTP/1.1 ${status} ${reason}\r\n${retry}Connection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function turnAway(socket: WebSocket, refusal: Refusal, address: string, { log, metrics }: Context): void {
  metrics.verdict(refusal.code);
  log.info({ address, code: refusal.code, reason: refusal.sentence }, "turned away");
  socket.on("error", (error) => log.debug({ reason: error.message }, "protocol error"));
  socket.close(...closing(refusal));
  setTimeout(() => socket.terminate(), closeGrace).unref();
}

const unanswered = new WeakMap<WebSocket, number>();

function welcome(socket: WebSocket, peer: Peer, { leaving, context }: Hall): void {
  const connection = new Connection(socket, peer, context);
  context.admission.enter(peer.address, connection);
  context.metrics.connections.inc();
  context.log.info(
    { connection: connection.id, address: peer.address, port: peer.port, origin: peer.origin },
    "connected",
  );
  socket.on("pong", () => unanswered.set(socket, 0));
  socket.on("close", (code) => {
    const leave = connection
      .end()
      .catch((error: unknown) => context.log.error({ err: error }, "a leg could not be ended"));
    leaving.add(leave);
    void leave.finally(() => leaving.delete(leave));
    context.admission.leave(peer.address, connection);
    context.metrics.connections.dec();
    context.log.debug({ connection: connection.id, code }, "disconnected");
  });
}

/** A browser answers pings by itself; one that has missed two is gone. */
function pingAll(sockets: WebSocketServer): void {
  for (const socket of sockets.clients) {
    const missed = unanswered.get(socket) ?? 0;
    if (missed >= 2) socket.terminate();
    else if (socket.readyState === socket.OPEN) {
      unanswered.set(socket, missed + 1);
      socket.ping();
    }
  }
}

async function listen(server: Server, listenUrl: string): Promise<string> {
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

/** Every client is told to come back later; who does not take its leave is cut off. */
async function closeAll(server: Server, sockets: WebSocketServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets.clients) socket.close(...closing(refuse("draining", "the gateway is stopping")));
  server.closeIdleConnections();
  const cut = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
  }, closeGrace);
  await closed;
  clearTimeout(cut);
}
