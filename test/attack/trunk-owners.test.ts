import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { credential } from "../helpers/raw-client.ts";
import { header, isReply, reply } from "../helpers/raw-sip.ts";
import { Scene, User } from "../helpers/scene.ts";
import { proves } from "../helpers/trunk-digest.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";

/** Two customers, each with a trunk that challenges: is either made to call by the other's, or to tell what is the other's? */
let scene: Scene;
let sinks: readonly UdpSink[];
const secret = "the-secret-of-initech-in-tests";
const passwords = { acme: "what-acme-is-known-by", initech: "what-initech-is-known-by" };
type Name = keyof typeof passwords;
const names: readonly Name[] = ["acme", "initech"];

const uri = ({ host, port }: UdpSink): string => `sip:${host}:${port}`;
const trunkOf = (name: Name): UdpSink => sinks[names.indexOf(name)]!;

beforeAll(async () => {
  sinks = await Promise.all(["127.0.0.31", "127.0.0.32", "127.0.0.33"].map((host) => openUdpSink(host)));
  const [acme, initech] = sinks.map(uri);
  const auth = (name: Name): string => `trunkAuth: { username: ${name}-trunk, password: ${passwords[name]} }`;
  const own = `    domains: [initech.example]\n    secrets: [{ id: k1, secret: ${secret} }]\n    numbers: ["+4420*"]`;
  scene = await Scene.open({
    acme: `    dial: ["+32*"]\n    trunkFormat: { "+32": "0", "+": "00" }\n    ${auth("acme")}`,
    more: `  - id: initech\n${own}\n    trunk: "${initech}"\n    dial: ["+33*"]\n    trunkFormat: digits\n    ${auth("initech")}`,
  });
  scene.gateway.change({ trunk: acme ?? "" });
});
afterAll(async () => {
  await scene?.close();
  await Promise.all(sinks.map((sink) => sink.close()));
});

async function caller(of: Name): Promise<User> {
  const address = `alice@${of}.example`;
  const given = credential(address, of === "initech" ? { secret, ttl: 3000 } : { ttl: 3000 });
  return new User(await scene.connect(), address, given);
}

/** The call at that trunk, asked there who calls, as it came again. */
async function askedAt(sink: UdpSink, callId: string, realm: string): Promise<string> {
  const isIt = (proved: boolean) => (text: string) =>
    text.startsWith("INVITE ") && header(text, "Call-ID") === callId && (proofIn(text) !== "") === proved;
  const first = await sink.waitFor(isIt(false));
  const extra = [`Proxy-Authenticate: Digest realm="${realm}", nonce="${callId}"`];
  sink.send(reply(first, { status: "407 Proxy Authentication Required", tag: "q", extra }), scene.kamailio.udp);
  const again = await sink.waitFor(isIt(true));
  sink.send(reply(again, { status: "486 Busy Here", tag: "b" }), scene.kamailio.udp);
  return again;
}

const proofIn = (message: string): string => header(message, "Proxy-Authorization") ?? "";

