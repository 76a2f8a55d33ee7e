import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Below the range that the system gives to outgoing connections, so that none of those takes one meanwhile. */
const lowest = 10_000;
const highest = 32_000;
const given = new Set<number>();

/** A port free for TCP and UDP on every host named, random, never given twice by this process. */
export async function freePort(...hosts: string[]): Promise<number> {
  const wanted = hosts.length === 0 ? ["127.0.0.1"] : hosts;
  for (;;) {
    const port = randomInt(lowest, highest);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port, wanted)) return port;
  }
}

/** The first of so many ports in a row, likewise; even, as RTP wants it. */
export async function freePorts(count: number, ...hosts: string[]): Promise<number> {
  const wanted = hosts.length === 0 ? ["127.0.0.1"] : hosts;
  for (;;) {
    const first = 2 * randomInt(lowest / 2, (highest - count) / 2);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.some((port) => given.has(port))) continue;
    const free = await Promise.all(ports.map((port) => isFree(port, wanted)));
    if (!free.every(Boolean)) continue;
    for (const port of ports) given.add(port);
    return first;
  }
}

async function isFree(port: number, hosts: readonly string[]): Promise<boolean> {
  for (const host of hosts) {
    if (!(await tcpIsFree(host, port)) || !(await udpIsFree(host, port))) return false;
  }
  return true;
}

const tcpIsFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });

const udpIsFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
