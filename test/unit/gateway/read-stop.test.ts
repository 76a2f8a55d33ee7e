import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { readNothingWhilePaused } from "../../../src/gateway/read-stop.ts";
import { ConfigFolder } from "../../helpers/config-file.ts";

const size = 20_000;
const text = Buffer.alloc(size, "x");

/** Both ends of a connection, our own one paused. */
async function pair(server: Server, event: string, reach: (port: number) => Socket): Promise<[Socket, Socket]> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const theirs = reach((server.address() as AddressInfo).port);
  const [ours] = (await once(server, event)) as [Socket];
  onTestFinished(() => {
    ours.destroy();
    theirs.destroy();
    server.close();
  });
  return [ours, theirs];
}

const plain = (): Promise<[Socket, Socket]> => pair(createServer(), "connection", (port) => connect(port, "127.0.0.1"));

const overTls = (): Promise<[Socket, Socket]> => {
  const folder = new ConfigFolder();
  folder.certificate("own");
  const [cert, key] = ["cert", "key"].map((part) => readFileSync(join(folder.path, `own-${part}.pem`)));
  folder.remove();
  const server = createTlsServer({ cert, key });
  return pair(server, "secureConnection", (port) => connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }));
};

/** What the kernel has taken for one connection can be read by then: another one's came after it. */
async function elsewhere(): Promise<void> {
  const [ours, theirs] = await plain();
  const came = once(ours, "data");
  theirs.write("x");
  await came;
}

describe.each([
  ["TCP", plain],
  ["TLS", overTls],
])("a socket over %s", (_, connection) => {
  it("that is paused is not read, until it goes on", async () => {
    const [ours, theirs] = await connection();
    readNothingWhilePaused(ours);
    let got = 0;
    ours.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    theirs.write("first");
    await once(ours, "data");
    ours.pause();
    await new Promise((resolve) => theirs.write(text, resolve));
    await elsewhere();
    expect([got, ours.readableLength]).toEqual([5, 0]);
    ours.resume();
    await expect.poll(() => got, { timeout: 10_000 }).toBe(size + 5);
  });

  it("twin: by itself reads on though it is paused", async () => {
    const [ours, theirs] = await connection();
    ours.on("data", () => {});
    theirs.write("first");
    await once(ours, "data");
    ours.pause();
    theirs.write(text);
    await expect.poll(() => ours.readableLength, { timeout: 10_000 }).toBe(size);
  });
});
