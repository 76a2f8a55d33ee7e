import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { ended, type Options, postern } from "../helpers/cli.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { Load, spoken } from "../helpers/load.ts";
import { answer, type Credential, credential, RawClient, status } from "../helpers/raw-client.ts";
import { reply } from "../helpers/raw-sip.ts";
import { jwtSecret, Rotation, type RotationSettings, takes, unhurried } from "../helpers/rotation.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { signToken } from "../helpers/tokens.ts";
import { startTrunk, type Trunk } from "../helpers/trunk.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";

/** Every character that base64 has, and one that each file writes in its own way. */
const fresh = (): string => `+/"\\${randomBytes(24).toString("base64")}`;
const plain = (): string => randomBytes(32).toString("base64");

let rotation: Rotation;
let trunk: Trunk | undefined;
let sink: UdpSink | undefined;
let load: Load | undefined;

async function open(settings: Partial<RotationSettings> = {}): Promise<string> {
  const secret = settings.secret ?? plain();
  rotation = await Rotation.open({ secret, ...settings });
  return secret;
}

afterEach(async () => {
  await load?.stop();
  await rotation.close();
  await trunk?.stop();
  await sink?.close();
  [load, trunk, sink] = [undefined, undefined, undefined];
});

/** Newest first, as local.cfg has them. */
const ofKamailio = (): string[] =>
  [...readFileSync(rotation.local, "utf8").matchAll(/^#!define CHAIN_SECRET(?:_OLD)? "(.*)"$/gm)].map(
    ([, secret = ""]) => secret.replace(/\\(.)/g, "$1"),
  );
const chainLine = (): string => /^chain: .*$/m.exec(readFileSync(rotation.config, "utf8"))?.[0] ?? "";

/** What the end looks like, wherever it was come to from. */
async function isOver(old: string): Promise<string> {
  const [secret = "", ...others] = ofKamailio();
  expect(others).toEqual([]);
  expect(secret).not.toBe(old);
  expect(chainLine()).toBe(`chain: { secret: ${JSON.stringify(secret)}, ttl: ${rotation.overlap[1]} }   # of Kamailio`);
  expect(await rotation.taken()).toBe(1);
  expect([await rotation.takes(secret), await rotation.takes(old)]).toEqual([true, false]);
  return secret;
}

/** But those of who asks Kamailio what it takes, from an address that nobody has. */
const grantRefusals = (): string[] => [
  ...rotation.gateway
    .log()
    .split("\n")
    .filter((line) => line.includes("refused the grant")),
  ...rotation.kamailioLog
    .split("\n")
    .filter((line) => line.includes("grant refused") || /no good grant, from (?!192\.0\.2\.1:)/.test(line)),
];

describe("under load", () => {
  it("the chain secret changes, and nothing is refused", { timeout: 180_000 }, async () => {
    trunk = await startTrunk({ host: "127.0.0.41", scenario: "answer" });
    const old = await open({ trunk: trunk.uri, life: 10 });
    load = await Load.start(rotation);
    const ran = await rotation.run([...rotation.overlap, "--json"]);
    await load.round();
    await load.stop();
    await spoken(load.standing, "BYE");
    expect(load.failures).toEqual([]);
    expect(grantRefusals()).toEqual([]);
    expect(ran.exit).toBe(0);
    const steps = (JSON.parse(ran.stdout) as { steps: { step: string; done: boolean }[] }).steps;
    expect(steps.map(({ step }) => step)).toEqual(["announce", "use", "use", "retire", "retire", "retire", "retire"]);
    expect(steps.every(({ done }) => done)).toBe(true);
    await isOver(old);
  });

  it("Kamailio is killed in the middle, and knows both when it is back", { timeout: 180_000 }, async () => {
    trunk = await startTrunk({ host: "127.0.0.42", scenario: "answer" });
    const old = await open({ trunk: trunk.uri, life: 10 });
    load = await Load.start(rotation);
    const command = rotation.start();
    await command.said("retire:");
    const killed = performance.now();
    await rotation.killKamailio();
    // Its legs come back one by one, and what was under way is lost; from then on all is as before.
    await load.round();
    const back = performance.now();
    await load.round();
    expect((await command.ended).exit).toBe(0);
    await load.round();
    await load.stop();
    await spoken(load.standing, "BYE");
    expect(load.failures.filter(({ begun }) => begun > back)).toEqual([]);
    expect(load.failures.filter(({ ended }) => ended < killed)).toEqual([]);
    expect(grantRefusals()).toEqual([]);
    await isOver(old);
  });

  it("Kamailio that is started anew takes both from its file", { timeout: 180_000 }, async () => {
    const old = await open();
    const secret = fresh();
    expect((await rotation.run(["--step", "announce", "--secret", "-"], { stdin: secret })).exit).toBe(0);
    expect(ofKamailio()).toEqual([secret, old]);
    await rotation.killKamailio();
    expect([await rotation.takes(secret), await rotation.takes(old)]).toEqual([true, true]);
  });
});

describe("what was made under the old secret", () => {
  it("goes on while both are taken, and not after", { timeout: 180_000 }, async () => {
    await open();
    const [given, token] = [await exchanged(), await accessToken()];
    expect((await rotation.run(["--step", "announce"])).exit).toBe(0);
    const carol = await rotation.stranger("carol");
    const parts = carol.parts("OPTIONS", "sip:acme.example");
    const challenge = await carol.client.ask(parts);
    expect((await rotation.run(["--step", "use"])).exit).toBe(0);
    expect(await rotation.taken()).toBe(2);
    const proof = answer(challenge, "OPTIONS", parts.uri, carol.given);
    expect(status(await carol.client.ask({ ...parts, cseq: 2, extra: [proof] }))).toBe(200);
    expect([await registers(given), await bearer(token)]).toEqual([200, 200]);
    const later = { given: await exchanged(), token: await accessToken() };
    expect((await rotation.run([...rotation.overlap, "--step", "retire"])).exit).toBe(0);
    expect([await registers(given), await bearer(token)]).toEqual([403, 407]);
    expect([await registers(later.given), await bearer(later.token)]).toEqual([200, 200]);
  });

  it("a trunk's answer to a call that rings is taken while both are, and not after", { timeout: 180_000 }, async () => {
    sink = await openUdpSink("127.0.0.43");
    await open({ trunk: `sip:${sink.host}:${sink.port}` });
    const [early, late] = [await ringing(), await ringing()];
    expect((await rotation.run(["--step", "announce"])).exit).toBe(0);
    expect((await rotation.run(["--step", "use"])).exit).toBe(0);
    expect(await early.answered()).toBe(486);
    expect((await rotation.run([...rotation.overlap, "--step", "retire"])).exit).toBe(0);
    void late.answered().catch(() => {}); // nobody is told
    // Kamailio has one process for UDP, which reads one after the other.
    expect(await (await ringing()).answered()).toBe(486);
    expect(late.user.client.received.filter((text) => text.startsWith("SIP/2.0 486"))).toEqual([]);
  });
});

/** A call to the trunk, whose INVITE has come there. */
async function ringing() {
  const frank = await rotation.user("frank");
  const parts = frank.parts("INVITE", "sip:+3225887123@acme.example");
  const final = frank.client.prove(parts, frank.given);
  final.catch(() => {}); // one of them is never answered
  const invite = await sink!.waitFor((text) => text.startsWith("INVITE ") && text.includes(parts.callId));
  const send = (line: string): void => sink!.send(reply(invite, { status: line, tag: "t" }), rotation.kamailio.udp);
  send("180 Ringing");
  await frank.client.take((text) => text.startsWith("SIP/2.0 180"));
  const answered = async (): Promise<number> => {
    send("486 Busy Here");
    return status(await final);
  };
  return { user: frank, answered };
}

const http = (path: string): string => rotation.gateway.gatewayUrl.replace(/^ws/, "http") + path;

/** The JSON that the gateway answers to a POST. */
const posted = <T>(path: string, init: RequestInit): Promise<T> =>
  unhurried(async () => {
    const asked = await fetch(http(path), { method: "POST", ...init });
    if (asked.status !== 200) throw new Error(`HTTP ${asked.status}`);
    return (await asked.json()) as T;
  });

function exchanged(): Promise<Credential> {
  const { username, password } = credential("alice@acme.example");
  const headers = { "content-type": "application/json" };
  return posted("/v1/exchange", { headers, body: JSON.stringify({ username, password }) });
}

async function accessToken(): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "acme", sub: "alice@acme.example", iat: now, exp: now + 200 };
  const form = { grant_type: "authorization_code", client_id: "alice@acme" };
  const signed = await signToken({ alg: "HS256", kid: "j1" }, claims, jwtSecret);
  const body = new URLSearchParams({ ...form, code: signed });
  const { access_token } = await posted<{ access_token: string }>("/authenticate", { body });
  return access_token;
}

