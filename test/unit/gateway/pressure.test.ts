import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { Inlet, Outlet } from "../../../src/gateway/pressure.ts";

/** A socket that takes nothing until it is told to. */
class SlowSocket extends EventEmitter {
  readonly readyState = 1;
  readonly OPEN = 1;
  bufferedAmount = 0;
  reads = true;
  readonly #sent: (() => void)[] = [];

  send(bytes: Buffer, _options: object, done: () => void): void {
    this.bufferedAmount += bytes.length;
    this.#sent.push(done);
  }
  pause(): void {
    this.reads = false;
  }
  resume(): void {
    this.reads = true;
  }
  /** Takes all but so many bytes. */
  takesAllBut(bytes: number): void {
    this.bufferedAmount = bytes;
    for (const done of this.#sent.splice(0)) done();
  }
}

const ofTests = (socket: SlowSocket): WebSocket => socket as unknown as WebSocket;

function bench() {
  const [to, from] = [new SlowSocket(), new SlowSocket()];
  const [outlet, inlet] = [new Outlet(ofTests(to)), new Inlet(ofTests(from))];
  return { to, from, outlet, inlet, send: (bytes: number) => outlet.send(Buffer.alloc(bytes), true, inlet) };
}

describe("who causes more than a socket takes", () => {
  it("is read from up to 64 KB that wait, not above, and again when a quarter of that is left", () => {
    const { to, from, send } = bench();
    send(65_536);
    expect(from.reads).toBe(true);
    send(1);
    expect(from.reads).toBe(false);
    to.takesAllBut(16_385);
    expect(from.reads).toBe(false);
    send(1);
    to.takesAllBut(16_384);
    expect(from.reads).toBe(true);
  });

  it("is held by each socket that it fills, and read again when the last of them is empty or gone", () => {
    const { to, from, inlet, send } = bench();
    const other = new SlowSocket();
    send(65_537);
    new Outlet(ofTests(other)).send(Buffer.alloc(65_537), true, inlet);
    to.takesAllBut(0);
    expect(from.reads).toBe(false);
    other.emit("close");
    expect(from.reads).toBe(true);
  });
});
