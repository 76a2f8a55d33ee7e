import { describe, expect, it } from "vitest";
import type { CallRecord } from "../../../src/core/calls.ts";
import type { Session } from "../../../src/core/runtime.ts";
import { type Attended, Sessions, smallest } from "../../../src/gateway/sessions.ts";

const ids = (all: readonly { readonly id: string }[]): string[] => all.map(({ id }) => id);

const startOf = (id: string): number => Number(id.slice(1)) * 1_000;

class Connection implements Attended {
  readonly id: string;
  readonly customer: string | undefined;
  readonly liveCalls: readonly CallRecord[];
  readonly done: unknown[] = [];

  constructor(id: string, customer: string | undefined, calls: readonly string[] = []) {
    this.id = id;
    this.customer = customer;
    this.liveCalls = calls.map((call) => ({ id: call, start: startOf(call) }) as CallRecord);
  }

  get session(): Session | undefined {
    return this.customer === undefined
      ? undefined
      : ({ id: this.id, customer: this.customer, since: startOf(this.id) } as Session);
  }

  sendAway(...how: readonly unknown[]): void {
    this.done.push(how);
  }

  hangUp(call: string): boolean {
    const own = this.liveCalls.some(({ id }) => id === call);
    if (own) this.done.push(call);
    return own;
  }
}

function bench() {
  const sessions = new Sessions();
  const [one, two] = [new Connection("c3", "acme", ["k2", "k1"]), new Connection("c1", "acme")];
  const [theirs, nobody] = [new Connection("c2", "globex", ["k3"]), new Connection("c0", undefined)];
  for (const connection of [one, two, theirs, nobody]) sessions.enter(connection);
  const page = { after: "", limit: 10 };
  return { sessions, one, two, theirs, page };
}

describe("sessions", () => {
  it("are connections on which somebody was proved, of one customer or of all, by id, page by page", () => {
    const { sessions, one, page } = bench();
    expect(ids(sessions.sessions(page))).toEqual(["c1", "c2", "c3"]);
    expect(ids(sessions.sessions({ ...page, customer: "acme" }))).toEqual(["c1", "c3"]);
    expect(ids(sessions.sessions({ ...page, customer: "acme", since: 1_001 }))).toEqual(["c3"]);
    expect(ids(sessions.calls({ ...page, customer: "acme", since: 2_000 }))).toEqual(["k2"]);
    expect(ids(sessions.sessions({ after: "", limit: 2 }))).toEqual(["c1", "c2"]);
    expect(ids(sessions.sessions({ after: "c2", limit: 2 }))).toEqual(["c3"]);
    expect(ids(sessions.sessions({ ...page, customer: "nobody" }))).toEqual([]);
    sessions.leave(one);
    expect(ids(sessions.sessions(page))).toEqual(["c1", "c2"]);
  });

  it("have calls, which say on which they are", () => {
    const { sessions, page } = bench();
    expect(sessions.calls(page)).toMatchObject([
      { id: "k1", session: "c3" },
      { id: "k2", session: "c3" },
      { id: "k3", session: "c2" },
    ]);
    expect(ids(sessions.calls({ customer: "globex", after: "", limit: 1 }))).toEqual(["k3"]);
    expect(ids(sessions.calls({ customer: "acme", after: "k1", limit: 1 }))).toEqual(["k2"]);
  });

  it("are sent away, and calls ended, by their own customer's word alone", () => {
    const { sessions, one, theirs } = bench();
    expect([
      sessions.kick("c2", "acme", "end"),
      sessions.kick("c9", "acme", "end"),
      sessions.kick("c0", "", "end"),
    ]).toEqual([...[false, false, false]]);
    expect([sessions.hangUp("k3", "acme"), sessions.hangUp("k9", "acme")]).toEqual([false, false]);
    expect([one.done, theirs.done]).toEqual([[], []]);
    expect([sessions.kick("c3", "acme", "finish"), sessions.hangUp("k2", "acme")]).toEqual([true, true]);
    expect(one.done).toEqual([["finish", expect.objectContaining({ code: "credential-revoked" })], "k2"]);
  });
});

describe("the smallest", () => {
  it("are those that sorting would give, whatever the order", () => {
    const all = Array.from({ length: 500 }, (_, at) => String((at * 7919) % 1009).padStart(4, "0"));
    for (const [above, limit] of [
      ["", 10],
      ["0500", 7],
      ["1008", 5],
      ["", 1_000],
    ] as const) {
      const wanted = all
        .toSorted()
        .filter((key) => key > above)
        .slice(0, limit);
      expect(smallest(all, (key) => key, above, limit)).toEqual(wanted);
    }
  });
});
