import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { examine } from "../../src/doctor/doctor.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { thisSystem } from "../../src/doctor/system.ts";
import { postern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { chainSecret, startGateway } from "../helpers/gateway.ts";
import { type Kamailio, type KamailioOptions, startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";

const folder = new ConfigFolder();
const otherSecret = "another-chain-secret-of-the-tests";
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => folder.remove());

async function kamailioWith(options: Partial<KamailioOptions> = {}): Promise<Kamailio> {
  const kamailio = await startKamailio({ chainSecret, report: false, ...options });
  closing.push(() => kamailio.stop());
  return kamailio;
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => void server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Settings {
  readonly urls: readonly string[];
  readonly chain?: string;
  readonly proxyProtocol?: "v1" | "v2" | "off";
  readonly listen?: string;
  readonly admin?: string;
}

const yaml = ({ urls, chain = `secret: ${chainSecret}`, proxyProtocol = "v1", ...listen }: Settings): string => `\
gateway: { listen: "${listen.listen ?? "ws://127.0.0.1:0"}" }
upstream: { urls: ${JSON.stringify(urls)}, proxyProtocol: ${proxyProtocol} }
chain: { ${chain} }
admin: { listen: "${listen.admin ?? "http://127.0.0.1:0"}" }
`;

interface Diagnosis {
  readonly exit: number | null;
  readonly findings: readonly Finding[];
  readonly all: string;
}

/** `postern doctor --json` as an operator runs it. */
async function doctor(settings: Settings): Promise<Diagnosis> {
  const file = folder.write("postern.yaml", yaml(settings));
  const { exit, stdout, stderr } = await postern(["doctor", "-c", file, "--json"]);
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  expect(ok).toBe(exit === 0);
  return { exit, findings, all: stdout + stderr };
}

const failed = (findings: readonly Finding[]): string[] =>
  findings.filter(({ state }) => state === "fail").map(({ check, found }) => `${check}: ${found}`);

const sentence = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((finding) => finding.check.startsWith(check));

describe("postern doctor before a Kamailio", () => {
  it("that is as it should be finds nothing failed: TCP, WebSocket, PROXY, grant, clock, exit 0", async () => {
    const { wsUrl } = await kamailioWith();
    const { exit, findings } = await doctor({ urls: [wsUrl] });
    expect(failed(findings)).toEqual([]);
    expect(exit).toBe(0);
    const about = findings.filter(({ check }) => check.endsWith(wsUrl));
    expect(about.map(({ check, state }) => `${state} ${check.split(" ", 1)[0]}`)).toEqual([
      "ok upstream",
      "ok WebSocket",
      "ok PROXY",
      "ok grant",
      "ok Kamailio's",
    ]);
  });

  it("leaves one refused handshake in Kamailio's log, by an address that no browser has", async () => {
    const kamailio = await kamailioWith();
    await doctor({ urls: [kamailio.wsUrl] });
    const refused = kamailio.log().match(/handshake refused.*/g) ?? [];
    expect(refused).toHaveLength(1);
    expect(refused[0]).toContain("from 192.0.2.1:");
  });

  it.each(["v2", "off"] as const)("with proxyProtocol %s finds nothing failed either", async (proxyProtocol) => {
    const { wsUrl } = await kamailioWith();
    expect(failed((await doctor({ urls: [wsUrl], proxyProtocol })).findings)).toEqual([]);
  });

  it("on IPv6 finds nothing failed", async () => {
    const { wsUrls } = await kamailioWith({ host: ["127.0.0.1", "::1"] });
    const { findings } = await doctor({ urls: wsUrls, listen: "ws://[::1]:0" });
    expect(failed(findings)).toEqual([]);
    expect(sentence(findings, "IPv6")).toMatchObject({ state: "ok" });
  });

  it("that is not running says so, exit 1", async () => {
    const url = `ws://127.0.0.1:${await freePort()}`;
    const { exit, findings } = await doctor({ urls: [url] });
    expect(exit).toBe(1);
    expect(failed(findings)).toEqual([`upstream ${url}: nobody listens there`]);
    expect(sentence(findings, "upstream")?.advice).toMatch(/start Kamailio/);
  });

  it("without tcp_accept_haproxy names it", async () => {
    const { wsUrl } = await kamailioWith({ haproxy: false });
    const { exit, findings } = await doctor({ urls: [wsUrl] });
    expect(exit).toBe(1);
    expect(failed(findings)).toEqual([`PROXY ${wsUrl}: header v1 gets no answer, an upgrade without it does`]);
    expect(sentence(findings, "PROXY")?.advice).toMatch(/tcp_accept_haproxy=yes/);
  });

  it("with another secret says that the secrets differ, and prints neither", async () => {
    const { wsUrl } = await kamailioWith({ chainSecret: otherSecret });
    const { exit, findings, all } = await doctor({ urls: [wsUrl] });
    expect(exit).toBe(1);
    expect(failed(findings)).toEqual([
      `grant ${wsUrl}: is refused under every algorithm and for any time: the secrets differ`,
    ]);
    expect(all).not.toContain(chainSecret);
    expect(all).not.toContain(otherSecret);
  });

  it("with another algorithm names both", async () => {
    const { wsUrl } = await kamailioWith({ algorithm: "sha1" });
    const { findings } = await doctor({ urls: [wsUrl] });
    expect(failed(findings)).toEqual([
      `grant ${wsUrl}: is refused: Kamailio checks by sha1, chain.algorithm is sha256`,
    ]);
    expect(sentence(findings, "grant")?.advice).toContain("CHAIN_ALGORITHM in Kamailio's local.cfg to 1");
  });

  it("that has the old secret only says which it knows", async () => {
    const { wsUrl } = await kamailioWith({ chainSecret: otherSecret });
    const { findings, all } = await doctor({ urls: [wsUrl], chain: `secrets: [${chainSecret}, ${otherSecret}]` });
    expect(failed(findings)).toEqual([
      `grant ${wsUrl}: is refused: Kamailio knows entry 2 of chain.secrets and not the first`,
    ]);
    expect(all).not.toContain(otherSecret);
  });

  it("that is one of several names the one that fails", async () => {
    const { wsUrl } = await kamailioWith();
    const down = `ws://127.0.0.1:${await freePort()}`;
    const { exit, findings } = await doctor({ urls: [wsUrl, down] });
    expect(exit).toBe(1);
    expect(failed(findings)).toEqual([`upstream ${down}: nobody listens there`]);
    expect(sentence(findings, `grant ${wsUrl}`)).toMatchObject({ state: "ok" });
  });
});

describe("postern doctor before what is no Kamailio", () => {
  it("but takes connections and says nothing, says so", async () => {
    const url = await listening(createServer((socket) => socket.on("error", () => socket.destroy())));
    const { exit, findings } = await doctor({ urls: [url] });
    expect(exit).toBe(1);
    expect(sentence(findings, "upstream")).toMatchObject({ state: "ok" });
    expect(failed(findings)).toEqual([
      expect.stringMatching(/^WebSocket \S+: takes connections and answers no upgrade, with or without PROXY header/),
    ]);
  }, 30_000);

  it("but a web server names the status", async () => {
    const url = await listening(createHttpServer((_, response) => response.writeHead(404).end()));
    const { findings } = await doctor({ urls: [url], proxyProtocol: "off" });
    expect(failed(findings)).toEqual([`WebSocket ${url}: answers the upgrade with HTTP 404`]);
  });

  it("but has a certificate of its own making says so", async () => {
    folder.certificate("upstream");
    const [cert, key] = ["cert", "key"].map((name) => readFileSync(join(folder.path, `upstream-${name}.pem`)));
    const url = (await listening(createTlsServer({ cert, key }))).replace("ws:", "wss:");
    const { findings } = await doctor({ urls: [url], proxyProtocol: "off" });
    expect(failed(findings)).toEqual([`TLS ${url}: its certificate is not believed: self-signed certificate`]);
  });

  it("nor a name that is known", async () => {
    const { findings } = await doctor({ urls: ["ws://kamailio.invalid:5080"] });
    expect(failed(findings)).toEqual(["upstream ws://kamailio.invalid:5080: the name is not known"]);
  });
});

describe("the doctor and Kamailio's clock", () => {
  /** Our clock is moved, which is the same to both as if Kamailio's were. */
  const withClock = async (wsUrl: string, seconds: number): Promise<readonly Finding[]> => {
    const config = folder.config(yaml({ urls: [wsUrl] }));
    const system = { ...thisSystem, now: () => Date.now() + seconds * 1000 };
    const stored = { kind: "customers", customers: [] } as const;
    return examine({ file: "postern.yaml", config, stored, files: [], notAvailable: [], localCfgs: [] }, system);
  };

  it.each([
    [20, /^is about (?:19|20|21) s behind ours: a grant is taken that much longer than its 60 s$/],
    [36_000, /^is about (?:9|10|11) hours behind ours: a grant is taken that much longer than its 60 s$/],
    [-20, /^is about (?:19|20|21) s ahead of ours: a grant, which lives 60 s, is refused that much earlier$/],
  ])("%i s from ours is a warning", async (seconds, found) => {
    const { wsUrl } = await kamailioWith();
    const finding = sentence(await withClock(wsUrl, seconds), "Kamailio's clock");
    expect(finding?.state).toBe("warn");
    expect(finding?.found).toMatch(found);
  });

  it.each([
    [-600, /Kamailio's clock is about (?:9|10|11) minutes ahead of ours, and a grant lives 60 s/],
    [-36_000, /Kamailio's clock is about (?:9|10|11) hours ahead of ours, and a grant lives 60 s/],
  ])("%i s from ours, further than a grant lives, is why it is refused", async (seconds, found) => {
    const { wsUrl } = await kamailioWith();
    const findings = await withClock(wsUrl, seconds);
    expect(failed(findings)).toHaveLength(1);
    expect(sentence(findings, "grant")?.found).toMatch(found);
  });
});

describe("postern doctor beside a running gateway", () => {
  it("takes its ports for its own, and tells whether it is ready", async () => {
    const { wsUrl, ...kamailio } = await kamailioWith();
    const gateway = await startGateway({ upstreamUrls: [wsUrl] });
    closing.push(() => gateway.close());
    const places = { listen: gateway.gatewayUrl, admin: gateway.adminUrl };
    const well = await doctor({ urls: [wsUrl], ...places });
    expect(failed(well.findings)).toEqual([]);
    expect(sentence(well.findings, "gateway.listen")?.found).toMatch(/is taken, and a gateway runs$/);
    expect(sentence(well.findings, "running gateway")?.found).toBe("answers on admin.listen and is ready");
    await kamailio.kill();
    // Its answer is good for two seconds.
    const readiness = async () => (await fetch(`${gateway.adminUrl}/readyz`)).status;
    await expect.poll(readiness).toBe(503);
    const ill = await doctor({ urls: [wsUrl], ...places });
    expect(ill.exit).toBe(1);
    const unready = sentence(ill.findings, "running gateway");
    expect(unready).toMatchObject({ state: "warn", found: expect.stringMatching(/is not ready: .*nobody listens/) });
  });

  it("tells a port that another program has", async () => {
    const { wsUrl } = await kamailioWith();
    const other = await listening(createServer());
    const { exit, findings } = await doctor({ urls: [wsUrl], listen: other });
    expect(exit).toBe(1);
    expect(failed(findings)).toEqual([expect.stringMatching(/^gateway\.listen: port \d+: another program listens/)]);
  });
});

describe("postern doctor", () => {
  it("prints words on stderr, each failure with what to do", async () => {
    const file = folder.write("words.yaml", yaml({ urls: [`ws://127.0.0.1:${await freePort()}`] }));
    const { exit, stdout, stderr } = await postern(["doctor", "-c", file]);
    expect([exit, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^ok {4}config: has no faults$/m);
    expect(stderr).toMatch(/^fail {2}upstream \S+: nobody listens there\n {6}start Kamailio/m);
    expect(stderr).toMatch(/\d+ ok, \d+ warnings, 1 failed\n$/);
  });

  it("lists the faults of a config, exit 2, and looks no further", async () => {
    const file = folder.write("bad.yaml", "upstream: { urls: [] }\nchain: { secret: short }\n");
    const { exit, stdout, stderr } = await postern(["doctor", "-c", file]);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/:1: upstream\.urls: .*\n.*:2: chain\.secret: .*\n$/);
    const json = await postern(["doctor", "-c", file, "--json"]);
    expect(json.exit).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, findings: [], faults: [{ line: 1 }, { line: 2 }] });
    expect(json.stdout).not.toContain("short }");
  });
});
