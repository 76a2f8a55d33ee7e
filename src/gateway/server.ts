import type { IncomingMessage, Server } from "node:http";
import { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { refuse } from "../core/errors.ts";
import { answerAndClose, type Problem } from "../core/http.ts";
import { Doorway, plainAddress } from "./admission.ts";
import { Connection, type Peer } from "./connection.ts";
import type { Context } from "./context.ts";
import { drain } from "./drain.ts";
import { type FrontDoor, receiveThrough } from "./front-door.ts";
import { closing, type Handshake, judgeHandshake } from "./handshake.ts";
import { httpServer, listen, noHandshake, type PlainHttpOptions, read, type TlsFiles } from "./plain-http.ts";
import type { Source } from "./proxy-header.ts";
import { readNothingWhilePaused } from "./read-stop.ts";
import type { Sources } from "./source.ts";
import { Turnstile } from "./turnstile.ts";
import { Unanswered, upgradeFault } from "./upgrade-fault.ts";

export interface GatewayOptions extends PlainHttpOptions {
  readonly sources: Sources;
  /** Read a PROXY header from every connection. */
  readonly proxyProtocol: boolean;
}

export interface Gateway {
  /** With the port that was really taken. */
  readonly url: string;
  /** Certificate and key files were replaced, or others are to be used. Throws where they cannot be used. */
  useTls(files: TlsFiles): void;
  /**
   * These customers were changed, or maybe all: whoever of them was revoked is sent away with 4403, and where a removed
   * secret or key takes along what it proved, whoever stands on one.
   */
  dismissRevoked(changed: { readonly customers?: ReadonlySet<string>; readonly alsoRemoved: boolean }): void;
  /** Refuses what is new, lets calls end for so many seconds, and dismisses everybody. */
  drain(seconds: number): Promise<void>;
  close(): Promise<void>;
}

const pingEvery = 25_000;
const minPayload = 65_536;
/** Of one message, and pieces of one frame that came apart: each costs some hundred bytes beside its own. */
const maxPieces = 1024;
const closeGrace = 2_000;

/** Listen for browsers. Rejects where the address cannot be had. */
export async function openGateway(options: GatewayOptions, context: Context): Promise<Gateway> {
  const server = httpServer(options, context.limits());
  // closeTimeout: what the types do not know.
  const frames: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    perMessageDeflate: false,
    maxPayload: Math.max(minPayload, 2 * context.limits().messageBytes),
    maxFragments: maxPieces,
    maxBufferedChunks: maxPieces,
    closeTimeout: closeGrace,
    handleProtocols: () => "sip",
  };
  const sockets = new WebSocketServer(frames);
  sockets.on("wsClientError", (_error, stream) => rejectUpgrade(stream, noHandshake, context));
  const hall: Hall = {
    sockets,
    connections: new Set(),
    lingering: new Set(),
    leaving: new Set(),
    hurry: new AbortController(),
    sources: options.sources,
    doorway: new Doorway(),
    turnstile: new Turnstile({
      scarce: context.memoryShort,
      accepted: () => context.strangers.takeAccepted(),
      patience: () => context.limits().preAuthSeconds * 1000,
    }),
    unanswered: new Unanswered(server),
    standing: new Set(),
    context,
  };
  server.on("upgrade", (request, socket, head) => upgrade(request, socket, head, hall));
  if (options.proxyProtocol) options.sources.readHeaders(server);
  receiveThrough(server, hall, options.proxyProtocol);
  const pinging = setInterval(() => pingAll(sockets), pingEvery);
  pinging.unref();
  const url = await listen(server, options.listen);
  return {
    url,
    useTls: (files) => {
      if (server instanceof TlsServer) server.setSecureContext(read(files));
    },
    dismissRevoked: ({ customers, alsoRemoved }) => {
      const look = (connection: Connection): void => {
        const { customer } = connection;
        if (customer !== undefined && (customers?.has(customer) ?? true)) connection.dismissRevoked(alsoRemoved);
      };
      for (const connection of hall.connections) look(connection);
      for (const connection of hall.lingering) look(connection);
    },
    drain: (seconds) => drain({ connections: hall.connections, seconds, random: Math.random }),
    close: async () => {
      clearInterval(pinging);
      hall.turnstile.close();
      hall.hurry.abort();
      await closeAll(server, hall);
      await Promise.all(hall.leaving);
    },
  };
}

interface Hall extends FrontDoor {
  readonly sockets: WebSocketServer;
  readonly connections: Set<Connection>;
  /** Those whose browser is gone, and what it left is not: they can be sent away yet. */
  readonly lingering: Set<Connection>;
  /** Aborted when the gateway closes: nobody waits for browsers to come back. */
  readonly hurry: AbortController;
  /** Connections that are over and whose legs take their leave of Kamailio. */
  readonly leaving: Set<Promise<void>>;
  readonly unanswered: Unanswered;
  readonly context: Context;
}

