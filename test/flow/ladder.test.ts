import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postern } from "../helpers/cli.ts";
import { status, unique } from "../helpers/raw-client.ts";
import { inSeconds, Scene, signed, type User } from "../helpers/scene.ts";

let scene: Scene;
let callId: string;
let caller: User;

interface Entry {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly message: string;
  readonly verdict?: string;
  readonly sentence?: string;
}

beforeAll(async () => {
  scene = await Scene.open({ trunk: "answer" });
  caller = await scene.stranger("ladder");
  callId = `ladder-${unique()}@192.0.2.7`;
  expect(status(await caller.prove("INVITE", "sip:+3225887001@acme.example", { callId }))).toBe(200);
});

afterAll(() => scene?.close());

const get = (query: string): Promise<Response> => fetch(`${scene.gateway.adminUrl}/v1/ladder${query}`);
const ladder = (args: readonly string[]) => postern(["ladder", ...args, "--admin", scene.gateway.adminUrl]);

describe("GET /v1/ladder", () => {
  it("gives the messages of a Call-ID with what was decided on each", async () => {
    const response = await get(`?callId=${encodeURIComponent(callId)}`);
    expect(response.status).toBe(200);
    const found = (await response.json()) as { callId: string; entries: Entry[] };
    expect(found.callId).toBe(callId);
    const steps = found.entries
      .map(({ from, to, message, verdict }) => {
        const start = message.split("\r\n")[0]?.replace(/ sip:.*/, "");
        return `${from.split(" ")[0]} ${to.split(" ")[0]} ${start} ${verdict ?? "-"}`;
      })
      .filter((step) => !step.includes("SIP/2.0 1"));
    expect(steps).toEqual([
      "client gateway INVITE challenged",
      "gateway client SIP/2.0 407 Proxy Authentication Required -",
      "client gateway INVITE accepted",
      "gateway upstream INVITE -",
      "upstream gateway SIP/2.0 200 OK delivered",
      "gateway client SIP/2.0 200 OK -",
    ]);
    expect(found.entries.map(({ to }) => to)).toContain(`upstream 127.0.0.1:${scene.kamailio.wsPort}`);
  });

  it("holds no credential", async () => {
    const text = await (await get(`?callId=${encodeURIComponent(callId)}`)).text();
    const seen = await scene.came(callId, "INVITE");
    for (const secret of [
      seen.header("X-Postern-Token") ?? "-",
      seen.header("X-Postern-Grant") ?? "-",
      caller.given.username,
    ]) {
      expect(secret.length).toBeGreaterThan(5);
      expect(text).not.toContain(secret);
    }
    expect(text).not.toMatch(/response=\\"[0-9a-f]/);
    expect(text).toContain("Proxy-Authorization: ***");
    expect(text).toContain("X-Postern-Token: ***");
  });

  it.each(["?callId=never-seen", `?callId=${"x".repeat(256)}`])("says 404 for %.30s", async (query) => {
    const response = await get(query);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  });

  it.each(["", "?", "?callId=", `?callId=${"x".repeat(257)}`, "?callid=a"])("says 400 for %.30j", async (query) => {
    expect((await get(query)).status).toBe(400);
  });

  it("can only be read", async () => {
    const url = `${scene.gateway.adminUrl}/v1/ladder?callId=a`;
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
  });

  it("is not on the public port", async () => {
    const url = scene.gateway.gatewayUrl.replace("ws:", "http:");
    expect((await fetch(`${url}/v1/ladder?callId=${encodeURIComponent(callId)}`)).status).toBe(404);
  });
});

describe("postern ladder", () => {
  it("draws it", async () => {
    const { exit, stdout, stderr } = await ladder([callId]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    const [names = "", ...arrows] = stdout.trimEnd().split("\n");
    expect(names).toMatch(/client 127\.0\.0\.1:\d+ +gateway +upstream 127\.0\.0\.1:\d+/);
    expect(arrows[0]).toMatch(/^ {3}0\.000 +\|-+ INVITE sip:\+3225887001@acme\.example \[challenged\] -*>\|/);
    expect(arrows.some((arrow) => /\|<-+ 407 \(INVITE\) -+\|/.test(arrow))).toBe(true);
    expect(arrows.some((arrow) => /\|<-+ 200 OK \(INVITE\) \[delivered\] -*\|$/.test(arrow))).toBe(true);
  });

  it("says why something was refused", async () => {
    const stranger = await scene.stranger("refused");
    stranger.given = signed(`${inSeconds(-100)}:${stranger.address}`);
    await stranger.prove("OPTIONS", "sip:acme.example", { callId: "refused-1" });
    const { exit, stdout } = await ladder(["refused-1"]);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/OPTIONS sip:acme\.example \[credential-expired\]/);
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^ {3}0\.\d{3} credential-expired: .{10,}/);
  });

  it("prints the messages with --json", async () => {
    const { exit, stdout } = await ladder([callId, "--json"]);
    expect(exit).toBe(0);
    const { entries } = JSON.parse(stdout) as { entries: Entry[] };
    expect(entries[0]?.message).toContain(`Call-ID: ${callId}\r\n`);
    expect(stdout).not.toContain(caller.given.username);
  });

  it("shows no control character that a stranger sent", async () => {
    const stranger = await scene.stranger("escape");
    const parts = stranger.parts("OPTIONS", "sip:acme.example", {
      callId: "escape-1",
      extra: ["Subject: \x07\x1b[31m"],
    });
    expect(status(await stranger.client.ask(parts))).toBe(400);
    const { exit, stdout, stderr } = await ladder(["escape-1"]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toContain("[message-malformed]");
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  });

  it("exits 1 and says so where nothing is remembered", async () => {
    const { exit, stdout, stderr } = await ladder(["never\x1b[31m-seen"]);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
    expect(stderr).toContain("nothing is remembered of never?[31m-seen");
  });

  it("exits 1 where no gateway answers", async () => {
    const { exit, stderr } = await postern(["ladder", "a", "--admin", "http://127.0.0.1:1"]);
    expect(exit).toBe(1);
    expect(stderr).toContain("no answer from http://127.0.0.1:1");
  });

  it("exits 1 where something else answers", async () => {
    const { exit, stderr } = await postern(["ladder", "a", "--admin", `http://127.0.0.1:${scene.kamailio.wsPort}`]);
    expect(exit).toBe(1);
    expect(stderr).toMatch(/answered|no answer|nothing is remembered/);
  });

  it.each([[["ladder"]], [["ladder", "a", "--admin", "nowhere"]]])("exits 2 for %j", async (args) => {
    expect((await postern(args)).exit).toBe(2);
  });
});
