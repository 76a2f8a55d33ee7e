import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import { type Ended, ended, postern, startPostern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
const running = new Set<() => void>();
afterAll(() => {
  for (const stop of running) stop();
  folder.remove();
});

const text = (gateway: string, more = ""): string => `\
gateway: { listen: "${gateway}" }
upstream: { urls: ["ws://127.0.0.1:5080"] }
chain: { secret: chain-secret-of-the-test }
admin: { listen: "http://127.0.0.1:0" }
${more}`;

interface Served {
  readonly gateway: string;
  readonly admin: string;
  readonly end: Promise<Ended>;
  signal(signal: NodeJS.Signals): void;
}

/** `postern serve`, when it has printed both of its lines. */
async function serve(config: string): Promise<Served> {
  const child = startPostern(["serve", "-c", folder.write("postern.yaml", config)]);
  const stop = (): void => void child.kill("SIGKILL");
  running.add(stop);
  const end = ended(child).finally(() => running.delete(stop));
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) if (lines.push(line) === 2) break;
  child.stdout.resume();
  const [gateway = "", admin = ""] = lines;
  return { gateway, admin, end, signal: (signal) => child.kill(signal) };
}

const portOf = (line: string): number => Number(/:(\d+)$/.exec(line)?.[1]);

const upgrade = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Protocol: sip",
  "\r\n",
].join("\r\n");

describe("postern serve", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("prints where it listens, and ends with exit 0 by %s", async (signal) => {
    const { gateway, admin, end, signal: send } = await serve(text("ws://127.0.0.1:0"));
    expect(gateway).toMatch(/^gateway ws:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect(admin).toMatch(/^admin http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect((await fetch(`http://127.0.0.1:${portOf(admin)}/livez`)).status).toBe(200);
    send(signal);
    expect(await end).toMatchObject({ exit: 0, signal: null });
    await expect(once(connect(portOf(gateway), "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
  });

  it("ends at once by a second signal, where a client keeps the first one waiting", async () => {
    const { gateway, end, signal } = await serve(text("ws://127.0.0.1:0"));
    const client = connect(portOf(gateway), "127.0.0.1").on("error", () => client.destroy());
    client.write(upgrade);
    await once(client, "data");
    signal("SIGTERM");
    // The close frame, which this client never answers.
    await once(client, "data");
    signal("SIGINT");
    expect(await end).toMatchObject({ exit: 1, signal: null });
    client.destroy();
  });

  it("logs once what is not available yet, as JSON on stderr", async () => {
    const { end, signal } = await serve(text("ws://127.0.0.1:0", "state: redis://127.0.0.1\n"));
    signal("SIGTERM");
    const { stderr } = await end;
    const said = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).msg);
    expect(said.filter((message) => /not available/.test(message))).toEqual(["not available yet: state"]);
  });

  it("starts nothing with a faulty config: every fault, exit 2", async () => {
    const file = folder.write("bad.yaml", text("ws://0.0.0.0:8088", "extra: 1\n"));
    const { exit, stdout, stderr } = await postern(["serve", "-c", file]);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^\S+:1: gateway\.listen: .*\n\S+:5: extra: .*\n$/);
  });

  it("says in one sentence that a port is taken, exit 1", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const { exit, stdout, stderr } = await postern([
      "serve",
      "-c",
      folder.write("taken.yaml", text(`ws://127.0.0.1:${port}`)),
    ]);
    other.close();
    expect([exit, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`error: cannot listen on 127.0.0.1 port ${port}: another program listens there already\n`);
  });
});