/** Status of a REGISTER on a connection of its own. */
async function registers(given: Credential): Promise<number> {
  const client = await unhurried(() => RawClient.connect(rotation.gateway.gatewayUrl));
  const answered = await client.register("alice@acme.example", given);
  client.close();
  return status(answered);
}

async function bearer(token: string): Promise<number> {
  const alice = await rotation.stranger("alice");
  const parts = { ...alice.parts("OPTIONS", "sip:acme.example"), from: "alice@acme.example" };
  return status(await alice.client.ask({ ...parts, extra: [`Authorization: Bearer ${token}`] }));
}

/** What nothing may have changed. */
const state = (): string[] => [rotation.local, rotation.config].map((file) => readFileSync(file, "utf8"));

describe("what is refused", () => {
  it("before anything is changed", { timeout: 180_000 }, async () => {
    const old = await open();
    const before = state();
    const alone = rotation.local;
    const text = readFileSync(rotation.config, "utf8");
    const changed = (from: string, to: string): string =>
      rotation.folder.write(`${to.length}.yaml`, text.replace(from, to));
    const socketless = rotation.folder.write("local.cfg", `#!define CHAIN_SECRET "${old}"\n`);
    const cases: [exit: number, says: string, args: string[], options?: Options][] = [
      [2, "name Kamailio's local.cfg", ["-c", rotation.config]],
      [2, "has no RPC_SOCKET", ["-c", rotation.config, "--kamailio", socketless]],
      [2, "cannot be read", ["-c", rotation.config, "--kamailio", `${alone}.none`]],
      [
        2,
        "from the environment",
        ["-c", changed(JSON.stringify(old), '"${CHAIN}"'), "--kamailio", alone],
        { env: { CHAIN: old } },
      ],
      [2, "both must be taken for at least as long", [...ours(), "--overlap", "1"]],
      [2, "has fewer than 16 bytes", [...ours(), "--secret", "-"], { stdin: "too short" }],
      [2, "is not one line", [...ours(), "--secret", "-"], { stdin: "a secret in\ntwo lines of it" }],
      [2, "never the secret itself", [...ours(), "--secret", fresh()]],
      [2, "--step use takes the announced secret", [...ours(), "--step", "use"]],
      [2, "--step announce needs --secret", ["--step", "announce", "--kamailio", alone]],
      [1, "--step use comes first", [...ours(), "--step", "retire"]],
      [1, "does not have the secret that the gateway uses", ["-c", changed(old, plain()), "--kamailio", alone]],
    ];
    for (const [exit, says, args, options] of cases) {
      const ran = await postern(["rotate-chain", ...args], options);
      expect([ran.exit, ran.stdout, ran.stderr.includes(says)], `${says}: ${ran.stderr}`).toEqual([exit, "", true]);
      expect(ran.stderr).not.toContain(old);
    }
    expect(state()).toEqual(before);
    expect(await rotation.takes(old)).toBe(true);
  });

  it("a gateway that would sign with what Kamailio does not know", { timeout: 180_000 }, async () => {
    await open();
    const before = state();
    const ran = await postern(["rotate-chain", "-c", rotation.config, "--step", "use", "--secret", "-", "--json"], {
      stdin: fresh(),
    });
    expect(ran.exit).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      ok: false,
      sentence: `Kamailio at ${rotation.kamailio.wsUrl} does not know the new secret: announce it there first`,
      steps: [{ done: false }, { done: false }],
    });
    expect(state()).toEqual(before);
  });

  it("two at once", { timeout: 180_000 }, async () => {
    await open();
    const command = rotation.start();
    await command.said("announce:");
    const second = await rotation.run();
    expect(second).toMatchObject({ exit: 1 });
    expect(second.stderr).toContain(`another rotation is under way (process ${command.pid})`);
    expect((await command.ended).exit).toBe(0);
  });

  it("nothing that --dry-run would do, and nothing is done", { timeout: 180_000 }, async () => {
    const old = await open();
    const before = state();
    const ran = await rotation.run([...rotation.overlap, "--dry-run", "--json"]);
    expect(ran.exit).toBe(0);
    const { ok, steps } = JSON.parse(ran.stdout) as { ok: boolean; steps: { step: string; done: boolean }[] };
    expect([ok, steps.length, steps.some(({ done }) => done)]).toEqual([true, 7, false]);
    expect(state()).toEqual(before);
    expect(await rotation.takes(old)).toBe(true);
  });
});

