import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../../src/core/calls.ts";
import type { Piece } from "../../src/core/quality-piece.ts";
import { openStore } from "../../src/store/open.ts";
import { posternHere } from "../helpers/cli-here.ts";
import {
  acmeApiSecret,
  freshToken,
  globexApiSecret,
  type ManagedGateway,
  startManaged,
} from "../helpers/management.ts";

const callId = "a-call-of-acme";
const evil = '\u001b[2J\u202e=cmd|"/c calc"!A1\n\u0000';
let gateway: ManagedGateway;

const piece = (more: Partial<Piece> = {}): Piece => {
  const at = Date.now();
  const who = { user: evil, domain: "acme.example" };
  const events = [{ at, ...who, event: evil, detail: { [evil]: evil } }];
  const participants = [{ ...who, ways: {}, load: 0.5 }];
  return { id: newId(at), customer: "acme", conference: callId, from: at, until: at, participants, events, ...more };
};

beforeAll(async () => {
  gateway = await startManaged({ store: true });
  const config = { store: `sqlite:${gateway.path}/postern.db`, storeNamed: true, storeKeys: [] };
  const opened = await openStore(config, { make: true, renew: false });
  await opened!.quality.write([piece(), piece({ conference: evil }), piece({ customer: "globex", conference: "own" })]);
  await opened!.store.close();
});
afterAll(() => gateway?.close());

interface Answer {
  readonly status: number;
  readonly calls: readonly { readonly customer: string; readonly callId?: string }[];
}

async function get(path: string, [id, secret]: readonly [string, string]): Promise<Answer> {
  const response = await gateway.ask(freshToken(id, secret), { path, bearer: true });
  const { calls = [] } = (await response.json()) as Partial<Answer>;
  return { status: response.status, calls };
}

const acme = ["46000000", acmeApiSecret] as const;
const globex = ["47000000", globexApiSecret] as const;
const own = "/v1/customers/me/quality";

describe("a customer's key that asks how another's call sounded", () => {
  it.each([
    ["by that customer's name", `/v1/customers/acme/quality?callId=${callId}`, 404],
    ["by nobody's name, which looks the same", `/v1/customers/nobody/quality?callId=${callId}`, 404],
    ["among everybody's", `/v1/quality?callId=${callId}`, 403],
    ["by the query", `${own}?callId=${callId}&customer=acme`, 400],
    ["by a second of the same name", `${own}?callId=own&callId=${callId}`, 400],
    ["by its Call-ID, which is as unknown as any", `${own}?callId=${callId}`, 200],
    ["by a condition", `${own}?callId=${encodeURIComponent("' OR '1'='1")}`, 200],
    ["by a bridge of no name", `${own}?bridge=`, 400],
    ["all at once", `${own}?limit=100000`, 400],
    ["from an id that is none", `${own}?after=%27`, 400],
  ])("is told nothing: %s", async (_, path, status) => {
    expect(await get(path, globex)).toEqual({ status, calls: [] });
  });

  it("twin: is told of its own, and the other of its own", async () => {
    expect((await get(own, globex)).calls.map(({ customer, callId: id }) => [customer, id])).toEqual([
      ["globex", "own"],
    ]);
    expect((await get(`${own}?callId=${callId}`, acme)).calls).toMatchObject([{ customer: "acme", callId }]);
  });
});

describe("texts that move a cursor or are formulas", () => {
  it("are shown in one line each, and change nothing of a terminal", async () => {
    const file = ["-c", `${gateway.path}/postern.yaml`];
    for (const args of [["quality"], ["quality", evil], ["quality", "--json"]]) {
      const { exit, stdout } = await posternHere(...args, ...file);
      expect(exit).toBe(0);
      expect(stdout.replaceAll(/[\n\t]/g, "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      if (!args.includes("--json")) for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/^\S/);
    }
  });
});
