import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { Doorway } from "../../../src/gateway/admission.ts";
import { type FrontDoor, receiveThrough } from "../../../src/gateway/front-door.ts";

it("makes nothing of connections that were reset before they were accepted", async () => {
  const server = createServer();
  onTestFinished(() => void server.close());
  const came: (string | undefined)[] = [];
  const door = {
    sources: { isProxy: () => false },
    doorway: new Doorway(),
    turnstile: { admits: () => true, come: ({ socket }: { socket: Socket }) => came.push(socket.remoteAddress) },
    standing: new Set<Socket>(),
    context: { limits: () => ({ connectionsPerAddress: 100 }), log: { debug: () => undefined } },
  };
  receiveThrough(server, door as unknown as FrontDoor, false);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  // In a process of its own, while this one stands still and accepts nobody.
  const reset = `
    for (let at = 0; at < 20; at++) {
      const socket = require("node:net").connect({ port: ${port}, host: "127.0.0.1" });
      socket.on("connect", () => { socket.write("hello"); socket.resetAndDestroy(); });
    }`;
  execFileSync(process.execPath, ["-e", reset]);
  // They are accepted in the order in which they came.
  const last = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
  await expect.poll(() => came).toContain("127.0.0.2");
  expect(came).toEqual(["127.0.0.2"]);
  expect(door.standing.size).toBe(1);
  last.destroy();
  for (const socket of door.standing) socket.destroy();
});
