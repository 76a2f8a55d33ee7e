import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";

let gateway: TestGateway;
const sockets: Socket[] = [];
beforeAll(async () => {
  gateway = await startGateway({ upstreamUrls: ["ws://127.0.0.1:1"] });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => gateway?.close());

async function dial(url: string, localAddress = "127.0.0.1"): Promise<Socket> {
  const { port, hostname } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, localAddress });
  sockets.push(socket.on("error", () => socket.destroy()));
  await once(socket, "connect");
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

describe.each([
  ["public", "/healthz"],
  ["private", "/livez"],
])("requests of one connection to the %s port", (port, path) => {
  const url = (): string => (port === "public" ? gateway.gatewayUrl : gateway.adminUrl);

  it("are a thousand that are answered, all sent at once too; another connection is served", async () => {
    const socket = await dial(url());
    socket.write(get(path).repeat(1_100));
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    const statuses = (): string[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status = ""]) => status);
    await expect.poll(() => statuses().length, { timeout: 10_000 }).toBe(1_100);
    expect(statuses()).toEqual([...Array(1_000).fill("200"), ...Array(100).fill("503")]);
    const another = await dial(url());
    another.write(get(path));
    expect(String((await once(another, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("requests of one address to the public port, all sent at once", () => {
  it("do not hold up another address", async () => {
    const [flood, other] = [await dial(gateway.gatewayUrl), await dial(gateway.gatewayUrl, "127.0.0.2")];
    let text = "";
    flood.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    const answered = (): number => text.split("HTTP/1.1 200 ").length - 1;
    const first = once(other, "data").then(answered);
    flood.write(get("/healthz").repeat(1_000));
    other.write(get("/healthz"));
    expect(await first).toBeLessThan(900);
    await expect.poll(answered, { timeout: 10_000 }).toBe(1_000);
  });

  it("that are too many to wait end their connection, and others are served", async () => {
    const floods = await Promise.all(Array.from({ length: 4 }, () => dial(gateway.gatewayUrl)));
    const all = floods.map(async (flood) => {
      let text = "";
      flood.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
      });
      await new Promise((gone) => flood.once("close", gone));
      return text.split("HTTP/1.1 200 ").length - 1;
    });
    for (const flood of floods) flood.write(get("/healthz").repeat(1_000));
    const answered = await Promise.all(all);
    expect(answered.filter((count) => count === 1_000).length).toBeLessThan(4);
    const other = await dial(gateway.gatewayUrl);
    other.write(get("/healthz"));
    expect(String((await once(other, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("a connection that has its answer", () => {
  it("is closed after five seconds without a further request, on both ports", async () => {
    const ends = [`${gateway.gatewayUrl} /healthz`, `${gateway.adminUrl} /livez`].map(async (asked) => {
      const [url = "", path = ""] = asked.split(" ");
      const socket = await dial(url);
      socket.write(get(path));
      await once(socket, "data");
      const began = performance.now();
      await once(socket.resume(), "close");
      return performance.now() - began;
    });
    for (const lasted of await Promise.all(ends)) {
      expect(lasted).toBeGreaterThan(4_000);
      expect(lasted).toBeLessThan(8_000);
    }
  });
});

describe("connections to the private port", () => {
  it("are half of them one address's at most: those above are closed at once, and others find room", async () => {
    const flood = await Promise.all(Array.from({ length: 512 }, () => dial(gateway.adminUrl, "127.0.0.4")));
    await expect.poll(() => flood.filter(({ readyState }) => readyState === "open").length).toBe(256);
    const served = async (from: string): Promise<string> => {
      const socket = await dial(gateway.adminUrl, from);
      socket.write(get("/livez"));
      return (await Promise.race([once(socket, "data"), once(socket, "close")]).catch(() => [])).join("").slice(0, 12);
    };
    expect(await served("127.0.0.1")).toBe("HTTP/1.1 200");
    for (const socket of flood) socket.destroy();
    await expect.poll(() => served("127.0.0.4")).toBe("HTTP/1.1 200");
  });

  it("are 512 at most: those above are closed at once, and there is room again", async () => {
    const all = Array.from({ length: 512 }, (_, at) => dial(gateway.adminUrl, `127.0.0.${1 + (at % 2)}`));
    const open = await Promise.all(all);
    for (const socket of open.slice(0, 511)) socket.write("GET /livez HTTP/1.1\r\n");
    const above = await dial(gateway.adminUrl, "127.0.0.3");
    above.write(get("/livez"));
    expect((await buffer(above).catch(() => Buffer.alloc(0))).length).toBe(0);
    const last = open[511]!;
    last.write(get("/livez"));
    expect(String((await once(last, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
    for (const socket of open.splice(0)) socket.destroy();
    await expect
      .poll(async () => {
        const next = await dial(gateway.adminUrl);
        next.write(get("/livez").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
        return (await buffer(next).catch(() => Buffer.alloc(0))).toString("latin1").slice(0, 12);
      })
      .toBe("HTTP/1.1 200");
  });
});
