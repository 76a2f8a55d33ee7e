import type { WebSocket } from "ws";

const high = 256 * 1024;
const low = 64 * 1024;

/** Send, and stop reading from where it came while the receiver is slow, so that neither side can grow memory. */
export function sendUnderPressure(to: WebSocket, from: WebSocket | undefined, bytes: Buffer, binary: boolean): void {
  if (to.readyState !== to.OPEN) return;
  to.send(bytes, { binary }, from && (() => to.bufferedAmount <= low && from.isPaused && from.resume()));
  if (from && to.bufferedAmount > high) from.pause();
}
