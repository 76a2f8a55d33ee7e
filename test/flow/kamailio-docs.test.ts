import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createDatabase } from "../../scripts/kamailio.ts";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { callOf, chainSecret, granted, Legs, registerOf } from "../helpers/legs.ts";
import { isReply } from "../helpers/raw-sip.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";
import { openUpstream } from "../helpers/upstream-client.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/kamailio.md"), "utf8");
const blocks = [...page.matchAll(/^```kamailio\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);

/** The blocks of the page, around what its reader is said to have, and a routing that shows what they found out. */
const configuration = (sink: UdpSink): string => {
  const had = ["pv", "xlog", "tm", "sl", "siputils", "textops", "xhttp", "websocket", "nathelper"];
  const routing = `
	if ($avp(trunk) =~ ".") {
		$du = "sip:${sink.host}:${sink.port}";
		append_hf("Found: $avp(user) $avp(trunk) $avp(caller) $avp(max)\\r\\n");
		t_relay();
		exit;
	}
	sl_send_reply("200", "OK");`;
  return [
    '#!KAMAILIO\ninclude_file "local.cfg"\ntcp_accept_no_cl=yes',
    ...had.map((module) => `loadmodule "${module}.so"`),
    ...blocks.map((block) => block.replace("# Your routing.", routing)),
  ].join("\n");
};

describe("the lines of docs/kamailio.md for one's own configuration", () => {
  let kamailio: Kamailio;
  let sink: UdpSink;
  const dir = temporaryDir("docs");
  const legs = new Legs(() => kamailio);

  beforeAll(async () => {
    sink = await openUdpSink();
    writeFileSync(join(dir, "own.cfg"), configuration(sink));
    kamailio = await startKamailio({ chainSecret, configuration: join(dir, "own.cfg"), report: false });
  });
  afterEach(() => legs.close());
  afterAll(async () => {
    await kamailio.stop();
    await sink.close();
    rmSync(dir, { recursive: true });
  });

  const statusOf = async (headers: Record<string, string | string[]>): Promise<number> => {
    const opened = await openUpstream({ url: kamailio.wsUrl, headers });
    if (opened.ok) await opened.client.close();
    return opened.ok ? 101 : opened.status;
  };

  it("are all there is on the page", () => {
    expect(blocks).toHaveLength(5);
    expect(page.match(/# Your routing\./g)).toHaveLength(1);
  });

  it("take a good grant at the handshake, and refuse none, a bad one and two", async () => {
    const good = granted("alice");
    expect(await statusOf(good)).toBe(101);
    expect(await statusOf({})).toBe(403);
    expect(await statusOf({ ...good, "X-Postern-Grant": `${good["X-Postern-Grant"]}x` })).toBe(403);
    expect(await statusOf({ ...good, "X-Postern-Grant": [good["X-Postern-Grant"], "x"] })).toBe(403);
    expect(await statusOf({ ...good, "X-Postern-Token": [good["X-Postern-Token"], "x"] })).toBe(403);
  });

  it.each([
    ["no grant", ""],
    ["two", "X-Postern-Grant: x\r\nX-Postern-Grant: y\r\n"],
    ["a bad one", "X-Postern-Grant: x\r\n"],
  ])("refuse a request with %s, and take its twin", async (_, line) => {
    const alice = await legs.open("alice", 47_001);
    alice.send(registerOf("alice").replace(/^X-Postern-Grant:.*\r\n/m, line));
    const refused = await alice.waitFor((message) => isReply(message, 503, "REGISTER"));
    expect(refused).toContain("\r\nX-Postern-Refused: grant\r\n");
    alice.send(registerOf("alice"));
    await alice.waitFor((message) => isReply(message, 200, "REGISTER"));
  });

  it("read the fields, and pass nothing of ours on", async () => {
    const alice = await legs.open("alice", 47_002);
    const trunk = "sip:pbx.acme.example:5060;transport=udp";
    const call = callOf("alice", "+1900", { trunk, caller: "+3225887000", max: 60 }, { extra: ["x-postern-x: 1"] });
    alice.send(call.invite);
    const invite = await sink.waitFor((message) => message.includes(call.callId));
    expect(invite).toContain(`\r\nFound: alice@acme.example ${trunk} +3225887000 60\r\n`);
    expect(invite).not.toMatch(/^x-postern/im);
  });

  it("keep the secret out of the log", () => {
    expect(kamailio.log()).not.toContain(chainSecret);
  });
});

describe("kamailio/", () => {
  const hasSqlite = spawnSync("sqlite3", ["--version"]).status === 0;
  const why = hasSqlite ? "" : " (skipped: no sqlite3 on this machine)";

  it.skipIf(!hasSqlite)(`has a script that makes the database that the tests use${why}`, () => {
    const dir = temporaryDir("database");
    const tables = (file: string): unknown[] => {
      const database = new DatabaseSync(file);
      const rows = database.prepare("SELECT sql FROM sqlite_master ORDER BY name").all();
      rows.push(...database.prepare("PRAGMA journal_mode").all());
      database.close();
      return rows;
    };
    execFileSync(join(root, "kamailio/create-database.sh"), [join(dir, "script")]);
    createDatabase(join(dir, "ours"));
    expect(tables(join(dir, "script"))).toEqual(tables(join(dir, "ours")));
    expect(spawnSync(join(root, "kamailio/create-database.sh"), [join(dir, "script")]).status).toBe(1);
    const lacking = { env: { ...process.env, KAMAILIO_SCHEMAS: dir } };
    expect(spawnSync(join(root, "kamailio/create-database.sh"), [join(dir, "empty")], lacking).status).toBe(1);
    expect(existsSync(join(dir, "empty"))).toBe(false);
    rmSync(dir, { recursive: true });
  });

  it("has a database that nobody else reads, for who calls whom stands in it: tried out, too", () => {
    const dir = temporaryDir("database");
    createDatabase(join(dir, "ours"));
    expect(statSync(join(dir, "ours")).mode & 0o777).toBe(0o600);
    rmSync(dir, { recursive: true });
  });

  it("has an example of local.cfg that sets what kamailio.cfg needs", () => {
    const example = readFileSync(join(root, "kamailio/local.cfg.example"), "utf8");
    for (const name of ["#!define CHAIN_ALGORITHM", "#!define DATABASE", "##!define CHAIN_SECRET"]) {
      expect(example).toContain(`\n${name} `);
    }
    expect(example).toMatch(/^listen=tcp:127\.0\.0\.1:/m);
    expect(example).toMatch(/^listen=udp:127\.0\.0\.1:/m);
  });
});