const ours = (): string[] => rotation.args.slice(1);

describe("postern doctor", () => {
  const said = async (): Promise<string[]> => {
    const { stdout } = await postern(["doctor", "-c", rotation.config, "--kamailio", rotation.local, "--json"]);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; state: string; found: string }[] };
    return findings
      .filter(({ check }) => check.startsWith("chain rotation"))
      .map(({ state, found }) => `${state}: ${found}`);
  };

  it("says how far a rotation is", { timeout: 180_000 }, async () => {
    const old = await open();
    expect(await said()).toEqual(["ok: has the secret that the gateway signs with, and no other"]);
    await rotation.run(["--step", "announce"]);
    expect(await said()).toEqual(["warn: is half done: it has a new secret that the gateway does not sign with yet"]);
    await rotation.run(["--step", "use"]);
    expect(await said()).toEqual([
      "warn: is half done: the gateway still takes what it made under the old secret",
      "warn: is half done: both know both secrets",
    ]);
    expect((await rotation.run()).exit).toBe(0);
    const secret = await isOver(old);
    const text = readFileSync(rotation.local, "utf8");
    writeFileSync(
      rotation.local,
      text.replace("#!define CHAIN_SECRET", `#!define CHAIN_SECRET_OLD "${old}"\n#!define CHAIN_SECRET`),
    );
    expect(await said()).toEqual(["warn: is half done: the gateway knows the new one alone, Kamailio the old one too"]);
    writeFileSync(rotation.local, text.replace(secret, old));
    expect((await said())[0]).toMatch(/^fail: does not have the secret that the gateway signs with/);
  });
});

