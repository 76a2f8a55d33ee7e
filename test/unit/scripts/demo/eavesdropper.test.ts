import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { Eavesdropper } from "../../../../scripts/demo/eavesdropper.ts";
import { type Visit, Visits } from "../../../../scripts/demo/visits.ts";
import type { Traced } from "../../../../src/telemetry/trace.ts";
import { invite, now, traced } from "./rows.ts";

const bytes = Buffer.from(invite());

function pages() {
  const visits = new Visits(() => now);
  const eavesdropper = new Eavesdropper(visits, () => now);
  const connect = (line: string, port: number): EventEmitter => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress: "::ffff:127.0.0.1", remotePort: port });
    eavesdropper.upgraded({ url: `/?line=${line}`, socket: socket as unknown as Socket });
    return socket;
  };
  return { visits, eavesdropper, connect };
}

const starts = (visit: Visit): string[] => visit.ladder.rows.map(({ from, to }) => `${from} ${to}`);

/** accepted: the verdict on it. */
function say(eavesdropper: Eavesdropper, one: Traced, code = "accepted"): void {
  eavesdropper.message(one, bytes);
  one.verdict = { code, sentence: "" };
  eavesdropper.verdict(one);
}

const atTrunk = (callId: string) => ({ at: now, from: "kamailio", to: "trunk", callId, bytes }) as const;

describe("what a page is told", () => {
  it("is of its own sockets alone", () => {
    const { visits, eavesdropper, connect } = pages();
    const [alice, carol] = [visits.open()!, visits.open()!];
    connect(alice.line, 4711);
    connect(carol.line, 4712);
    connect("no-page-of-ours", 4713);
    say(eavesdropper, traced("from-client", "a@page", 4711));
    say(eavesdropper, traced("to-client", "a@page", 4711), "");
    say(eavesdropper, traced("from-client", "b@page", 4713));
    expect(starts(alice)).toEqual(["browser postern", "postern browser"]);
    expect(alice.ladder.rows[0]?.verdict?.code).toBe("accepted");
    expect(starts(carol)).toEqual([]);
  });

  it("is nothing of who has the port of its socket after it, and no end of it when that one is a page", () => {
    const { visits, eavesdropper, connect } = pages();
    const [alice, carol] = [visits.open()!, visits.open()!];
    vi.useFakeTimers();
    connect(alice.line, 4711).emit("close");
    connect("no-page-of-ours", 4711);
    say(eavesdropper, traced("from-client", "b@page", 4711));
    connect(carol.line, 4711);
    vi.advanceTimersByTime(10_000);
    vi.useRealTimers();
    say(eavesdropper, traced("from-client", "c@page", 4711));
    expect(starts(alice)).toEqual([]);
    expect(starts(carol)).toEqual(["browser postern"]);
  });

  it("is what is said in its socket's name just after it has gone, and later nothing", () => {
    const { visits, eavesdropper, connect } = pages();
    const alice = visits.open()!;
    vi.useFakeTimers();
    connect(alice.line, 4711).emit("close");
    vi.advanceTimersByTime(1_000);
    say(eavesdropper, traced("to-upstream", "a@page", 4711));
    vi.advanceTimersByTime(2_000);
    vi.useRealTimers();
    say(eavesdropper, traced("to-upstream", "b@page", 4711));
    expect(starts(alice)).toEqual(["postern kamailio"]);
  });

  it("is nothing by the key, which reads, and stands in no URL", () => {
    const { visits, eavesdropper, connect } = pages();
    const alice = visits.open()!;
    connect(alice.key, 4711);
    say(eavesdropper, traced("from-client"));
    expect(starts(alice)).toEqual([]);
    expect(visits.byKey(alice.line)).toBeUndefined();
  });

  it("is Kamailio's side at the trunk of calls that it placed, which nobody else can claim", () => {
    const { visits, eavesdropper, connect } = pages();
    const [alice, mallory] = [visits.open()!, visits.open()!];
    connect(alice.line, 4711);
    connect(mallory.line, 4712);
    say(eavesdropper, traced("from-client", "a@page", 4711));
    say(eavesdropper, traced("from-client", "a@page", 4712));
    eavesdropper.atTrunk(atTrunk("a@page"));
    expect(starts(alice)).toEqual(["browser postern", "kamailio trunk"]);
    expect(starts(mallory)).toEqual(["browser postern"]);
    expect(alice.ladder.rows[1]?.message).toContain("Authorization: ***\r\n");
  });

  it("is nothing at the trunk for a call that was not accepted", () => {
    const { visits, eavesdropper, connect } = pages();
    const mallory = visits.open()!;
    connect(mallory.line, 4712);
    say(eavesdropper, traced("from-client", "a@page", 4712), "challenged");
    say(eavesdropper, traced("from-client", "a@page", 4712, "OPTIONS"));
    eavesdropper.atTrunk(atTrunk("a@page"));
    expect(starts(mallory)).toEqual(["browser postern", "browser postern"]);
  });

  it("is of a thousand calls at most", () => {
    const { visits, eavesdropper, connect } = pages();
    const alice = visits.open()!;
    connect(alice.line, 4711);
    for (let at = 0; at <= 1_000; at++) say(eavesdropper, traced("from-client", `${at}@page`));
    alice.ladder.clear();
    eavesdropper.atTrunk(atTrunk("0@page"));
    eavesdropper.atTrunk(atTrunk("1@page"));
    expect(starts(alice)).toEqual(["kamailio trunk"]);
  });
});

describe("visits", () => {
  it("have a user each, who answers to no key but its own", () => {
    const visits = new Visits(() => now);
    const all = Array.from({ length: 24 }, () => visits.open()!);
    expect(new Set(all.map(({ user }) => user)).size).toBe(24);
    expect(new Set(all.flatMap(({ key, line }) => [key, line])).size).toBe(48);
    expect(all.map(({ user }) => user)).not.toContain("bob");
    expect(Math.min(...all.flatMap(({ key, line }) => [key.length, line.length]))).toBeGreaterThanOrEqual(24);
  });

  it("are as many as there are names, until one was not seen for a while", () => {
    let time = now;
    const visits = new Visits(() => time);
    const first = visits.open()!;
    const reads = visits.open()!;
    reads.ladder.read(() => {});
    while (visits.open());
    time += 19_000;
    expect(visits.open()).toBeUndefined();
    expect(visits.byKey(first.key)).toBe(first);
    time += 2_000;
    const next = visits.open();
    expect(next).toBeDefined();
    expect([first.user, reads.user]).not.toContain(next?.user);
    expect([visits.byKey(first.key), visits.byKey(reads.key)]).toEqual([first, reads]);
  });

  it("are the same after a reload, and not while another page is that visit", () => {
    const visits = new Visits(() => now);
    const alice = visits.open()!;
    expect(visits.open(alice.key)).toBe(alice);
    const leave = alice.ladder.read(() => {});
    expect(visits.open(alice.key)).not.toBe(alice);
    leave?.();
    expect(visits.open(alice.key)).toBe(alice);
    expect(visits.open("never-given")?.user).not.toBe(alice.user);
  });
});
