import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type CallRecord, newId } from "../../src/core/calls.ts";
import type { CallQuality, Quality } from "../../src/core/quality.ts";
import type { Piece, Sum } from "../../src/core/quality-piece.ts";
import { openStore } from "../../src/store/open.ts";
import { posternHere, type Said } from "../helpers/cli-here.ts";
import { acmeApiSecret, freshToken, type ManagedGateway, operatorSecret, startManaged } from "../helpers/management.ts";

const start = Date.UTC(2026, 5, 1, 12);
const callId = "f81d4fae-7dec@192.0.2.7";
const alice = { user: "alice", domain: "acme.example" };
const doc = readFileSync("docs/calls.md", "utf8");
const section = doc.slice(doc.indexOf("## How a call sounded"));

const sum = (first: number, last: number, worst: number, mean: number): Sum => ({
  ...{ first, last, worst },
  total: mean * 7,
  count: 7,
});

const piece = (at: number, more: Partial<Piece> = {}): Piece => ({
  id: newId(start + at),
  customer: "acme",
  ...(more.bridge === undefined && { conference: callId }),
  from: start + at,
  until: start + at,
  participants: [],
  events: [],
  ...more,
});

/** As docs/calls.md shows it. */
const told = piece(4_900, {
  until: start + 64_100,
  participants: [
    {
      ...alice,
      ways: {
        audioReceived: {
          ...{ from: 1780315204900, until: 1780315263900, reports: 7, codec: "opus", concealed: 0.0041 },
          streams: [{ ssrc: 1, packets: 2950, lost: 12 }],
          loss: sum(0, 0, 0.024, 0.004),
          jitter: sum(0.002, 0.003, 0.009, 0.0034),
          roundTrip: sum(0.041, 0.043, 0.07, 0.0462),
          mos: sum(4.41, 4.41, 4.09, 4.33),
        },
      },
      ...{ localCandidate: "relay", remoteCandidate: "host" },
    },
  ],
  events: [
    { at: start + 4_900, ...alice, event: "userJoined" },
    { at: start + 64_100, ...alice, event: "userLeft", detail: { reason: "hung up" } },
  ],
});

const record = (more: Partial<CallRecord> = {}): CallRecord => ({
  ...{ id: newId(start), gateway: "g1", callId, customer: "acme", ...alice, direction: "to-user", start },
  ...{ answer: start + 4_000, end: start + 64_500, seconds: 60.5, endedBy: "client", status: 200 },
  ...more,
});

const records = [
  record(),
  record({ user: "bob", direction: "in" }),
  record({ customer: "globex", domain: "globex.example" }),
];
/** The same call rang in another browser of alice too. */
const { answer: _, ...unanswered } = record();
const health = { ...alice, user: "ops", ways: {}, load: 0.5, conferences: 3 };
const bridge = piece(3_600_000, { bridge: "sfu-1", participants: [health] });
const theirs = piece(5_000, { customer: "globex", participants: [{ ...alice, domain: "globex.example", ways: {} }] });

let gateway: ManagedGateway;

beforeAll(async () => {
  vi.stubEnv("OPERATOR", operatorSecret);
  gateway = await startManaged({ store: true });
  const config = { store: `sqlite:${gateway.path}/postern.db`, storeNamed: true, storeKeys: [] };
  const opened = await openStore(config, { make: true, renew: false });
  await opened!.calls.write(
    [...records, unanswered].map((one) => ({ record: one, owed: false })),
    { gateway: "g1", at: Date.now() },
  );
  await opened!.quality.write([told, theirs, bridge, piece(0, { conference: "another" })]);
  await opened!.store.close();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await gateway?.close();
});

interface Answer {
  readonly calls: readonly (Quality & CallRecord)[];
  readonly next: string | null;
}

async function get(path: string, who: "acme" | "ops" = "ops"): Promise<Answer> {
  const [name, secret] = who === "ops" ? ["ops", operatorSecret] : ["46000000", acmeApiSecret];
  const token = freshToken(name, secret, who === "ops" ? { ist: "account" } : {});
  const response = await gateway.ask(token, { path, bearer: true });
  expect(response.status, path).toBe(200);
  return (await response.json()) as Answer;
}

const onStore = (...args: readonly string[]): Promise<Said> =>
  posternHere(...args, "-c", `${gateway.path}/postern.yaml`);
const overApi = (...args: readonly string[]): Promise<Said> =>
  onStore(...args, "--api", gateway.adminUrl, "--as", "ops", "--key", "env:OPERATOR");