describe("a rotation that was interrupted", () => {
  const lines = [
    "announce:",
    "use: ws:",
    "use: /",
    "retire: /",
    "this file and its Kamailio forget",
    "the gateway forgets",
  ];

  it.each([
    ["a secret in the config", lines, undefined],
    ["a secret in a file of its own", ["use: /", "the gateway forgets"], 'secret: "file:chain.secret"'],
  ])("ends well when it is run again, wherever it was killed: %s", { timeout: 180_000 }, async (_, places, chain) => {
    let old = plain();
    await open({ secret: old, ...(chain && { chain, files: { "chain.secret": `${old}\n` } }) });
    const line = chainLine();
    for (const killedAt of places) {
      const command = rotation.start();
      await command.said(killedAt);
      await command.kill();
      expect(await rotation.user("alice"), killedAt).toBeDefined();
      const again = await rotation.run();
      expect(again, killedAt).toMatchObject({ exit: 0 });
      // At the first line it may have done nothing yet, at the last one all.
      if (lines.indexOf(killedAt) % 5 !== 0) expect(again.stderr, killedAt).toContain("goes on with it");
      const [secret = ""] = ofKamailio();
      expect(ofKamailio(), killedAt).toHaveLength(1);
      expect(secret === old, killedAt).toBe(false);
      expect([await rotation.takes(secret), await rotation.takes(old)], killedAt).toEqual([true, false]);
      expect(await rotation.taken()).toBe(1);
      expect(await rotation.user("alice"), killedAt).toBeDefined();
      if (chain) {
        expect(chainLine()).toBe(line);
        expect(readFileSync(join(rotation.folder.path, "chain.secret"), "utf8")).toBe(`${secret}\n`);
        expect(existsSync(join(rotation.folder.path, "chain.secret.new"))).toBe(false);
      }
      old = secret;
    }
    expect(grantRefusals()).toEqual([]);
  });
});

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = (name: string): string => readFileSync(join(root, "docs", name), "utf8");