function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, hall: Hall): void {
  const { sources, unanswered, context } = hall;
  stream.on("error", (error) => context.log.debug({ reason: error.message }, "a client's socket failed"));
  if (unanswered.has(stream)) {
    stream.destroy();
    return;
  }
  const fault = upgradeFault(request);
  if (fault) {
    rejectUpgrade(stream, fault, context);
    return;
  }
  const { address, port } = sources.of(request);
  const judged = judgeHandshake(request, address, context);
  const greet = (verdict: Handshake): void => receive(verdict, request, stream, head, { address, port }, hall);
  if (!(judged instanceof Promise)) {
    greet(judged);
    return;
  }
  // Not read meanwhile: what the client sends at once waits in its socket.
  judged.then(greet).catch((error: unknown) => {
    context.log.error({ err: error }, "an upgrade could not be judged");
    stream.destroy();
  });
}

/** The verdict on an upgrade takes effect. */
function receive(
  verdict: Handshake,
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
  { address, port }: Source,
  hall: Hall,
): void {
  const { sockets, context } = hall;
  if (verdict.kind === "rejected") {
    const { status, code, sentence } = verdict;
    const retry = status === 503 ? { headers: { "retry-after": "5" } } : {};
    rejectUpgrade(stream, { status, code, detail: sentence, ...retry }, context);
    return;
  }
  readNothingWhilePaused(stream);
  sockets.handleUpgrade(request, stream, head, (socket) => {
    if (verdict.kind === "turned-away") turnAway(socket, verdict, { address, origin: request.headers.origin }, context);
    else {
      hall.turnstile.through(request.socket);
      welcome(socket, { ...verdict, address, port, gateway: reachedAt(request) }, hall);
    }
  });
}

const reachedAt = ({ socket }: IncomingMessage): Peer["gateway"] => ({
  address: plainAddress(socket.localAddress ?? ""),
  port: socket.localPort ?? 0,
});

function rejectUpgrade(stream: Duplex, problem: Problem, { metrics }: Context): void {
  if (problem.code) metrics.verdict(problem.code);
  answerAndClose(stream, problem);
}

type TurnedAway = Extract<Handshake, { kind: "turned-away" }>;

function turnAway(
  socket: WebSocket,
  { refusal, customer }: TurnedAway,
  { address, origin }: { readonly address: string; readonly origin: string | undefined },
  { log, metrics, verdicts }: Context,
): void {
  metrics.verdict(refusal.code, customer);
  verdicts.refused({ refusal, way: "handshake", address, origin, customer });
  log.info({ address, customer, code: refusal.code, reason: refusal.sentence }, "turned away");
  socket.on("error", (error) => log.debug({ reason: error.message }, "protocol error"));
  socket.close(...closing(refusal));
  setTimeout(() => socket.terminate(), closeGrace).unref();
}

const missedPings = new WeakMap<WebSocket, number>();

function welcome(socket: WebSocket, peer: Peer, hall: Hall): void {
  const { leaving, connections, lingering, context } = hall;
  const connection = new Connection(socket, peer, context);
  connections.add(connection);
  context.admission.enter(peer.address, connection);
  context.sessions.enter(connection);
  context.metrics.connections.add(connection);
  context.log.info(
    { connection: connection.id, address: peer.address, port: peer.port, origin: peer.origin },
    "connected",
  );
  socket.on("pong", () => missedPings.set(socket, 0));
  socket.on("close", (code) => {
    connections.delete(connection);
    if (connection.lingers) lingering.add(connection);
    else context.sessions.leave(connection);
    const leave = connection
      .end(hall.hurry.signal)
      .catch((error: unknown) => context.log.error({ err: error }, "a leg could not be ended"));
    leaving.add(leave);
    void leave.finally(() => {
      leaving.delete(leave);
      lingering.delete(connection);
      context.sessions.leave(connection);
    });
    context.admission.leave(peer.address, connection);
    context.metrics.connections.delete(connection);
    context.log.debug({ connection: connection.id, code }, "disconnected");
  });
}

/** A browser answers pings by itself; one that has missed two is gone. */
function pingAll(sockets: WebSocketServer): void {
  for (const socket of sockets.clients) {
    const missed = missedPings.get(socket) ?? 0;
    if (missed >= 2) socket.terminate();
    else if (socket.readyState === socket.OPEN) {
      missedPings.set(socket, missed + 1);
      socket.ping();
    }
  }
}

/** Every client is told to come back later; who does not take its leave is cut off. */
async function closeAll(server: Server, { sockets, standing }: Hall): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const gone = [...sockets.clients].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  for (const socket of sockets.clients) socket.close(...closing(refuse("draining", "the gateway is stopping")));
  server.closeIdleConnections();
  const cut = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate();
    for (const socket of standing) socket.destroy();
  }, closeGrace);
  // The server is done before its sockets have said that they are, and with them their legs.
  await Promise.all([closed, ...gone]);
  clearTimeout(cut);
}
