import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A UDP socket that keeps what it gets: a stranger, or the place where nothing may arrive. */
export interface UdpSink {
  readonly host: string;
  readonly port: number;
  received(): readonly string[];
  send(message: string, to: { readonly host: string; readonly port: number }): void;
  waitFor(predicate: (message: string) => boolean, timeoutMs?: number): Promise<string>;
  close(): Promise<void>;
}

export async function openUdpSink(host = "127.0.0.8"): Promise<UdpSink> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.setMaxListeners(0); // one for each message that a test waits for
  const received: string[] = [];
  socket.on("message", (data) => received.push(data.toString("latin1")));
  socket.bind(0, host);
  await once(socket, "listening");
  const waitFor = (predicate: (message: string) => boolean, timeoutMs = 10_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        socket.off("message", look);
        how();
      };
      const look = (): void => {
        const found = received.find(predicate);
        if (found !== undefined) settle(() => resolve(found));
      };
      const late = (): void =>
        reject(new Error(`no such message within ${timeoutMs} ms, only:\n${received.join("\n")}`));
      const timer = setTimeout(() => settle(late), timeoutMs);
      socket.on("message", look);
      look();
    });
  return {
    host,
    port: socket.address().port,
    received: () => received,
    send: (message, to) => socket.send(message, to.port, to.host),
    waitFor,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
