import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Announcements } from "../../../src/gateway/announce.ts";
import { Chain } from "../../../src/gateway/chain.ts";
import { upstreamProbe } from "../../../src/gateway/probe.ts";

let server: Server | undefined;
afterEach(() => server?.close());
const now = (): number => 1_700_000_000_000;
const clock = { now };

/** A listener that tells what each connection said first, and refuses every upgrade. */
async function listener(host: string): Promise<{ url: string; said: string[] }> {
  const said: string[] = [];
  server = createServer((socket) => {
    let text = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      said.push(text);
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
  }).listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `ws://${host.includes(":") ? `[${host}]` : host}:${port}`, said };
}

it.each(["127.0.0.1", "::1"])("the probe announces an address of %s that no leg has", async (host) => {
  const { url, said } = await listener(host);
  const announcements = new Announcements(clock);
  const free = 50_000;
  for (let port = 1024; port <= 65_535; port++) if (port !== free) announcements.take(host, port);
  const probe = upstreamProbe({
    clock,
    announcements,
    upstream: () => ({ urls: [url], proxyProtocol: "v1" }),
    chain: () => new Chain({ secret: "0123456789abcdef", algorithm: "sha256", ttl: 60 }, clock),
  });
  expect(await probe()).toMatch(/refused the grant/);
  expect(said[0]).toMatch(new RegExp(`^PROXY TCP[46] ${host} \\S+ ${free} \\d+\\r\\n`));
  expect(said[0]).toContain(
    "X-Postern-Grant: 1700000060:probe@postern.invalid|trunk=|trunk2=|caller=|max=0|customer=postern",
  );
  expect(announcements.take(host, free)).toBe(free);
  expect(await probe()).toMatch(/refused the grant/);
  expect(said).toHaveLength(1);
});

it("the probe serves whoever asks within two seconds, and then asks anew", async () => {
  const { url, said } = await listener("127.0.0.1");
  let at = now();
  const standing = { now: () => at };
  const probe = upstreamProbe({
    clock: standing,
    announcements: new Announcements(standing),
    upstream: () => ({ urls: [url], proxyProtocol: "v1" }),
    chain: () => new Chain({ secret: "0123456789abcdef", algorithm: "sha256", ttl: 60 }, standing),
  });
  await Promise.all(Array.from({ length: 100 }, probe));
  at += 1_999;
  await probe();
  expect(said).toHaveLength(1);
  at += 1;
  await probe();
  expect(said).toHaveLength(2);
});
