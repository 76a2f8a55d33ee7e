import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../../src/auth/ephemeral.ts";
import { jssipClient, type TestClient } from "../helpers/clients.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { establish, responseTo } from "../helpers/dialog.ts";
import { type Kamailio, startDirectKamailio, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { answer, type Credential, credential, RawClient, status } from "../helpers/raw-client.ts";
import { header, headers, isReply, reply, request } from "../helpers/raw-sip.ts";
import { inSeconds, signed, User } from "../helpers/scene.ts";
import { sipjsClient } from "../helpers/sipjs.ts";

const exchangeSecret = "of the exchange alone, 32 bytes.";
const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = new ConfigFolder();
const clients: TestClient[] = [];
let kamailio: Kamailio;
let tlsUrl: string;

/** The example for TLS, with a certificate of the test's. */
function tlsConfig(): string {
  folder.certificate("direct");
  const example = readFileSync(join(root, "kamailio/tls.cfg.example"), "utf8");
  const files = example
    .replace(/^certificate = .*$/m, `certificate = ${join(folder.path, "direct-cert.pem")}`)
    .replace(/^private_key = .*$/m, `private_key = ${join(folder.path, "direct-key.pem")}`);
  return folder.write("tls.cfg", files);
}

beforeAll(async () => {
  const port = await freePort();
  tlsUrl = `wss://localhost:${port}`;
  kamailio = await startDirectKamailio({
    exchangeSecret,
    defines: { WITH_TLS: true, TLS_CONFIG: tlsConfig(), MIN_SE: 2 },
    memory: 256,
    lines: [`listen=tls:127.0.0.1:${port}`],
  });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
});
afterAll(async () => {
  await kamailio?.stop();
  folder.remove();
});

let visitors = 0;

/** As the exchange answers `"direct": true`. */
const issued = (user: string, ttl = 300) =>
  mint({ secret: exchangeSecret, user, ttl, algorithm: "sha1", now: inSeconds(0) });

type Make = typeof jssipClient | typeof sipjsClient;

async function visitor(make: Make, options: { register?: boolean; tls?: boolean; expires?: number } = {}) {
  const user = `visitor${visitors++}`;
  const { tls, ...rest } = options;
  const where = tls
    ? { url: tlsUrl, ca: readFileSync(join(folder.path, "direct-cert.pem"), "utf8") }
    : { url: kamailio.wsUrl };
  const client = await make({ ...where, user, credentials: issued(`${user}@acme.example`), ...rest });
  clients.push(client);
  if (options.register !== false) await client.registered();
  return { user, client };
}

async function raw(name: string, url = kamailio.wsUrl): Promise<User> {
  const address = `${name}${visitors++}@acme.example`;
  const user = new User(await RawClient.connect(url), address, issued(address));
  expect(status(await user.client.register(address, user.given))).toBe(200);
  return user;
}

describe("a call between two users with credentials of the exchange", () => {
  const pairs: [string, Make, Make, boolean][] = [
    ["JsSIP calls JsSIP", jssipClient, jssipClient, false],
    ["JsSIP calls SIP.js", jssipClient, sipjsClient, false],
    ["SIP.js calls JsSIP", sipjsClient, jssipClient, false],
    ["JsSIP on ws calls JsSIP on wss", jssipClient, jssipClient, true],
  ];
  it.each(pairs)("%s, both hear each other, the caller hangs up", async (_, one, other, tls) => {
    const alice = await visitor(one);
    const bob = await visitor(other, { tls });
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    const incoming = await bob.client.incoming();
    incoming.answer();
    await outgoing.accepted();
    await Promise.all([outgoing.heard(), incoming.heard()]);
    outgoing.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
  });

  it("on wss, the callee hangs up", async () => {
    const alice = await visitor(jssipClient, { tls: true });
    const bob = await visitor(jssipClient, { tls: true });
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    const incoming = await bob.client.incoming();
    incoming.answer();
    await outgoing.accepted();
    await Promise.all([outgoing.heard(), incoming.heard()]);
    incoming.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
  });

  it("needs no registration of the caller", async () => {
    const alice = await visitor(jssipClient, { register: false });
    const bob = await visitor(jssipClient);
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    (await bob.client.incoming()).answer();
    await outgoing.accepted();
    outgoing.hangUp();
    await outgoing.ended();
  });

  it("is given up while it rings", async () => {
    const [alice, bob] = [await visitor(jssipClient), await visitor(jssipClient)];
    const outgoing = await alice.client.call(`sip:${bob.user}@acme.example`);
    const incoming = await bob.client.incoming();
    outgoing.hangUp();
    await Promise.all([outgoing.ended(), incoming.ended()]);
  });

  it("rings on all devices of the callee, and stops ringing where another answers", async () => {
    const alice = await raw("alice");
    const bob = await raw("bob");
    const second = new User(await RawClient.connect(kamailio.wsUrl), bob.address, bob.given);
    const other = { viaHost: "second.invalid", contact: `<sip:${bob.name}@second.invalid;transport=ws>` };
    expect(status(await second.client.register(bob.address, bob.given, other))).toBe(200);
    const parts = alice.parts("INVITE", `sip:${bob.address}`);
    const final = alice.client.prove(parts, alice.given);
    const invites = await Promise.all(
      [bob, second].map(({ client }) => client.take((text) => text.startsWith("INVITE "))),
    );
    bob.client.send(reply(invites[0]!, { status: "180 Ringing", tag: "first", contact: bob.contact }));
    await alice.client.take((text) => isReply(text, 180, "INVITE"));
    second.client.send(reply(invites[1]!, { status: "200 OK", tag: "second", contact: second.contact }));
    const cancel = await bob.client.take((text) => text.startsWith("CANCEL "));
    bob.client.send(reply(cancel, { status: "200 OK" }));
    bob.client.send(reply(invites[0]!, { status: "487 Request Terminated", tag: "first" }));
    expect(header(await final, "To")).toContain(";tag=second");
  });

  it("goes over IPv6", async () => {
    const other = await startDirectKamailio({ exchangeSecret, host: "::1" });
    const [alice, bob] = [await raw("alice", other.wsUrl), await raw("bob", other.wsUrl)];
    const call = await establish(alice, bob);
    const bye = call.fromCallee("BYE");
    bob.client.send(bye);
    const got = await alice.client.take((text) => text.startsWith("BYE "));
    alice.client.send(reply(got, { status: "200 OK" }));
    expect(status(await responseTo(bob, bye))).toBe(200);
    bob.client.close();
    const reached = async (): Promise<number> => status(await alice.prove("MESSAGE", `sip:${bob.address}`));
    await expect.poll(reached).toBe(404);
    await other.stop();
  });

  it("ends by a BYE to both when its session is not refreshed", async () => {
    const [alice, bob] = [await raw("alice"), await raw("bob")];
    await establish(alice, bob, { extra: ["Session-Expires: 2", "Supported: timer"] });
    const byes = [alice, bob].map(({ client }) => client.take((text) => text.startsWith("BYE "), 12_000));
    await Promise.all(byes);
  });
});

describe("a registration", () => {
  it("is refused with a credential that has expired, told 403", async () => {
    const now = inSeconds(-400);
    const credentials = mint({ secret: exchangeSecret, user: "late@acme.example", ttl: 300, algorithm: "sha1", now });
    const client = await jssipClient({ url: kamailio.wsUrl, user: "late", credentials });
    clients.push(client);
    expect(await client.registration()).toMatchObject({ ok: false, status: 403 });
  });

  it("is refused under another secret, told 403, and asked for once", async () => {
    const client = await jssipClient({ url: kamailio.wsUrl, user: "wrong", secret: "another secret altogether" });
    clients.push(client);
    expect(await client.registration()).toMatchObject({ ok: false, status: 403 });
    expect(client.ladder.filter(({ message }) => message.startsWith("REGISTER "))).toHaveLength(2);
  });

  it("asks for less than is left, or gets what is left", async () => {
    const { client } = await visitor(jssipClient, { expires: 100 });
    const granted = client.ladder.find(({ message }) => message.startsWith("SIP/2.0 200"));
    expect(granted?.message).toMatch(/;expires=100[;\r]/);
    const long = await visitor(jssipClient, { expires: 900 });
    const lowered = long.client.ladder.find(({ message }) => message.startsWith("SIP/2.0 200"));
    expect(Number(/;expires=(\d+)/.exec(lowered?.message ?? "")?.[1])).toBeLessThanOrEqual(300);
  });

  it("ends when its client says so", async () => {
    const alice = await raw("alice");
    const gone = { contact: "*", extra: ["Expires: 0"] };
    expect(status(await alice.client.register(alice.address, alice.given, gone))).toBe(200);
    const bob = await raw("bob");
    expect(status(await bob.prove("MESSAGE", `sip:${alice.address}`))).toBe(404);
  });

  it("answers with a nonce that is too old or has served are asked for again, stale, and then taken", async () => {
    const alice = await raw("alice");
    const parts = alice.parts("OPTIONS", "sip:acme.example");
    const first = await alice.client.ask(parts);
    const proof = answer(first, "OPTIONS", parts.uri, alice.given);
    const ask = (cseq: number, extra: string): Promise<string> => {
      alice.client.send(request({ ...parts, cseq, extra: [extra] }));
      return alice.client.response(parts.callId, cseq, "OPTIONS");
    };
    expect(status(await ask(2, proof))).toBe(200);
    const again = await ask(3, proof);
    expect(headers(again, "Proxy-Authenticate").join()).toContain("stale=true");
    expect(status(await ask(4, answer(again, "OPTIONS", parts.uri, alice.given)))).toBe(200);
  });
});

describe("the secret of the exchange", () => {
  it("may be two while it is changed, with any of its algorithms", async () => {
    for (const algorithm of ["sha1", "sha256", "sha384", "sha512"] as const) {
      const formerSecret = "the one that is going out, 32 b.";
      const other = await startDirectKamailio({ exchangeSecret, formerSecret, algorithm });
      const outcomes = [];
      for (const secret of [exchangeSecret, formerSecret, "neither of them"]) {
        const client = await RawClient.connect(other.wsUrl);
        outcomes.push(
          status(await client.register("a@acme.example", credential("a@acme.example", { secret, algorithm }))),
        );
        client.close();
      }
      expect(outcomes).toEqual([200, 200, 403]);
      await other.stop();
    }
  });

  it("is not in the log", () => {
    const own = kamailio
      .log()
      .split("\n")
      .filter((line) => !line.includes("TEST-REPORT"));
    expect(own.join("\n")).not.toContain(exchangeSecret);
  });
});

describe("the lines of docs/kamailio.md for one's own configuration", () => {
  const page = readFileSync(join(root, "docs/kamailio.md"), "utf8");
  const blocks = [...page.matchAll(/^```kamailio-direct\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  const had = [
    "pv",
    "xlog",
    "tm",
    "sl",
    "rr",
    "siputils",
    "textops",
    "xhttp",
    "websocket",
    "nathelper",
    "usrloc",
    "registrar",
  ];
  const own = `#!KAMAILIO
include_file "direct-local.cfg"
tcp_accept_no_cl=yes
${had.map((module) => `loadmodule "${module}.so"`).join("\n")}
${blocks.join("\n")}
modparam("nathelper|registrar", "received_avp", "$avp(received)")
modparam("usrloc", "use_domain", 1)
event_route[xhttp:request] {
	ws_handle_handshake();
}
request_route {
	route(EXCHANGED);
	fix_nated_register();
	if (is_method("REGISTER")) {
		save("location");
		exit;
	}
	if (!lookup("location")) {
		sl_send_reply("404", "Not Found");
		exit;
	}
	t_relay();
}
`;
  let other: Kamailio;

  beforeAll(async () => {
    const configuration = folder.write("own.cfg", own);
    other = await startKamailio({
      ...{ chainSecret: exchangeSecret, algorithm: "sha1", haproxy: false, report: false },
      ...{ configuration, localName: "direct-local.cfg" },
    });
  });
  afterAll(() => other.stop());

  it("are all there is on the page", () => {
    expect(blocks).toHaveLength(2);
  });

  it("take a credential of the exchange, and pass neither it nor forged headers on", async () => {
    const [alice, bob] = [await raw("alice", other.wsUrl), await raw("bob", other.wsUrl)];
    const extra = ["P-Asserted-Identity: <sip:boss@acme.example>", "X-Postern-Grant: 1", "Route: <sip:192.0.2.66;lr>"];
    const final = alice.prove("MESSAGE", `sip:${bob.address}`, { extra });
    const got = await bob.client.take((text) => text.startsWith("MESSAGE "));
    expect(got).not.toMatch(/^(Proxy-Authorization|P-Asserted-Identity|X-Postern-Grant|Route)/im);
    bob.client.send(reply(got, { status: "200 OK" }));
    expect(status(await final)).toBe(200);
  });

  it("refuse a handle, another secret, an expired one, another user, another domain, two at once", async () => {
    const address = "mallory@acme.example";
    const attempt = async (given: Credential, uri = "sip:acme.example", edit?: (text: string) => string) => {
      const user = new User(await RawClient.connect(other.wsUrl), address, given);
      return status(await user.prove("MESSAGE", uri, {}, {}, edit));
    };
    const soon = inSeconds(300);
    expect(await attempt(signed(`${soon}:${address};AbCd`, exchangeSecret))).toBe(403);
    expect(await attempt(signed(`${soon}:${address}|trunk=|`, exchangeSecret))).toBe(403);
    expect(await attempt(signed(`${soon}:${address}`, "another secret altogether"))).toBe(403);
    expect(await attempt(signed(`${inSeconds(-1)}:${address}`, exchangeSecret))).toBe(403);
    expect(await attempt(signed(`${soon}:alice@acme.example`, exchangeSecret))).toBe(403);
    expect(await attempt(signed(`${soon}:${address}`, exchangeSecret), "sip:bob@globex.example")).toBe(403);
    const twice = (text: string): string => text.replace(/^(Proxy-Authorization:.*\r\n)/m, "$1$1");
    expect(await attempt(signed(`${soon}:${address}`, exchangeSecret), "sip:x@acme.example", twice)).toBe(400);
    expect(await attempt(signed(`${soon}:${address}`, exchangeSecret), "sip:x@acme.example")).toBe(404);
  });
});

describe("kamailio/direct.cfg", () => {
  const example = readFileSync(join(root, "kamailio/direct-local.cfg.example"), "utf8");
  const check = (local: string): string => {
    folder.write("direct-local.cfg", local);
    const args = ["-c", "-f", join(root, "kamailio/direct.cfg"), "-w", folder.path];
    return execFileSync("kamailio", args, { cwd: folder.path, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  };
  const secret = example.replace('##!define EXCHANGE_SECRET "..."', '#!define EXCHANGE_SECRET "0123456789abcdef"');

  it("is sound with its example, a secret put in, and with all that the example offers", () => {
    expect(() => check(secret)).not.toThrow();
    const all = secret.replace(/^##!define/gm, "#!define").replace(/^#(listen=tls|open_files_limit)/gm, "$1");
    expect(all).not.toBe(secret);
    expect(() => check(all.replace("203.0.113.5:443", "127.0.0.1:5443"))).not.toThrow();
  });

  it("does not start without a secret", () => {
    expect(() => check(example)).toThrow();
  });

  it("has every setting of the example, and no other", () => {
    const text = readFileSync(join(root, "kamailio/direct.cfg"), "utf8");
    const handshake = readFileSync(join(root, "kamailio/direct/handshake.cfg"), "utf8");
    const names = [...example.matchAll(/^#+!define (\w+)/gm)].map(([, name]) => name);
    const used = [...`${text}${handshake}`.matchAll(/^#!(?:ifn?def) (\w+)/gm)].map(([, name]) => name);
    const apart = new Set(["TEST_REPORT", "TLS_CONFIG"]);
    expect(new Set(names)).toEqual(new Set([...used.filter((name) => !apart.has(name ?? "")), "EXCHANGE_SECRET"]));
  });
});
