import type { Duplex } from "node:stream";

/** What is beneath a socket, as Node's own HTTP server handles it. */
interface Handle {
  reading: boolean;
  readStart(): void;
  readStop(): void;
}

const handleOf = (socket: Duplex): Handle | null | undefined =>
  (socket as Duplex & { readonly _handle?: Handle | null })._handle;

/**
 * By itself a paused socket is read on until its buffer is full: 64 KB of each of many strangers, decrypted in one turn
 * of the event loop. This one is not: what comes waits at the sender. Node's HTTP server does the same, until an upgrade.
 */
export function readNothingWhilePaused(socket: Duplex): void {
  socket.on("pause", () => {
    const handle = handleOf(socket);
    if (!handle?.reading) return;
    handle.reading = false;
    handle.readStop();
  });
  socket.on("resume", () => {
    const handle = handleOf(socket);
    if (!handle || handle.reading) return;
    handle.reading = true;
    handle.readStart();
  });
}

/**
 * Tells of each piece, in bytes, that is read of a socket though it is paused: Node has no event for it. So it can be given
 * up, and yet that its peer is gone is noticed. Returns how no more is told.
 */
export function heedReadAhead(socket: Duplex, piece: (bytes: number) => void): () => void {
  const { push } = socket;
  socket.push = (bytes: Buffer | null, encoding?: BufferEncoding): boolean => {
    if (bytes) piece(bytes.length);
    return !socket.destroyed && push.call(socket, bytes, encoding);
  };
  return () => Reflect.deleteProperty(socket, "push");
}
