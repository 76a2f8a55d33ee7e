import type { IncomingMessage, Server } from "node:http";
import { Server as TlsServer } from "node:https";
import { BlockList, type Socket, type SocketAddress } from "node:net";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { refuse } from "../core/errors.ts";
import { answerAndClose, type Problem } from "../core/http.ts";
import { Doorway, plainAddress } from "./admission.ts";
import { Connection, type Peer } from "./connection.ts";
import type { Context } from "./context.ts";
import { drain } from "./drain.ts";
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

interface Hall {
  readonly sockets: WebSocketServer;
  readonly connections: Set<Connection>;
  /** Those whose browser is gone, and what it left is not: they can be sent away yet. */
  readonly lingering: Set<Connection>;
  /** Aborted when the gateway closes: nobody waits for browsers to come back. */
  readonly hurry: AbortController;
  readonly sources: Sources;
  /** Connections that are over and whose legs take their leave of Kamailio. */
  readonly leaving: Set<Promise<void>>;
  readonly doorway: Doorway;
  readonly turnstile: Turnstile;
  readonly unanswered: Unanswered;
  /** Every TCP connection, those that are not HTTP yet too. */
  readonly standing: Set<Socket>;
  readonly context: Context;
}

/** Half of what an address may have is for connections that are no WebSocket yet, or never become one. */
const crowding = 2;

const mayCome = (address: string, { sources, turnstile }: Hall): boolean =>
  turnstile.admits(address, sources.isProxy(address));

/** Node asks it before it makes a socket of a connection: most of a flood goes there, and leaves V8 nothing to collect. */
class FullFor extends BlockList {
  readonly #isFull: (address: string) => boolean;

  constructor(isFull: (address: string) => boolean) {
    super();
    this.#isFull = isFull;
  }

  override check(address: SocketAddress | string): boolean {
    return this.#isFull(plainAddress(typeof address === "string" ? address : address.address));
  }
}

/** What a new connection is for comes when it is its turn. */
function receiveThrough(server: Server, hall: Hall, proxyProtocol: boolean): void {
  const listeners = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  Object.assign(server, { blockList: new FullFor((address) => !mayCome(address, hall)) });
  server.on("connection", (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? "");
    const crowd = hall.sources.isProxy(address);
    if (!stepIn(socket, address, crowd, hall)) {
      socket.destroy();
      return;
    }
    const named = crowd ? (first: Buffer) => hall.sources.named(address, first) : undefined;
    hall.turnstile.come({ socket, named }, () => {
      for (const listener of listeners) listener.call(server, socket);
      // TLS takes over what lies beneath the socket; who else reads it was given what came first.
      if (proxyProtocol || !(server instanceof TlsServer)) socket.resume();
    });
  });
}

/** Whether its address may have one more. */
function stepIn(socket: Socket, address: string, crowd: boolean, { doorway, standing, context }: Hall): boolean {
  if (!crowd && !doorway.enter(address, crowding * context.limits().connectionsPerAddress)) {
    context.log.debug({ address }, "too many connections of one address");
    return false;
  }
  standing.add(socket);
  socket.once("close", () => {
    standing.delete(socket);
    if (!crowd) doorway.leave(address);
  });
  return true;
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
