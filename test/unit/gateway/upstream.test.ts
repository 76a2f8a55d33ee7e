import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type Opened, openUpstream } from "../../../src/gateway/upstream.ts";

const announced = { address: "192.0.2.1", port: 40_000, family: 4 } as const;
let server: WebSocketServer;
let url: string;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "sip" });
  await once(server, "listening");
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

async function opened(): Promise<{ leg: Opened; far: WebSocket }> {
  const connected = once(server, "connection");
  const leg = await openUpstream({ urls: [url], proxyProtocol: "off" }, announced, {});
  const [far] = (await connected) as [WebSocket];
  return { leg, far };
}

const closeOf = ({ socket }: Opened): Promise<number> => new Promise((resolve) => socket.once("close", resolve));

function sendInPieces(far: WebSocket, pieces: number): void {
  for (let at = 1; at <= pieces; at++) far.send("x", { fin: at === pieces });
}

describe("the upstream end of a leg", () => {
  it("takes a message in a thousand fragments, and ends over more of them", async () => {
    const { leg, far } = await opened();
    const received = once(leg.socket, "message");
    sendInPieces(far, 1_024);
    expect(String((await received)[0])).toBe("x".repeat(1_024));
    const closed = closeOf(leg);
    sendInPieces(far, 1_025);
    expect(await closed).toBe(1006);
  });

  it("takes a message of 65,535 bytes, and ends over a longer one", async () => {
    const { leg, far } = await opened();
    const received = once(leg.socket, "message");
    far.send("x".repeat(65_535));
    expect((await received)[0]).toHaveLength(65_535);
    const closed = closeOf(leg);
    far.send("x".repeat(65_536));
    expect(await closed).toBe(1006);
  });

  it("loses nothing that comes together with the 101, as where a busy gateway reads late", async () => {
    server.once("headers", (_lines, { socket }) => socket.cork());
    server.once("connection", (far, { socket }) => {
      far.send("the first");
      socket.uncork();
    });
    const { leg, far } = await opened();
    const received: string[] = [];
    leg.socket.on("message", (data) => received.push(String(data)));
    far.send("the last");
    await expect.poll(() => received.at(-1)).toBe("the last");
    expect(received).toEqual(["the first", "the last"]);
  });

  it("is asked by TCP whether it is still there, for nothing else tells of a machine that is gone", async () => {
    const connected = once(server, "connection");
    await opened();
    const [, { socket }] = (await connected) as [WebSocket, IncomingMessage];
    const hex = (port = 0): string => `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const [own, far] = [hex(socket.remotePort), hex(socket.localPort)];
    // Local and remote address, then which timer runs (02: keep-alive) and for how many ticks of a hundredth of a second.
    const timer = (): string | undefined =>
      readFileSync("/proc/net/tcp", "latin1")
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .find(([, local, remote]) => local?.endsWith(own) && remote?.endsWith(far))?.[5];
    await expect.poll(timer, { timeout: 5_000 }).toMatch(/^02:/);
    expect(Number.parseInt(timer()?.slice(3) ?? "", 16)).toBeLessThanOrEqual(2_000);
  });

  it("is closed within seconds though the far end does not answer the close", async () => {
    const { leg, far } = await opened();
    far.pause();
    const asked = performance.now();
    leg.socket.close(1000);
    await once(leg.socket, "close");
    expect(performance.now() - asked).toBeLessThan(4_000);
  });

  it("is waited for five seconds, where it takes a connection and says nothing", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const began = performance.now();
    const opening = openUpstream({ urls: [`ws://127.0.0.1:${port}`], proxyProtocol: "off" }, announced, {});
    await expect(opening).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(performance.now() - began).toBeGreaterThan(4_500);
    expect(performance.now() - began).toBeLessThan(8_000);
    silent.close();
  });
});
