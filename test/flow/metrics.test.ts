import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { status, unique } from "../helpers/raw-client.ts";
import { inSeconds, Scene, signed } from "../helpers/scene.ts";
import { temporaryDir } from "../helpers/temporary.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let scene: Scene;
let dir: string;

beforeAll(async () => {
  dir = temporaryDir("metrics");
  scene = await Scene.open({ trunk: "answer" });
});

afterAll(async () => {
  await scene?.close();
  rmSync(dir, { recursive: true, force: true });
});

const metric = (line: string): Promise<number> => scene.gateway.metric(line);
const exposition = async (): Promise<string> => (await fetch(`${scene.gateway.adminUrl}/metrics`)).text();

/** Debian's promtool; throws with what it says where it finds a fault. */
const promtool = (args: readonly string[], input = ""): string =>
  execFileSync("promtool", args, { cwd: root, input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });

/** How much a metric grows by what is done. */
async function growth(lines: readonly string[], act: () => Promise<unknown>): Promise<number[]> {
  const before = await Promise.all(lines.map(metric));
  await act();
  return (await Promise.all(lines.map(metric))).map((after, at) => after - before[at]!);
}

describe("connections by state", () => {
  it("go from silent to unaccepted to accepted, and away", async () => {
    const states = ["silent", "unaccepted", "accepted"].map((state) => `postern_connections{state="${state}"}`);
    const now = (): Promise<number[]> => Promise.all(states.map(metric));
    const [silent = 0, unaccepted = 0, accepted = 0] = await now();
    const user = await scene.stranger("states");
    expect(await now()).toEqual([silent + 1, unaccepted, accepted]);
    await user.client.ask(user.parts("OPTIONS", "sip:acme.example"));
    expect(await now()).toEqual([silent, unaccepted + 1, accepted]);
    expect(status(await user.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    expect(await now()).toEqual([silent, unaccepted, accepted + 1]);
    user.client.close();
    await user.client.closed;
    await expect.poll(now).toEqual([silent, unaccepted, accepted]);
  });
});

describe("messages", () => {
  it("count once for each side they pass, by method", async () => {
    const user = await scene.user("counted");
    const ways = ["from_client", "to_upstream", "from_upstream", "to_client"];
    const lines = ways.map((way) => `postern_messages_total{direction="${way}",method="OPTIONS"}`);
    const grown = await growth(lines, () => user.prove("OPTIONS", "sip:acme.example"));
    // Two requests from the client, the first one challenged here; one of them and its answer at Kamailio.
    expect(grown).toEqual([2, 1, 1, 2]);
  });

  it("of methods that nobody knows have one label", async () => {
    const stranger = await scene.stranger("methods");
    const [grown] = await growth(['postern_messages_total{direction="from_client",method="other"}'], async () => {
      for (const made of ["EVIL", "CONSTRUCTOR", "X1"])
        await stranger.client.ask(stranger.parts(made, "sip:acme.example"));
    });
    expect(grown).toBe(3);
    expect(await exposition()).not.toMatch(/EVIL|CONSTRUCTOR|X1/);
  });
});

describe("verdicts", () => {
  it("name the customer after the proof", async () => {
    const user = await scene.user("proved");
    const lines = ['postern_verdicts_total{code="destination-denied",customer="acme"}'];
    expect(await growth(lines, () => user.prove("INVITE", "sip:+9991@acme.example"))).toEqual([1]);
  });

  it("name nobody before it, whoever the stranger says to be", async () => {
    const lines = ['postern_verdicts_total{code="credential-rejected"}', "postern_verdicts_total"];
    const [rejected] = await growth(lines, async () => {
      const stranger = await scene.stranger("liar");
      stranger.given = signed(`${inSeconds(60)}:${stranger.address}`, "not-the-secret-of-acme");
      expect(status(await stranger.prove("REGISTER", "sip:acme.example", { to: stranger.address }))).toBe(403);
    });
    expect(rejected).toBe(1);
    expect(await exposition()).not.toMatch(/credential-rejected",customer/);
  });

  it("of an expired credential name its customer, for it is proved", async () => {
    const stranger = await scene.stranger("late");
    stranger.given = signed(`${inSeconds(-100)}:${stranger.address}`);
    const lines = ['postern_verdicts_total{code="credential-expired",customer="acme"}'];
    expect(await growth(lines, () => stranger.prove("OPTIONS", "sip:acme.example"))).toEqual([1]);
  });
});

describe("proofs", () => {
  it("are timed, challenges are not", async () => {
    const user = await scene.stranger("timed");
    const line = ["postern_auth_duration_seconds_count"];
    expect(await growth(line, () => user.client.ask(user.parts("OPTIONS", "sip:acme.example")))).toEqual([0]);
    expect(await growth(line, () => user.prove("OPTIONS", "sip:acme.example"))).toEqual([1]);
    const sum = await metric("postern_auth_duration_seconds_sum");
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(1);
  });
});

describe("what stands", () => {
  it("legs, registrations, dialogs and calls come and go", async () => {
    const lines = ["postern_legs", "postern_registrations", "postern_dialogs", "postern_calls"];
    const before = await Promise.all(lines.map(metric));
    const grown = async (): Promise<number[]> => (await Promise.all(lines.map(metric))).map((n, at) => n - before[at]!);
    const user = await scene.stranger("standing");
    expect(status(await user.prove("OPTIONS", "sip:acme.example"))).toBe(200);
    expect(await grown()).toEqual([1, 0, 0, 0]);
    expect(status(await user.client.register(user.address, user.given))).toBe(200);
    expect(await grown()).toEqual([1, 1, 0, 0]);
    const callId = `c-${unique()}`;
    expect(status(await user.prove("INVITE", "sip:+3225887001@acme.example", { callId }))).toBe(200);
    expect(await grown()).toEqual([1, 1, 1, 1]);
    user.client.close();
    await user.client.closed;
    await expect.poll(grown).toEqual([0, 0, 0, 0]);
  });

  it("an upstream is up while Kamailio takes legs", async () => {
    expect(await metric(`postern_upstream_up{url="${scene.kamailio.wsUrl}"}`)).toBe(1);
    const other = await scene.another({ chainSecret: "another-chain-secret-than-kamailios" });
    const before = await (await fetch(`${other.adminUrl}/metrics`)).text();
    expect(before, "nobody has looked yet").not.toMatch(/^postern_upstream_up\{/m);
    expect((await fetch(`${other.adminUrl}/readyz`)).status).toBe(503);
    expect(await other.metric(`postern_upstream_up{url="${scene.kamailio.wsUrl}"}`)).toBe(0);
    const text = await (await fetch(`${other.adminUrl}/metrics`)).text();
    expect(text).toContain(`postern_upstream_up{url="${scene.kamailio.wsUrl}"} 0`);
  });
});

describe("no user, number, address or Call-ID", () => {
  it("is anywhere in the metrics", async () => {
    const user = await scene.user("somebody-secret");
    await user.prove("INVITE", "sip:+3225887009@acme.example", { callId: "call-id-secret" });
    const text = await exposition();
    for (const word of ["somebody", "3225887009", "call-id-secret"]) expect(text).not.toContain(word);
    // Of all addresses, Kamailio's alone.
    expect([...text.matchAll(/\d+\.\d+\.\d+\.\d+/g)].length).toBe(1);
    // Customers have a label, their domains none.
    expect(text).not.toContain("acme.example");
  });
});

describe("promtool", () => {
  it("finds nothing wrong with the exposition", async () => {
    expect(promtool(["check", "metrics"], await exposition())).toBe("");
  });

  it("twin: it does find what is wrong", () => {
    expect(() => promtool(["check", "metrics"], "# TYPE postern_things counter\npostern_things 1\n")).toThrow();
  });

  it("takes the scrape configuration and the alert rules", () => {
    expect(promtool(["check", "config", "deploy/prometheus/prometheus.yml"])).toContain("SUCCESS: 10 rules found");
  });

  it("sees each alert fire where it should, and only there", () => {
    expect(promtool(["test", "rules", "test/fixtures/alerts.test.yml"])).toContain("SUCCESS");
    const { groups } = parse(readFileSync(join(root, "deploy/prometheus/alerts.yml"), "utf8")) as {
      groups: { rules: { alert: string }[] }[];
    };
    const tested = readFileSync(join(root, "test/fixtures/alerts.test.yml"), "utf8");
    const names = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    expect(names.filter((name) => !tested.includes(`"${name}"`))).toEqual([]);
  });

  it("takes every query of the dashboard", () => {
    const { panels } = JSON.parse(readFileSync(join(root, "deploy/grafana/postern.json"), "utf8")) as {
      panels: { targets: { expr: string }[] }[];
    };
    const exprs = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "5m")));
    const rules = exprs.map((expr, at) => ({ record: `panel:query:${at}`, expr: expr.replaceAll("$instance", ".*") }));
    const file = join(dir, "dashboard.yml");
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    expect(promtool(["check", "rules", file])).toContain(`SUCCESS: ${exprs.length} rules found`);
  });
});
