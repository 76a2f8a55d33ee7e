import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningKamailio, startKamailio } from "../../scripts/kamailio.ts";
import { type HepSink, openHepSink } from "../helpers/hep.ts";
import { freePort } from "../helpers/ports.ts";
import { status, unique } from "../helpers/raw-client.ts";
import { header } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, signed } from "../helpers/scene.ts";
import { temporaryDir } from "../helpers/temporary.ts";

const authKey = "key-of-homer";
const hepTo = (port: number): string =>
  `hep: { url: "udp://127.0.0.1:${port}", captureId: 2002, authKey: ${authKey} }\n`;

let sink: HepSink;
let scene: Scene;

beforeAll(async () => {
  sink = await openHepSink();
  scene = await Scene.open({ trunk: "answer", more: hepTo(sink.port) });
});

afterAll(async () => {
  await scene?.close();
  await sink?.close();
});

const of = (callId: string) => sink.packets.filter(({ correlationId }) => correlationId === callId);

describe("a collector gets", () => {
  it("every message of both sides, in order, and the verdict on each that came in", async () => {
    const user = await scene.stranger("hep");
    const callId = `hep-${unique()}`;
    expect(status(await user.prove("INVITE", "sip:+3225887001@acme.example", { callId }))).toBe(200);
    await sink.waitFor(({ correlationId, payload }) => correlationId === callId && payload.startsWith("SIP/2.0 200"));
    const told = of(callId).map(({ type, payload }) => `${type} ${payload.split("\r\n")[0]?.split(" sip:")[0]}`);
    expect(told.filter((line) => !line.includes("SIP/2.0 1") && line !== "100 postern delivered INVITE")).toEqual([
      "1 INVITE",
      "100 postern challenged INVITE",
      "1 SIP/2.0 407 Proxy Authentication Required",
      "1 INVITE",
      "100 postern accepted INVITE",
      "1 INVITE",
      "1 SIP/2.0 200 OK",
      "1 SIP/2.0 200 OK",
    ]);
    const stamps = of(callId)
      .filter(({ type }) => type === 1)
      .map(({ seconds, microseconds }) => seconds * 1e6 + microseconds);
    expect(stamps).toEqual([...new Set(stamps)].toSorted((one, other) => one - other));
    expect(Math.abs(stamps[0]! / 1e6 - Date.now() / 1000)).toBeLessThan(20);
    expect(sink.faults).toEqual([]);
  });

  it("the ends of each, the capture id and the key", async () => {
    const user = await scene.stranger("ends");
    const callId = `ends-${unique()}`;
    expect(status(await user.prove("OPTIONS", "sip:acme.example", { callId }))).toBe(200);
    await expect.poll(() => of(callId).filter(({ type }) => type === 1).length).toBe(6);
    const gateway = `127.0.0.1 ${new URL(scene.gateway.gatewayUrl).port}`;
    const kamailio = `127.0.0.1 ${scene.kamailio.wsPort}`;
    const client = of(callId)[0]!.source;
    expect(client).toMatch(/^127\.0\.0\.1 \d+$/);
    expect([gateway, kamailio]).not.toContain(client);
    const ways = of(callId)
      .filter(({ type }) => type === 1)
      .map(({ source, destination }) => [source, destination]);
    const [up, back] = [
      [client, gateway],
      [gateway, client],
    ];
    expect(ways).toEqual([up, back, up, [gateway, kamailio], [kamailio, gateway], back]);
    for (const packet of of(callId)) {
      expect(packet).toMatchObject({ family: 2, protocol: 6, captureId: 2002, authKey });
    }
  });

  it("the reason with a refusal", async () => {
    const stranger = await scene.stranger("expired");
    stranger.given = signed(`${inSeconds(-100)}:${stranger.address}`);
    const callId = `expired-${unique()}`;
    expect(status(await stranger.prove("OPTIONS", "sip:acme.example", { callId }))).toBe(403);
    const verdict = await sink.waitFor(({ type, payload, correlationId }) => {
      return type === 100 && correlationId === callId && payload.includes("credential-expired");
    });
    expect(verdict.payload).toMatch(/^postern credential-expired OPTIONS: .+/);
  });

  it("no credential: not the client's, not the grant", async () => {
    const user = await scene.stranger("masked");
    const callId = `masked-${unique()}`;
    let sent = "";
    const keep = (text: string): string => {
      sent = text;
      return text;
    };
    expect(status(await user.prove("OPTIONS", "sip:acme.example", { callId }, {}, keep))).toBe(200);
    const proof = /response="([0-9a-f]{32})"/.exec(sent)?.[1] ?? "";
    const seen = await scene.came(callId, "OPTIONS");
    const secrets = [
      proof,
      seen.header("X-Postern-Grant") ?? "",
      seen.header("X-Postern-Token") ?? "",
      user.given.username,
    ];
    for (const secret of secrets) expect(secret.length).toBeGreaterThan(10);
    await expect.poll(() => of(callId).filter(({ type }) => type === 1).length).toBeGreaterThanOrEqual(6);
    const all = of(callId).map(({ payload }) => payload);
    expect(all.filter((payload) => payload.includes("Authorization: ***")).length).toBe(1);
    expect(all.filter((payload) => payload.includes("X-Postern-Grant: ***\r\nX-Postern-Token: ***")).length).toBe(1);
    for (const secret of secrets) expect(all.join("\n")).not.toContain(secret);
  });

  it("what the gateway says in a vanished client's place", async () => {
    const user = await scene.user("vanished");
    const callId = `vanished-${unique()}`;
    expect(status(await user.prove("INVITE", "sip:+3225887001@acme.example", { callId }))).toBe(200);
    user.client.reset();
    const bye = await sink.waitFor(
      ({ correlationId, payload }) => correlationId === callId && payload.startsWith("BYE "),
    );
    expect(bye.payload).toContain("X-Postern-Token: ***");
    await sink.waitFor(({ correlationId, payload }) => correlationId === callId && /^SIP\/2.0 200.*BYE/s.test(payload));
  });

  it("and the metrics count them", async () => {
    expect(await scene.gateway.metric("postern_hep_packets_total")).toBeGreaterThanOrEqual(sink.packets.length);
    expect(await scene.gateway.metric("postern_hep_dropped_total")).toBe(0);
  });
});

