import type { Server } from "node:http";
import { BlockList, type Socket, type SocketAddress } from "node:net";
import { Server as TlsServer } from "node:tls";
import { type Doorway, plainAddress } from "./admission.ts";
import type { Context } from "./context.ts";
import type { Sources } from "./source.ts";
import type { Turnstile } from "./turnstile.ts";

/** Half of what an address may have is for connections that are no WebSocket yet, or never become one. */
const crowding = 2;

/** What a browser's connection passes before it is HTTP or TLS. */
export interface FrontDoor {
  readonly sources: Sources;
  readonly doorway: Doorway;
  readonly turnstile: Turnstile;
  /** Every TCP connection, those that are not HTTP yet too. */
  readonly standing: Set<Socket>;
  readonly context: Pick<Context, "limits" | "log">;
}

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

const mayCome = (address: string, { sources, turnstile }: FrontDoor): boolean =>
  turnstile.admits(address, sources.isProxy(address));

/** What a new connection is for comes when it is its turn. */
export function receiveThrough(server: Server, door: FrontDoor, proxyProtocol: boolean): void {
  const listeners = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  Object.assign(server, { blockList: new FullFor((address) => !mayCome(address, door)) });
  server.on("connection", (socket: Socket) => {
    // Reset before it was accepted: nobody was asked whether it may come, for there is nothing to count it under.
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const address = plainAddress(socket.remoteAddress);
    const crowd = door.sources.isProxy(address);
    if (!stepIn(socket, address, crowd, door)) {
      socket.destroy();
      return;
    }
    const named = crowd ? (first: Buffer) => door.sources.named(address, first) : undefined;
    door.turnstile.come({ socket, named }, () => {
      for (const listener of listeners) listener.call(server, socket);
      // TLS takes over what lies beneath the socket; who else reads it was given what came first.
      if (proxyProtocol || !(server instanceof TlsServer)) socket.resume();
    });
  });
}

/** Whether its address may have one more. */
function stepIn(socket: Socket, address: string, crowd: boolean, door: FrontDoor): boolean {
  const { doorway, standing, context } = door;
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
