import type { Server } from "node:net";
import { addressKey } from "../core/counted.ts";

/** Connections of one address (a /64 of IPv6): what one may take, another finds free. */
const mostOfAddress = 256;

/** Those above are closed at once. */
export function leaveHalf(server: Server): void {
  const open = new Map<string, number>();
  server.on("connection", (socket) => {
    const address = addressKey(socket.remoteAddress ?? "");
    const count = open.get(address) ?? 0;
    if (count >= mostOfAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count + 1);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}
