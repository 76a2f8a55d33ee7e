import { isUtf8 } from "node:buffer";
import type { WebSocket } from "ws";
import type { Message } from "../sip/message.ts";
import { scan } from "../sip/scan.ts";
import type { Tap } from "../telemetry/tap.ts";
import { transactionKey } from "./transactions.ts";

const leaveMs = 3_000;

/** Something of the gateway's own making. */
export function say(socket: WebSocket, bytes: Buffer, tap: Tap): void {
  const scanned = scan(bytes);
  if (scanned.kind === "message") tap.toUpstream(scanned.message, bytes);
  socket.send(bytes, { binary: !isUtf8(bytes) });
}

/** The transactions that this message of ours ends with an answer; a cancelled INVITE has one of its own. */
export function keysOf(bytes: Buffer): string[] {
  const scanned = scan(bytes);
  if (scanned.kind === "malformed" || !scanned.message.isRequest || scanned.message.method === "ACK") return [];
  const { message } = scanned;
  const key = transactionKey(message);
  return message.method === "CANCEL" ? [key, `${message.via.branch} INVITE`] : [key];
}

/**
 * Whether the final responses to these messages come before the time is up or the socket closes. late: what an answer
 * calls for that crossed our own words; it is waited for as well.
 */
export function answered(
  socket: WebSocket,
  messages: readonly Buffer[],
  tap: Tap,
  late: (response: Message) => readonly Buffer[],
): Promise<boolean> {
  return new Promise((resolve) => {
    const awaited = new Set(messages.flatMap(keysOf));
    const timer = setTimeout(resolve, leaveMs, false);
    const done = (tidy: boolean): void => {
      clearTimeout(timer);
      resolve(tidy);
    };
    socket.once("close", () => done(false));
    socket.on("message", (data: Buffer) => {
      const scanned = scan(data, { lengthRequired: false });
      if (scanned.kind === "malformed" || scanned.message.status < 200) return;
      const { message } = scanned;
      tap.fromUpstream(message, data);
      const more = late(message);
      for (const key of more.flatMap(keysOf)) awaited.add(key);
      for (const bytes of more) say(socket, bytes, tap);
      // What was asked before we took our leave may be answered yet.
      if (!awaited.delete(transactionKey(message))) return;
      if (message.method === "REGISTER" && message.status >= 300) done(false);
      if (awaited.size === 0) done(true);
    });
    if (awaited.size === 0) done(true);
  });
}
