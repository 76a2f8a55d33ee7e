import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { acmeSecret, chainSecret, startGateway } from "../helpers/gateway.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { code, credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { reply } from "../helpers/raw-sip.ts";

const folder = new ConfigFolder();
const running = new Set<() => void>();
let kamailio: Kamailio;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret });
});

afterAll(async () => {
  for (const stop of running) stop();
  await kamailio?.stop();
  folder.remove();
});

const config = (more = ""): string => `\
gateway: { listen: "ws://127.0.0.1:0" }
upstream: { urls: ["${kamailio.wsUrl}"] }
chain: { secret: "file:chain" }
admin: { listen: "http://127.0.0.1:0" }
drain: { seconds: 60 }
customers:
  - { id: acme, domains: [acme.example], secrets: [{ id: k1, secret: "${acmeSecret}" }]${more} }
`;

interface Line {
  readonly msg: string;
  readonly path?: string;
  readonly line?: number;
  readonly setting?: string;
}

/** `postern serve`, its log line by line as it comes. */
async function serve() {
  folder.write("chain", chainSecret);
  const child = startPostern(["serve", "-c", folder.write("postern.yaml", config())]);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  running.add(() => void child.kill("SIGKILL"));
  const log: Line[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(JSON.parse(line) as Line));
  let url = "";
  for await (const line of createInterface(child.stdout)) {
    url ||= line.replace("gateway ", "");
    if (line.startsWith("admin ")) break;
  }
  child.stdout.resume();
  const said = (msg: string) => expect.poll(() => log.filter((line) => line.msg === msg).length, { timeout: 8_000 });
  return { url, log, said, ended, signal: (name: NodeJS.Signals) => child.kill(name) };
}

const registered = async (client: RawClient): Promise<string> =>
  client.register("alice@acme.example", credential("alice@acme.example"));

describe("postern serve, its config changed", () => {
  it("takes it up by itself, at once on open sockets", async () => {
    const served = await serve();
    const client = await RawClient.connect(served.url);
    expect(status(await registered(client))).toBe(200);
    folder.write("postern.yaml", config(", methods: [OPTIONS]"));
    await served.said("reloaded").toBe(1);
    expect(code(await registered(client))).toBe("method-denied");
    client.close();
    served.signal("SIGINT");
    expect(await served.ended).toBe(0);
  });

  it("misses no change that falls into a reload", async () => {
    const served = await serve();
    const many = Array.from({ length: 400 }, (_, at) => `  - { id: c${at}, domains: [c${at}.example] }`).join("\n");
    folder.write("postern.yaml", `${config()}${many}\n`);
    served.signal("SIGHUP");
    // While it parses: the last word is this one.
    setTimeout(() => folder.write("postern.yaml", config(", methods: [OPTIONS]")), 60);
    const client = await RawClient.connect(served.url);
    await expect.poll(async () => code(await registered(client)), { timeout: 8_000 }).toBe("method-denied");
    client.close();
    served.signal("SIGINT");
    expect(await served.ended).toBe(0);
  });

  it("takes up a replaced secret file too", async () => {
    const served = await serve();
    const client = await RawClient.connect(served.url);
    expect(status(await registered(client))).toBe(200);
    folder.write("chain", "quite-another-secret-of-the-chain");
    await served.said("reloaded").toBe(1);
    expect(code(await registered(client))).toBe("upstream-unavailable");
    client.close();
    served.signal("SIGINT");
    expect(await served.ended).toBe(0);
  });

  it("by SIGHUP with faults: all are told with path and line, and the old one stays", async () => {
    const served = await serve();
    folder.write("postern.yaml", config(", maxTtl: soon, nonsense: 1"));
    served.signal("SIGHUP");
    await served.said("reload refused: the config has faults").toBeGreaterThanOrEqual(2);
    expect(served.log.map((line) => line.path)).toEqual(
      expect.arrayContaining(["customers[0].maxTtl", "customers[0].nonsense"]),
    );
    const client = await RawClient.connect(served.url);
    expect(status(await registered(client))).toBe(200);
    client.close();
    served.signal("SIGINT");
    expect(await served.ended).toBe(0);
  });

  it("names what needs a restart", async () => {
    const served = await serve();
    folder.write("postern.yaml", config().replace("http://127.0.0.1:0", "http://127.0.0.2:0"));
    await served.said("needs a restart to change").toBe(1);
    expect(served.log.find(({ msg }) => msg === "needs a restart to change")).toMatchObject({
      setting: "admin.listen",
    });
    served.signal("SIGINT");
    expect(await served.ended).toBe(0);
  });

  it("stopped in a call: the far end has its BYE, and no binding is left, before the process ends", async () => {
    const other = await startGateway({ upstreamUrls: [kamailio.wsUrl] });
    const bob = await RawClient.connect(other.gatewayUrl);
    expect(status(await bob.register("bob@acme.example", credential("bob@acme.example")))).toBe(200);
    const served = await serve();
    const alice = await RawClient.connect(served.url);
    expect(status(await registered(alice))).toBe(200);
    const call = { method: "INVITE", uri: "sip:bob@acme.example", from: "alice@acme.example", to: "bob@acme.example" };
    const answered = alice.prove(
      { ...call, fromTag: "a", callId: unique(), cseq: 1 },
      credential("alice@acme.example"),
    );
    const invite = await bob.take((message) => message.startsWith("INVITE "));
    bob.send(reply(invite, { status: "200 OK", tag: "b", contact: "<sip:bob@bob.invalid;transport=ws>" }));
    expect(status(await answered)).toBe(200);
    served.signal("SIGINT");
    bob.send(reply(await bob.take((message) => message.startsWith("BYE ")), { status: "200 OK" }));
    expect(await served.ended).toBe(0);
    await kamailio.waitFor(
      (seen) => seen.method === "REGISTER" && seen.raw.includes("alice.invalid") && seen.raw.includes("expires=0"),
    );
    bob.close();
    await other.close();
  });

  it("drains by SIGTERM, and ends at once by a second one", async () => {
    const served = await serve();
    const client = await RawClient.connect(served.url);
    expect(status(await registered(client))).toBe(200);
    served.signal("SIGTERM");
    await served.said("draining").toBe(1);
    await expect(RawClient.connect(served.url)).rejects.toThrow("HTTP 503");
    served.signal("SIGTERM");
    expect(await served.ended).toBe(1);
    expect((await client.closed).code).toBe(1006);
  });
});