describe("without a collector", () => {
  it("nothing is sent where none is configured", async () => {
    const plain = await scene.another({});
    const user = await scene.user("plain", "acme.example", plain);
    expect(user.client.received).toBeDefined();
    expect(await plain.metric("postern_hep_packets_total")).toBe(0);
    expect(await plain.metric("postern_hep_dropped_total")).toBe(0);
  });

  it("that is away calls go on, and what is lost is counted and said once", async () => {
    const away = await scene.another({ more: hepTo(await freePort()) });
    const user = await scene.user("away", "acme.example", away);
    for (let at = 0; at < 5; at++) expect(status(await user.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    await expect.poll(() => away.metric('postern_hep_dropped_total{reason="unreachable"}')).toBeGreaterThan(0);
    const said = away.log().filter(({ msg }) => msg === "the HEP collector cannot be reached");
    expect(said.length).toBe(1);
  });

  it("that comes back is sent to again", async () => {
    const port = await freePort();
    const back = await scene.another({ more: hepTo(port) });
    const user = await scene.user("back", "acme.example", back);
    const late = await openHepSink(port);
    const callId = `back-${unique()}`;
    await user.prove("OPTIONS", "sip:acme.example", { callId });
    await user.prove("OPTIONS", "sip:acme.example", { callId: `${callId}-again` });
    await late.waitFor(({ correlationId }) => correlationId === `${callId}-again`);
    await late.close();
  });
});

describe("Kamailio's sipcapture", () => {
  const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
  const folders: string[] = [];
  const running: RunningKamailio[] = [];

  afterAll(async () => {
    for (const one of running) await one.stop();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  async function collector(configuration: string): Promise<{ port: number; dir: string; log: () => string }> {
    const [port, dir] = [await freePort(), temporaryDir("sipcapture")];
    folders.push(dir);
    const udp = [`127.0.0.1:${port}`];
    const settings = { dir, ws: [], udp, chainSecrets: ["not-used-by-a-collector"], algorithm: "sha256" } as const;
    const kamailio = await startKamailio({ ...settings, proxyProtocol: false, configuration: fixture(configuration) });
    running.push(kamailio);
    await expect.poll(() => readFileSync("/proc/net/udp", "latin1")).toContain(port.toString(16).toUpperCase());
    return { port, dir, log: () => kamailio.log() };
  }

  it("decodes every chunk", async () => {
    const { port, log } = await collector("sipcapture-chunks.cfg");
    const gateway = await scene.another({ more: hepTo(port) });
    const user = await scene.stranger("chunks", "acme.example", gateway);
    const callId = `chunks-${unique()}`;
    const answered = await user.prove("OPTIONS", "sip:acme.example", { callId });
    expect(status(answered)).toBe(200);
    const lines = () =>
      log()
        .split("\n")
        .filter((line) => line.includes(`correlation=${callId} `));
    await expect.poll(() => lines().length).toBeGreaterThanOrEqual(9);
    const gatewayPort = new URL(gateway.gatewayUrl).port;
    const first = lines().find((line) => line.includes("type=1 "))!;
    expect(first).toMatch(
      new RegExp(
        `HEP3 family=2 protocol=6 source=127\\.0\\.0\\.1:\\d+ destination=127\\.0\\.0\\.1:${gatewayPort} seconds=\\d{10} ` +
          `microseconds=\\d{1,6} type=1 capture=2002 key=${authKey} correlation=${callId} payload=[0-9a-f]+$`,
      ),
    );
    const payloads = lines().map((line) => Buffer.from(/payload=(\w*)/.exec(line)?.[1] ?? "", "hex").toString());
    // Whole, to the last byte.
    expect(payloads).toContain(answered);
    expect(payloads).toContain("postern accepted OPTIONS");
    expect(payloads.join("")).not.toContain(user.given.username);
  });

  it("reads the messages as SIP, and keeps the verdicts by Call-ID", async () => {
    const { port, dir, log } = await collector("sipcapture.cfg");
    const database = new DatabaseSync(join(dir, "kamailio.sqlite"));
    database.exec(
      "CREATE TABLE logs_capture (id INTEGER PRIMARY KEY, date, micro_ts, correlation_id, source_ip, source_port, " +
        "destination_ip, destination_port, proto, family, type, node, msg)",
    );
    const gateway = await scene.another({ more: hepTo(port) });
    const user = await scene.stranger("homer", "acme.example", gateway);
    const callId = `homer-${unique()}`;
    const answered = await user.prove("OPTIONS", "sip:acme.example", { callId });
    expect(status(answered)).toBe(200);
    const captured = () => [...log().matchAll(/CAPTURED (\S+) (\S+) /g)].filter((found) => found[2] === callId);
    await expect
      .poll(() =>
        captured()
          .map((found) => found[1])
          .toSorted(),
      )
      .toEqual(["200", "200", "407", "OPTIONS", "OPTIONS", "OPTIONS"]);
    const rows = () =>
      database
        .prepare("SELECT CAST(msg AS TEXT) AS msg FROM logs_capture WHERE correlation_id = ? ORDER BY id")
        .all(callId);
    await expect
      .poll(() =>
        rows()
          .map(({ msg }) => msg)
          .toSorted(),
      )
      .toEqual(["postern accepted OPTIONS", "postern challenged OPTIONS", "postern delivered OPTIONS"]);
    database.close();
    expect(header(answered, "Call-ID")).toBe(callId);
  });
});
