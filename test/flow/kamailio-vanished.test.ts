import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostern } from "../helpers/cli.ts";
import { mint } from "../helpers/clients.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { credential, RawClient, status, unique } from "../helpers/raw-client.ts";
import { header, recordRoutes, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";

const chainSecret = "the-chain-secret-of-the-tests";
const acmeSecret = "the-secret-of-acme-in-tests";
/** Seconds of a session. */
const interval = 4;
const folder = new ConfigFolder();
let kamailio: Kamailio;
let trunk: Trunk;

beforeAll(async () => {
  kamailio = await startKamailio({ chainSecret, defines: { MIN_SE: 2 } });
  trunk = await startTrunk({ host: "127.0.0.33", scenario: "answer" });
});
afterAll(async () => {
  await trunk?.stop();
  await kamailio?.stop();
  folder.remove();
});

/** A gateway as a process of its own, which can be killed. */
async function serve(): Promise<{ url: string; kill(): Promise<void> }> {
  const config = `\
gateway: { listen: "ws://127.0.0.1:0" }
upstream: { urls: ["${kamailio.wsUrl}"] }
chain: { secret: ${chainSecret} }
admin: { listen: "http://127.0.0.1:0" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: ${acmeSecret} }]
    numbers: ["+3225887*"]
    trunk: ${trunk.uri}
`;
  const child = startPostern(["serve", "-c", folder.write("postern.yaml", config)]);
  child.stderr.resume();
  const lines = createInterface(child.stdout);
  const [line] = (await once(lines, "line")) as [string];
  const gone = once(child, "close");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await gone;
  };
  return { url: line.replace("gateway ", ""), kill };
}

const of = (callId: string, method: string) => (message: string) =>
  message.startsWith(`${method} `) && header(message, "Call-ID") === callId;

describe("kill -9 in a call to a trunk", () => {
  it("of the gateway, so that nobody says BYE: Kamailio does, within the session's interval", async () => {
    const gateway = await serve();
    const alice = await RawClient.connect(gateway.url);
    const callId = `vanished-${unique()}`;
    const invite = {
      method: "INVITE",
      uri: "sip:+3225887001@acme.example",
      from: "alice@acme.example",
      to: "+3225887001@acme.example",
      fromTag: "a",
      callId,
      cseq: 1,
      extra: ["Supported: timer", `Session-Expires: ${interval};refresher=uac`],
    };
    const ok = await alice.prove(invite, credential("alice@acme.example"));
    expect(status(ok), ok).toBe(200);
    const inside = {
      toTag: tagOf(header(ok, "To")),
      routes: recordRoutes(ok).reverse(),
      uri: uriOf(header(ok, "Contact")),
    };
    alice.send(request({ ...invite, ...inside, method: "ACK", cseq: 2, extra: [] }));
    await trunk.waitFor(of(callId, "ACK"));
    const since = Date.now();
    await gateway.kill();
    await trunk.waitFor(of(callId, "BYE"), 2_000 * interval);
    const seconds = (Date.now() - since) / 1000;
    expect(seconds).toBeGreaterThan(1);
    expect(seconds).toBeLessThan(interval + 2);
  });

  it("of the page, a JsSIP client: the gateway says BYE for it, well within the interval", async () => {
    const gateway = await serve();
    const credentials = JSON.stringify(mint({ secret: acmeSecret, user: "bob@acme.example" }));
    const file = folder.write("credentials.json", credentials);
    const target = "sip:+3225887002@acme.example";
    const asked = ["--url", gateway.url, "--uri", "sip:bob@acme.example", "--credentials", file, "--duration", "60"];
    const child = startPostern(["client", "call", target, ...asked]);
    const invite = await trunk.waitFor((message) => message.startsWith("INVITE sip:+3225887002@"), 10_000);
    const callId = header(invite, "Call-ID") ?? "";
    await trunk.waitFor(of(callId, "ACK"));
    // JsSIP asks for session timers by itself.
    expect(header(invite, "Session-Expires")).toBe("90");
    const since = Date.now();
    child.kill("SIGKILL");
    await once(child, "close");
    await trunk.waitFor(of(callId, "BYE"), 10_000);
    expect(Date.now() - since).toBeLessThan(5_000);
    await gateway.kill();
  });
});
