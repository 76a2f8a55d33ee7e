import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { type Incoming, Intake, type IntakeParts } from "../../../src/gateway/intake.ts";
import type { Inlet } from "../../../src/gateway/pressure.ts";

/** A socket that gives what a test says, and what became of it. */
function bench(readOn?: IntakeParts["readOn"]) {
  const socket = Object.assign(new EventEmitter(), { readyState: 1, OPEN: 1 });
  const handled: number[] = [];
  const done = Promise.withResolvers<void>();
  const seen = { floods: 0, holds: 0 };
  const inlet = {
    hold: () => {
      seen.holds++;
      return () => void seen.holds--;
    },
  };
  const intake = new Intake({
    socket: socket as unknown as WebSocket,
    inlet: inlet as unknown as Inlet,
    clock: { now: () => 0 },
    messagesPerSecond: () => 0,
    handle: ({ bytes }: Incoming) => {
      handled.push(bytes.readUInt32BE());
      return handled.length === 1 ? done.promise : undefined;
    },
    ...(readOn && { readOn }),
    flood: () => {
      seen.floods++;
      socket.readyState = 2;
    },
    fault: (error) => {
      throw error;
    },
  });
  const send = (at: number, length = 4): void => {
    const bytes = Buffer.alloc(length);
    bytes.writeUInt32BE(at);
    socket.emit("message", bytes, true);
  };
  return { socket, handled, seen, intake, send, done: done.resolve };
}

describe("messages that come while one waits", () => {
  it("are kept in order, a thousand of them, and the socket is not read meanwhile", async () => {
    const { handled, seen, send, done } = bench();
    for (let at = 0; at <= 1_000; at++) send(at);
    expect([handled, seen]).toEqual([[0], { floods: 0, holds: 1 }]);
    done();
    await new Promise(setImmediate);
    expect(handled).toEqual(Array.from({ length: 1_001 }, (_, at) => at));
    expect(seen.holds).toBe(0);
  });

  it("are handled before more is read, which may be put off", async () => {
    const releases: ((() => void) | undefined)[] = [];
    const { handled, seen, send, done } = bench((release) => void releases.push(release));
    for (let at = 0; at < 3; at++) send(at);
    done();
    await new Promise(setImmediate);
    expect([handled, seen.holds, releases.length]).toEqual([[0, 1, 2], 1, 1]);
    releases[0]?.();
    expect(seen.holds).toBe(0);
    send(3);
    expect([handled.length, releases]).toEqual([4, [expect.any(Function), undefined]]);
  });

  it("above a thousand are a flood, told once", () => {
    const { seen, send } = bench();
    for (let at = 0; at <= 1_100; at++) send(at);
    expect(seen.floods).toBe(1);
  });

  it("are forgotten when the connection is over", async () => {
    const { handled, intake, send, done } = bench();
    for (let at = 0; at < 10; at++) send(at);
    intake.clear();
    done();
    await new Promise(setImmediate);
    expect(handled).toEqual([0]);
  });
});

describe("messages that come after the connection was told to go", () => {
  it.each([
    ["are read as far as a close may stand behind them", 20, 1_000, 19],
    ["count a kilobyte each, however short they are", 20, 4, 19],
    ["count by their bytes: a large one is the last that is read", 3, 30_000, 0],
  ])("%s", (_, count, length, read) => {
    const { socket, seen, handled, send } = bench();
    socket.readyState = 2;
    for (let at = 0; at < read; at++) send(at, length);
    expect(seen.holds).toBe(0);
    for (let at = read; at < count; at++) send(at, length);
    expect([handled, seen]).toEqual([[], { floods: 0, holds: 1 }]);
  });
});
