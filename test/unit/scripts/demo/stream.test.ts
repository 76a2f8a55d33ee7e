import { EventEmitter } from "node:events";
import type { FastifyReply } from "fastify";
import { describe, expect, it } from "vitest";
import { Ladder } from "../../../../scripts/demo/ladder.ts";
import { stream } from "../../../../scripts/demo/stream.ts";
import { invite, row } from "./rows.ts";

/** An answer whose reader has taken nothing of that many bytes. */
class Unread extends EventEmitter {
  writableLength = 0;
  readonly written: string[] = [];
  isEnded = false;
  isCutOff = false;
  writeHead(): void {}
  flushHeaders(): void {}
  write(text: string): void {
    this.written.push(text);
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isCutOff = true;
    this.emit("close");
  }
}

function reading() {
  const [raw, ladder, stop] = [new Unread(), new Ladder(), new AbortController()];
  ladder.add(row({ message: invite("before@page") }));
  stream({ raw, hijack: () => undefined } as unknown as FastifyReply, ladder, stop.signal);
  return { raw, ladder, stop };
}

describe("a page that reads its ladder", () => {
  it("is told what was and what comes, until all of it ends", () => {
    const { raw, ladder, stop } = reading();
    raw.writableLength = 4_000_000;
    ladder.add(row({ message: invite("after@page") }));
    expect(raw.written.map((line) => /(before|after)@page/.exec(line)?.[1])).toEqual(["before", "after"]);
    expect([raw.isCutOff, raw.isEnded]).toEqual([false, false]);
    stop.abort();
    expect(raw.isEnded).toBe(true);
  });

  it("is cut off where four megabytes wait for it, and is no reader any more", () => {
    const { raw, ladder } = reading();
    raw.writableLength = 4_000_001;
    ladder.add(row({ message: invite("after@page") }));
    expect([raw.isCutOff, raw.written.length, ladder.isRead]).toEqual([true, 1, false]);
  });
});