describe("docs/operating.md", () => {
  const section = /^### The chain secret$([\s\S]*?)^##/m.exec(page("operating.md"))?.[1] ?? "";
  const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);

  /** As it stands there, but for where things are, and how long is waited. */
  const shell = (block: string): string =>
    block
      .replaceAll("/etc/postern/postern.yaml", rotation.config)
      .replaceAll("/etc/kamailio/postern/local.cfg", rotation.local)
      .replace(/^(postern rotate-chain .*-c .*)$/gm, `$1 ${rotation.overlap.join(" ")}`)
      .replace(/^postern /gm, `'${process.execPath}' '${join(root, "src/cli/main.ts")}' `);

  it.each([0, 1])("has commands that do what it says: block %i", { timeout: 180_000 }, async (index) => {
    const old = await open();
    const child = spawn("sh", ["-e"], { stdio: "pipe", cwd: rotation.folder.path });
    child.stdin.end(shell(blocks[index] ?? ""));
    const ran = await ended(child);
    expect(ran, ran.stderr).toMatchObject({ exit: 0 });
    await isOver(old);
    expect(blocks).toHaveLength(2);
    expect(existsSync(join(rotation.folder.path, "chain.new"))).toBe(false);
  });
});

describe("docs/kamailio.md", () => {
  const blocks = [...page("kamailio.md").matchAll(/^```kamailio(-rotate)?\n([\s\S]*?)^```$/gm)];
  let kamailio: Kamailio | undefined;
  afterEach(async () => {
    await kamailio?.stop();
    kamailio = undefined;
  });

  /** The lines for one's own configuration, with what it says of rotating put in. */
  const own = (): string =>
    [
      '#!KAMAILIO\ninclude_file "local.cfg"\ntcp_accept_no_cl=yes',
      ...["pv", "xlog", "tm", "sl", "siputils", "textops", "xhttp", "websocket", "nathelper"].map(
        (module) => `loadmodule "${module}.so"`,
      ),
      ...blocks.map(([, , block = ""]) => block),
    ]
      .join("\n")
      .replace("route[POSTERN_CHECK] {", "route[POSTERN_CHECK] {\n\troute(SECRETS);")
      .replace(
        'modparam("auth_ephemeral", "secret", CHAIN_SECRET)',
        '#!ifdef CHAIN_SECRET_OLD\nmodparam("auth_ephemeral", "secret", CHAIN_SECRET_OLD)\n#!endif\n$&',
      );

  it("has lines by which one's own configuration rotates", { timeout: 180_000 }, async () => {
    const dir = temporaryDir("own");
    cpSync(join(root, "kamailio/routes"), join(dir, "routes"), { recursive: true });
    writeFileSync(join(dir, "own.cfg"), own());
    const [old, secret] = [plain(), fresh()];
    const settings = { dir, configuration: join(dir, "own.cfg"), report: false, keepLocal: true } as const;
    const defines = { RPC_SOCKET: join(dir, "rpc.sock") };
    kamailio = await startKamailio({ ...settings, chainSecret: old, defines });
    const command = ["rotate-chain", "--kamailio", join(dir, "local.cfg"), "--step"];
    const known = async (): Promise<boolean[]> => [await takes(kamailio!, secret), await takes(kamailio!, old)];
    expect(await known()).toEqual([false, true]);
    expect((await postern([...command, "announce", "--secret", "-"], { stdin: secret })).exit).toBe(0);
    expect(await known()).toEqual([true, true]);
    await kamailio.kill();
    kamailio = await startKamailio({
      ...settings,
      chainSecret: old,
      wsPort: kamailio.wsPort,
      udpPort: kamailio.udp.port,
    });
    expect(await known()).toEqual([true, true]);
    expect((await postern([...command, "retire"])).exit).toBe(0);
    expect(await known()).toEqual([true, false]);
    expect(kamailio.log()).not.toContain(secret);
  });
});