describe("a call record", () => {
  const example = JSON.parse(/```json\n(.*?)```/s.exec(section)?.[1] ?? "{}") as CallQuality;

  it("has what its user told, as docs/calls.md shows it, and nobody else's has it", async () => {
    const { calls } = await get("/v1/calls");
    expect(calls.filter(({ quality }) => quality).map(({ id }) => id)).toEqual([records[0]?.id]);
    expect(calls.find(({ quality }) => quality)?.quality).toEqual(example);
    const { calls: own } = await get(`/v1/customers/me/calls?user=alice&callId=${callId}`, "acme");
    expect(own.toSorted((one) => (one.answer ? -1 : 1))).toEqual([{ ...records[0], quality: example }, unanswered]);
  });

  it("has it on the command line too, and its score in a table", async () => {
    for (const where of [onStore, overApi]) {
      const { stdout } = await where("calls", "--customer", "acme", "--user", "alice", "--call-id", callId, "--json");
      const { calls } = JSON.parse(stdout) as Answer;
      expect(calls.filter(({ answer }) => answer)).toEqual([{ ...records[0], quality: example }]);
      const csv = (await where("calls", "--customer", "acme", "--call-id", callId, "--csv")).stdout
        .trim()
        .split("\r\n");
      expect(csv.map((line) => line.split(",").at(-1)).toSorted()).toEqual(["", "", "4.33", "mos"]);
    }
  });
});

describe("how calls sounded", () => {
  it("is told over HTTP: a customer's own, the latest first, page by page", async () => {
    const { calls, next } = await get("/v1/customers/me/quality?limit=2", "acme");
    expect(calls.map(({ bridge: name, callId: call }) => name ?? call)).toEqual(["sfu-1", callId]);
    expect(await get(`/v1/customers/me/quality?limit=2&after=${next}`, "acme")).toMatchObject({
      calls: [{ callId: "another" }],
      next: null,
    });
    const since = await get("/v1/customers/me/quality?since=2026-06-01T13:00Z", "acme");
    expect(since.calls).toMatchObject([{ bridge: "sfu-1", participants: [{ user: "ops", load: 0.5 }] }]);
  });

  it("is told to an operator of all customers, each its own", async () => {
    const { calls } = await get(`/v1/quality?callId=${callId}`);
    expect(calls.map(({ customer, events }) => [customer, events.length])).toEqual([
      ["globex", 0],
      ["acme", 2],
    ]);
    expect((await get(`/v1/customers/globex/quality?callId=${callId}`)).calls).toHaveLength(1);
    expect((await get("/v1/quality?bridge=sfu-1")).calls).toMatchObject([{ customer: "acme" }]);
  });

  it("is told by `postern quality` as docs/calls.md shows it, in either place", async () => {
    const [, shown = ""] = /```\n(call .*?)```/s.exec(section) ?? [];
    for (const where of [onStore, overApi]) {
      const { stdout, stderr, exit } = await where("quality", callId, "--customer", "acme");
      expect([exit, stderr, stdout]).toEqual([0, "", shown]);
    }
    const commands = [...(/```sh\n(.*?)```/s.exec(section)?.[1] ?? "").matchAll(/^postern (.*)$/gm)];
    expect(commands).toHaveLength(3);
    for (const [, command = ""] of commands) {
      const said = await onStore(...command.replaceAll("'", "").split(" "));
      expect([command, said.exit, said.stderr]).toEqual([command, 0, ""]);
      expect(said.stdout.length).toBeGreaterThan(20);
    }
  });

  it("is told as data with --json, the same in either place", async () => {
    const answer = await get(`/v1/quality?callId=${callId}`);
    for (const where of [onStore, overApi]) {
      expect(JSON.parse((await where("quality", callId, "--json")).stdout)).toEqual(answer);
    }
  });

  it("says in words what is wrong, and where there is nothing", async () => {
    for (const where of [onStore, overApi]) {
      expect(await where("quality", "nobody's")).toMatchObject({
        ...{ exit: 1, stdout: "" },
        stderr: expect.stringContaining("nobody has told anything of this call"),
      });
      const { exit, stderr } = await where("quality", "--since", "soon", "--limit", "0", "--bridge", "");
      expect(exit).toBe(2);
      for (const name of ["--since", "--limit", "--bridge"]) expect(stderr).toContain(name);
    }
    const more = await onStore("quality", "--limit", "1");
    expect(more.stderr).toMatch(/there may be more: --after [0-9a-f-]{36}/);
  });
});
