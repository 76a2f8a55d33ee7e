import { EventEmitter, once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Turnstile, type TurnstileOptions } from "../../../src/gateway/turnstile.ts";

/** As much of a connection as there is before it is read. */
class FakeSocket extends EventEmitter {
  destroyed = false;
  paused = false;
  readonly back: Buffer[] = [];
  readonly remoteAddress: string;
  readonly remotePort: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(remoteAddress: string, remotePort: number) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  says(text: string): void {
    this.emit("data", Buffer.from(text));
  }

  pause(): void {
    this.paused = true;
  }

  unshift(bytes: Buffer): void {
    this.back.push(bytes);
  }

  setTimeout(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (milliseconds > 0) this.#timer = setTimeout(() => this.emit("timeout"), milliseconds);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

let port = 1000;

function bench(options: Partial<TurnstileOptions> = {}) {
  const turnstile = new Turnstile({ scarce: () => false, accepted: () => true, patience: () => 10_000, ...options });
  const entered: FakeSocket[] = [];
  const comes = (address: string, crowd = false): FakeSocket => {
    const socket = new FakeSocket(address, port++);
    const named = crowd ? (first: Buffer) => /for (.*)$/.exec(first.toString())?.[1] : undefined;
    if (!turnstile.admits(address, crowd)) socket.destroy();
    else turnstile.come({ socket: socket as unknown as Socket, named }, () => void entered.push(socket));
    return socket;
  };
  const speaks = (address: string, crowd = false): FakeSocket => {
    const socket = comes(address, crowd);
    if (!socket.destroyed) socket.says("GET / HTTP/1.1");
    return socket;
  };
  return { turnstile, entered, comes, speaks };
}

const milliseconds = (count: number): unknown => vi.advanceTimersByTime(count);
const gone = (sockets: readonly FakeSocket[]): number => sockets.filter(({ destroyed }) => destroyed).length;

describe("the turnstile", () => {
  it("makes nothing of who says nothing, and gives back what was said first", () => {
    const { comes, entered } = bench();
    const [silent, talker] = [comes("192.0.2.1"), comes("192.0.2.1")];
    talker.says("first");
    expect(talker.paused).toBe(true);
    milliseconds(10);
    expect(entered).toEqual([talker]);
    expect(talker.back.map(String)).toEqual(["first"]);
    expect(silent.destroyed).toBe(false);
  });

  it("waits for a first word as long as a handshake may take, and no longer; then as long as its turn takes", () => {
    const { comes, speaks, entered } = bench();
    const silent = comes("192.0.2.1");
    const many = Array.from({ length: 8_000 }, () => speaks("192.0.2.2"));
    milliseconds(9_999);
    expect(silent.destroyed).toBe(false);
    milliseconds(1);
    expect(silent.destroyed).toBe(true);
    milliseconds(20_000);
    expect([entered.length, gone(many) - (8_000 - 2_000)]).toEqual([8_000, 0]);
  });

  it("lets one in after the other, address by address", () => {
    const { speaks, entered } = bench();
    const flood = Array.from({ length: 20 }, () => speaks("192.0.2.1"));
    const good = speaks("198.51.100.1");
    milliseconds(2);
    expect(entered).toHaveLength(1);
    milliseconds(4);
    expect(entered).toContain(good);
    milliseconds(100);
    expect(entered).toHaveLength(21);
    expect(gone(flood)).toBe(0);
  });

  it("lets a proxy's in browser by browser where it names them, and all others of it in one line", () => {
    const { comes, entered } = bench();
    const through = (word: string): FakeSocket => {
      const socket = comes("192.0.2.1", true);
      socket.says(word);
      return socket;
    };
    const flood = [1, 2, 3].map(() => through("for 203.0.113.66"));
    const silent = [1, 2].map(() => through("nobody"));
    const good = through("for 203.0.113.9");
    milliseconds(100);
    expect(entered).toEqual([flood[0], silent[0], good, flood[1], silent[1], flood[2]]);
  });

  it("lets them in more slowly where none of them is accepted, and sooner for each that is", () => {
    let accepted = 0;
    const { speaks, entered } = bench({ accepted: () => accepted-- > 0 });
    for (let at = 0; at < 10; at++) speaks("192.0.2.1");
    const enteredIn = (count: number): number => {
      milliseconds(count);
      return entered.length;
    };
    expect([enteredIn(2), enteredIn(9)]).toEqual([1, 1]);
    accepted = 2;
    expect([enteredIn(1), enteredIn(2), enteredIn(2), enteredIn(9), enteredIn(1)]).toEqual([2, 3, 4, 4, 5]);
  });

  it("lets them in far more slowly once three hundred came in and none of them was accepted, until one is or nobody waits", () => {
    let accepted = 0;
    const { speaks, entered } = bench({ accepted: () => accepted-- > 0, mostSilent: 10_000 });
    const speak = (count: number): void => {
      for (let at = 0; at < count; at++) speaks(`192.0.2.${at % 4}`);
    };
    speak(800);
    const enteredIn = (count: number): number => {
      const before = entered.length;
      milliseconds(count);
      return entered.length - before;
    };
    expect([enteredIn(2), enteredIn(3_000), enteredIn(400)]).toEqual([1, 300, 10]);
    accepted = 1;
    expect([enteredIn(42), enteredIn(100)]).toEqual([2, 10]);
    milliseconds(30_000);
    speak(10);
    expect([enteredIn(2), enteredIn(50)]).toEqual([1, 5]);
  });

  it("lets them in sooner where they come from many addresses", () => {
    const { speaks, entered } = bench({ accepted: () => false });
    for (let at = 0; at < 52; at++) speaks(`192.0.2.${at}`);
    milliseconds(4);
    expect(entered).toHaveLength(2);
    milliseconds(9);
    expect(entered).toHaveLength(3);
    milliseconds(3);
    expect(entered).toHaveLength(4);
  });

  it("lets in none of an address of which many went before their turn, until one of them no longer counts", () => {
    const { comes, speaks } = bench({ accepted: () => false });
    for (let at = 0; at < 49; at++) speaks("192.0.2.1").destroy();
    const fiftieth = comes("192.0.2.1");
    expect(fiftieth.destroyed).toBe(false);
    fiftieth.destroy();
    expect(comes("192.0.2.1").destroyed).toBe(true);
    expect(comes("198.51.100.1").destroyed).toBe(false);
    milliseconds(39);
    expect(comes("192.0.2.1").destroyed).toBe(true);
    milliseconds(1);
    const later = comes("192.0.2.1");
    expect(later.destroyed).toBe(false);
    later.destroy();
    expect(comes("192.0.2.1").destroyed).toBe(true);
    milliseconds(50 * 40);
    for (let at = 0; at < 49; at++) comes("192.0.2.1").destroy();
    expect(comes("192.0.2.1").destroyed).toBe(false);
  });

  it("lets an address in again two seconds after however many of it went at once", () => {
    const { comes } = bench({ accepted: () => false });
    for (const socket of Array.from({ length: 500 }, () => comes("192.0.2.1"))) socket.destroy();
    milliseconds(2_000);
    expect(comes("192.0.2.1").destroyed).toBe(true);
    milliseconds(40);
    expect(comes("192.0.2.1").destroyed).toBe(false);
  });

  it("forgets the addresses of those who went", () => {
    const { comes } = bench({ patience: () => 0 });
    for (let at = 0; at < 250; at++) comes(`192.0.2.${at}`).destroy();
    milliseconds(999);
    expect(vi.getTimerCount()).toBe(1);
    milliseconds(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not hold against an address who went after its turn", () => {
    const { comes, speaks, entered } = bench();
    const served = Array.from({ length: 60 }, () => speaks("192.0.2.1"));
    milliseconds(200);
    expect(entered).toHaveLength(60);
    for (const socket of served) socket.destroy();
    expect(gone(Array.from({ length: 20 }, () => comes("192.0.2.1")))).toBe(0);
  });

  it("passes over who went away while it waited", () => {
    const { comes, speaks, entered } = bench();
    const [first, second] = [speaks("192.0.2.1"), speaks("192.0.2.1")];
    first.emit("error", new Error("ECONNRESET"));
    comes("192.0.2.1").emit("end");
    milliseconds(2);
    expect(entered).toEqual([second]);
  });

  it("keeps no more of long first words than it may, and what a handshake begins with always", () => {
    const { comes, entered } = bench();
    const long = Array.from({ length: 600 }, () => comes("192.0.2.1"));
    for (const socket of long) socket.says("x".repeat(65_536));
    expect(gone(long)).toBe(600 - 512);
    const good = comes("198.51.100.1");
    good.says("x".repeat(4_096));
    milliseconds(4);
    expect(entered).toContain(good);
    milliseconds(2_000);
    expect(entered).toHaveLength(513);
    const later = comes("192.0.2.1");
    later.says("x".repeat(65_536));
    expect(later.destroyed).toBe(false);
  });

  it.each([
    ["is closed over it where there is no room", 1, true],
    ["twin: keeps it where there is room, and is given all of it", 0, false],
  ])("who says more before its turn %s", async (_, fillers, closed) => {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const theirs = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [ours] = (await once(server, "connection")) as [Socket];
    onTestFinished(() => {
      for (const end of [ours, theirs]) end.destroy();
      server.close();
    });
    const { turnstile, comes } = bench();
    for (let at = 0; at < fillers; at++) comes("192.0.2.1").says("x".repeat(32 * 2 ** 20));
    const entered = new Promise<void>((resolve) => turnstile.come({ socket: ours }, resolve));
    const paused = once(ours, "pause");
    theirs.on("error", () => {}).write("first");
    await paused;
    const ended = once(ours, "close");
    theirs.write(Buffer.alloc(20_000));
    if (closed) {
      await ended;
      return;
    }
    await vi.waitUntil(() => ours.readableLength === 20_005, 10_000);
    milliseconds(10);
    await entered;
    theirs.write(Buffer.alloc(20_000));
    let got = 0;
    ours.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    ours.resume();
    await vi.waitUntil(() => got === 40_005, 10_000);
  });

  it("has no more silent ones than it may: who has its share is not let in, and makes room for others", () => {
    const { comes } = bench({ mostSilent: 4 });
    const flood = Array.from({ length: 10 }, () => comes("192.0.2.1"));
    expect(gone(flood)).toBe(6);
    const good = comes("198.51.100.1");
    expect([good.destroyed, flood[0]!.destroyed]).toEqual([false, true]);
  });

  it("lets nobody wait where too many do, but for who comes from elsewhere", () => {
    const { speaks, entered } = bench({ mostWaiting: 10 });
    const flood = Array.from({ length: 30 }, () => speaks("192.0.2.1"));
    expect(gone(flood)).toBe(20);
    const good = speaks("198.51.100.1");
    milliseconds(100);
    expect(entered).toContain(good);
    expect(entered).toHaveLength(11);
  });

  it("lets no more wait than twice as many, wherever they come from, and however they came", () => {
    const { comes, speaks } = bench({ mostWaiting: 10 });
    const early = Array.from({ length: 10 }, (_, at) => comes(`198.51.100.${at}`));
    const flood = Array.from({ length: 100 }, (_, at) => speaks(`192.0.2.${at}`));
    expect(gone(flood)).toBe(80);
    for (const socket of early) socket.says("late");
    expect(gone(early)).toBe(10);
  });

  it("has no more inside than it may: who has the most of them makes room", () => {
    const { speaks, entered } = bench({ mostInside: 4 });
    const flood = Array.from({ length: 10 }, () => speaks("192.0.2.1"));
    milliseconds(100);
    expect([entered.length, gone(flood)]).toEqual([10, 6]);
    const good = speaks("198.51.100.1");
    milliseconds(10);
    expect([good.destroyed, entered.includes(good), gone(flood)]).toEqual([false, true, 7]);
    for (let at = 0; at < 4; at++) speaks("192.0.2.1");
    milliseconds(20);
    expect(good.destroyed).toBe(false);
  });

  it("lets the oldest of a proxy's go for a newer one", () => {
    const { comes } = bench({ mostSilent: 2 });
    const sockets = Array.from({ length: 3 }, () => comes("192.0.2.1", true));
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
  });

  it("no longer counts who is a WebSocket, or gone", () => {
    const { speaks, turnstile, entered } = bench({ mostInside: 1 });
    const upgraded = speaks("192.0.2.1");
    milliseconds(5);
    turnstile.through(upgraded as unknown as Socket);
    const left = speaks("192.0.2.1");
    milliseconds(5);
    left.destroy();
    const last = speaks("192.0.2.1");
    milliseconds(5);
    expect(entered).toEqual([upgraded, left, last]);
    expect([upgraded.destroyed, last.destroyed]).toEqual([false, false]);
  });

  it("has few while memory is short", () => {
    const { comes, speaks, entered } = bench({ scarce: () => true });
    const sockets = Array.from({ length: 100 }, () => comes("192.0.2.1"));
    expect(gone(sockets)).toBe(50);
    const talkers = Array.from({ length: 100 }, () => speaks("198.51.100.1"));
    milliseconds(300);
    expect([entered.length, gone(talkers)]).toEqual([100, 50]);
  });

  it("lets nobody in any more once it is closed, and has none stay but who is inside", () => {
    const { comes, speaks, entered, turnstile } = bench();
    const inside = speaks("192.0.2.1");
    milliseconds(2);
    const [waiting, silent] = [speaks("192.0.2.1"), comes("192.0.2.1")];
    turnstile.close();
    expect([inside.destroyed, waiting.destroyed, silent.destroyed]).toEqual([false, true, true]);
    milliseconds(100);
    expect(entered).toEqual([inside]);
  });
});