describe("a customer's calls", () => {
  it.each<[Name, string, string]>([
    ["acme", "+3225887000", "025887000"],
    ["acme", "3225887001", "025887001"],
    ["initech", "+442012345", "442012345"],
    ["initech", "tel:+33-1-234567", "331234567"],
  ])(
    "of %s to %s are dialled %s at its own trunk, which is told its own credential alone",
    async (name, number, dialled) => {
      const user = await caller(name);
      const target = number.startsWith("tel:") ? number : `sip:${number}@${name}.example`;
      const callId = `own-${name}-${dialled}`;
      const to = number.startsWith("tel:") ? { to: user.address } : {};
      const final = user.prove("INVITE", target, { callId, ...to, extra: [`Contact: ${user.contact}`] });
      const again = await askedAt(trunkOf(name), callId, "pbx");
      expect(again.split(" ", 2)[1]).toBe(`sip:${dialled}@${trunkOf(name).host}:${trunkOf(name).port}`);
      const shown = proves(proofIn(again), "INVITE", passwords[name]);
      expect(shown).toMatchObject({ username: `${name}-trunk`, realm: "pbx" });
      expect(isReply(await final, 486, "INVITE")).toBe(true);
    },
  );

  const forgeries = (theirs: string): [string, { target?: string; extra?: readonly string[] }][] => [
    ["its trunk in the Request-URI", { target: `sip:+3225887000@${theirs}` }],
    ["its trunk as maddr", { target: `sip:+3225887000@acme.example;maddr=${theirs.split(":")[0]}` }],
    ["its number", { target: "sip:+442012345@acme.example" }],
    ["its domain", { target: "sip:+442012345@initech.example" }],
  ];
  it("are not led to another's trunk by what a page asks for", async () => {
    const { host, port } = trunkOf("initech");
    for (const [what, { target = "" }] of forgeries(`${host}:${port}`)) {
      const user = await caller("acme");
      const answer = await user.prove("INVITE", target, { to: user.address, extra: [`Contact: ${user.contact}`] });
      expect(answer, what).toMatch(/^SIP\/2\.0 403 /);
      expect(header(answer, "Postern-Code"), what).toBe("destination-denied");
    }
  });

  it("are not led there by headers of ours, by a Route, nor get its credential for a trunk of theirs", async () => {
    const [acme, initech, third] = [trunkOf("acme"), trunkOf("initech"), sinks[2]!];
    const seen = await scene.kamailio.waitFor(
      (one) => one.header("X-Postern-Trunk-Auth") !== undefined && one.way === "in",
    );
    const stolen = scene.kamailio.saw().filter((one) => one.raw.includes("|customer=initech"));
    const sealed = stolen.map((one) => one.header("X-Postern-Trunk-Auth")).find((one) => one !== undefined) ?? "";
    expect([seen.header("X-Postern-Trunk-Auth"), sealed]).not.toContain("");
    const user = await caller("acme");
    const extra = [
      `Contact: ${user.contact}`,
      `Route: <${uri(initech)};lr>`,
      `X-Postern-Trunk-Auth: ${sealed}`,
      "X-Postern-Dial: 442012345",
      "X-Postern-Untrusted: 1",
      `X-Postern-Grant: 9999999999:alice@initech.example|trunk=${uri(third)}|trunk2=|caller=|max=|customer=initech`,
      "P-K-CSeq-Auth: 7",
    ];
    const before = initech.received().length;
    const final = user.prove("INVITE", "sip:+3225887099@acme.example", { callId: "forged", extra });
    const again = await askedAt(acme, "forged", "pbx");
    expect(again.split(" ", 2)[1]).toBe(`sip:025887099@${acme.host}:${acme.port}`);
    expect(proves(proofIn(again), "INVITE", passwords.acme)).toMatchObject({ username: "acme-trunk" });
    await final;
    expect(initech.received()).toHaveLength(before);
    expect(third.received()).toEqual([]);
  });

  it("that its trunk takes from nobody end with a code, a sentence and when to come again, and are counted", async () => {
    const user = await caller("initech");
    const callId = "taken-by-nobody";
    const counted = await scene.gateway.metric('postern_upstream_refused_total{for="trunk"}');
    const final = user.prove("INVITE", "sip:+442012345@initech.example", {
      callId,
      extra: [`Contact: ${user.contact}`],
    });
    const sink = trunkOf("initech");
    const first = await sink.waitFor((text) => text.startsWith("INVITE ") && header(text, "Call-ID") === callId);
    sink.send(reply(first, { status: "503 Out of Order", tag: "s" }), scene.kamailio.udp);
    const refused = await final;
    expect(isReply(refused, 503, "INVITE")).toBe(true);
    expect([header(refused, "Postern-Code"), header(refused, "Retry-After")]).toEqual(["upstream-unavailable", "5"]);
    expect(header(refused, "Warning")).toMatch(/^399 postern ".*try again/);
    expect(refused).not.toMatch(/x-postern|127\.0\.0\.3/i);
    expect(await scene.gateway.metric('postern_upstream_refused_total{for="trunk"}')).toBe(counted + 1);
    expect(scene.gateway.log()).toContainEqual(
      expect.objectContaining({ callId, msg: expect.stringMatching(/^no trunk/) }),
    );
  });

  it("leave no password in what the gateway, Kamailio or a trunk got to see", async () => {
    const metrics = await (await fetch(`${scene.gateway.adminUrl}/metrics`)).text();
    const all = [JSON.stringify(scene.gateway.log()), scene.kamailio.log(), metrics];
    const messages = [...sinks.flatMap((sink) => sink.received()), ...scene.kamailio.saw().map(({ raw }) => raw)];
    for (const text of [...all, ...messages])
      for (const password of Object.values(passwords)) expect(text.includes(password)).toBe(false);
    for (const text of sinks.flatMap((sink) => sink.received())) expect(text).not.toMatch(/^(x-postern|p-k-)/im);
  });
});
