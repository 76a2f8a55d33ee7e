import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startPostern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { announcedHost, callOf, chainSecret, granted, Legs, registerOf, withinCall } from "../helpers/legs.ts";
import { freePort } from "../helpers/ports.ts";
import { header, isReply, reply } from "../helpers/raw-sip.ts";
import { openUpstream, type UpstreamClient } from "../helpers/upstream-client.ts";

const folder = new ConfigFolder();
let kamailio: Kamailio;
let url: string;
const legs = new Legs(() => kamailio);

/** The example, with a certificate of the test's. */
function tlsConfig(): string {
  folder.certificate("kamailio");
  const example = readFileSync(new URL("../../kamailio/tls.cfg.example", import.meta.url), "utf8");
  const files = example
    .replace(/^certificate = .*$/m, `certificate = ${join(folder.path, "kamailio-cert.pem")}`)
    .replace(/^private_key = .*$/m, `private_key = ${join(folder.path, "kamailio-key.pem")}`);
  return folder.write("tls.cfg", files);
}

beforeAll(async () => {
  const port = await freePort();
  url = `wss://127.0.0.1:${port}`;
  kamailio = await startKamailio({
    chainSecret,
    defines: { WITH_TLS: true, TLS_CONFIG: tlsConfig() },
    memory: 256,
    lines: [`listen=tls:127.0.0.1:${port}`],
  });
});
afterAll(async () => {
  await legs.close();
  await kamailio?.stop();
  folder.remove();
});

const ca = (): Buffer => readFileSync(join(folder.path, "kamailio-cert.pem"));

async function leg(user: string, port: number): Promise<UpstreamClient> {
  const announce = { host: announcedHost, port };
  const opened = await openUpstream({ url, headers: granted(user), announce, ca: ca() });
  if (!opened.ok) throw new Error(`refused by ${opened.status}`);
  return opened.client;
}

describe("a leg over TLS", () => {
  it("is refused without a good grant", async () => {
    const headers = granted("alice", { secret: "another secret altogether" });
    const announce = { host: announcedHost, port: 57_001 };
    expect(await openUpstream({ url, headers, announce, ca: ca() })).toEqual({ ok: false, status: 403 });
  });

  it("registers under its announced address, is called from one without TLS, and hangs up", async () => {
    const bob = await leg("bob", 57_002);
    bob.send(registerOf("bob"));
    await bob.waitFor((message) => isReply(message, 200, "REGISTER"));
    const alice = await legs.open("alice", 57_003);
    const call = callOf("alice", "bob");
    alice.send(call.invite);
    const rang = await bob.waitFor((message) => message.startsWith("INVITE sip:bob@bob.invalid"));
    bob.send(reply(rang, { status: "200 OK", tag: "b", contact: "<sip:bob@bob.invalid;transport=ws>" }));
    const ok = await alice.waitFor((message) => isReply(message, 200, "INVITE"));
    alice.send(withinCall(call, ok, "ACK"));
    await bob.waitFor((message) => message.startsWith("ACK "));
    alice.send(withinCall(call, ok, "BYE"));
    const bye = await bob.waitFor((message) => message.startsWith("BYE "));
    bob.send(reply(bye, { status: "200 OK" }));
    await alice.waitFor((message) => isReply(message, 200, "BYE"));
    await bob.close();
  });

  it("calls a trunk, which hangs up", async () => {
    const trunk = await legs.trunk("answer-and-hangup", { hold: 50 });
    const carol = await leg("carol", 57_004);
    const call = callOf("carol", "+1900", { trunk: trunk.uri, caller: "+3225887000" });
    carol.send(call.invite);
    const ok = await carol.waitFor((message) => isReply(message, 200, "INVITE"));
    carol.send(withinCall(call, ok, "ACK"));
    const bye = await carol.waitFor((message) => message.startsWith("BYE sip:carol@carol.invalid;transport=ws"));
    carol.send(reply(bye, { status: "200 OK" }));
    const answered = await trunk.waitFor((message) => isReply(message, 200, "BYE"));
    expect(header(answered, "From")).not.toContain("carol");
    await carol.close();
  });

  it("is what a gateway opens where upstream.urls has wss://, with NODE_EXTRA_CA_CERTS for a certificate of one's own", async () => {
    const config = folder.write(
      "postern.yaml",
      `\
gateway: { listen: "ws://127.0.0.1:0" }
upstream: { urls: ["${url.replace("127.0.0.1", "localhost")}"] }
chain: { secret: ${chainSecret} }
admin: { listen: "http://127.0.0.1:0" }
`,
    );
    const env = { NODE_EXTRA_CA_CERTS: join(folder.path, "kamailio-cert.pem") };
    const child = startPostern(["serve", "-c", config], { env });
    child.stderr.resume();
    let said = "";
    child.stdout.on("data", (text: Buffer) => {
      said += text.toString();
    });
    const ready = async (): Promise<number> => {
      const admin = /^admin (\S+)$/m.exec(said)?.[1];
      return admin === undefined ? 0 : (await fetch(`${admin}/readyz`)).status;
    };
    await expect.poll(ready, { timeout: 8_000 }).toBe(200);
    child.kill("SIGKILL");
  });
});
