import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Turnstile, type TurnstileOptions } from "../../../src/gateway/turnstile.ts";

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(remoteAddress: string, remotePort: number) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}

let port = 1000;

function bench(options: Partial<TurnstileOptions> = {}) {
  const turnstile = new Turnstile({ scarce: () => false, ...options });
  const entered: FakeSocket[] = [];
  const come = (address: string, crowd = false): FakeSocket => {
    const socket = new FakeSocket(address, port++);
    const comer = { socket: socket as unknown as Socket, crowd };
    if (turnstile.hasRoom(comer)) turnstile.come(comer, () => void entered.push(socket));
    else socket.destroy();
    return socket;
  };
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await nextTurn();
  };
  return { turnstile, entered, come, turns };
}

const gone = (sockets: readonly FakeSocket[]): number => sockets.filter(({ destroyed }) => destroyed).length;

describe("the turnstile", () => {
  it("lets one in each turn of the event loop, address by address", async () => {
    const { come, entered, turns } = bench();
    const flood = Array.from({ length: 20 }, () => come("192.0.2.1"));
    const good = come("198.51.100.1");
    await turns(1);
    expect(entered.length).toBeLessThanOrEqual(2);
    await turns(4);
    expect(entered).toContain(good);
    await turns(40);
    expect(entered).toHaveLength(21);
    expect(gone(flood)).toBe(0);
  });

  it("passes over who went away while it waited", async () => {
    const { come, entered, turns } = bench();
    const [first, second] = [come("192.0.2.1"), come("192.0.2.1")];
    first.emit("error", new Error("ECONNRESET"));
    await turns(3);
    expect(entered).toEqual([second]);
  });

  it("lets nobody wait where too many do, but for who comes from elsewhere", async () => {
    const { come, entered, turns } = bench({ mostWaiting: 10 });
    const flood = Array.from({ length: 30 }, () => come("192.0.2.1"));
    expect(gone(flood)).toBe(20);
    const good = come("198.51.100.1");
    await turns(30);
    expect(entered).toContain(good);
    expect(entered).toHaveLength(11);
  });

  it("lets no more wait than twice as many, wherever they come from", () => {
    const { come } = bench({ mostWaiting: 10 });
    const flood = Array.from({ length: 100 }, (_, at) => come(`192.0.2.${at}`));
    expect(gone(flood)).toBe(80);
  });

  it("has no more inside than it may: who has its share is not let in, and makes room for others", async () => {
    const { come, entered, turns } = bench({ mostInside: 4 });
    const flood = Array.from({ length: 10 }, () => come("192.0.2.1"));
    await turns(20);
    expect([entered.length, gone(flood)]).toEqual([4, 6]);
    const good = come("198.51.100.1");
    await turns(3);
    expect([good.destroyed, entered.includes(good), flood[0]!.destroyed]).toEqual([false, true, true]);
  });

  it("lets the oldest of a proxy's go for a newer one", async () => {
    const { come, turns } = bench({ mostInside: 2 });
    const sockets = Array.from({ length: 3 }, () => come("192.0.2.1", true));
    await turns(5);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
  });

  it("no longer counts who is a WebSocket, or gone", async () => {
    const { come, turns, turnstile, entered } = bench({ mostInside: 1 });
    const upgraded = come("192.0.2.1");
    await turns(4);
    turnstile.through(upgraded as unknown as Socket);
    const left = come("192.0.2.1");
    await turns(2);
    left.destroy();
    const last = come("192.0.2.1");
    await turns(2);
    expect(entered).toContain(upgraded);
    expect(entered).toContain(left);
    expect(entered).toContain(last);
    expect(upgraded.destroyed).toBe(false);
  });

  it("has few inside while memory is short", async () => {
    const { come, entered, turns } = bench({ scarce: () => true });
    const sockets = Array.from({ length: 100 }, () => come("192.0.2.1"));
    await turns(120);
    expect([entered.length, gone(sockets)]).toEqual([50, 50]);
  });
});
