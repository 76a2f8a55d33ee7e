import { Duplex, PassThrough } from "node:stream";
import { expect, it, vi } from "vitest";
import { answerAndClose } from "../../../src/core/http.ts";

const problem = { status: 503, code: "limit-reached", detail: "come again" } as const;

/** Takes nothing of what is written to it. */
class Unread extends Duplex {
  override _read(): void {}
  override _write(): void {}
}

it("an answer to no request is the end of its connection when it was sent", async () => {
  const stream = new PassThrough();
  const ended = new Promise((close) => stream.once("close", close));
  answerAndClose(stream, problem);
  await ended;
  expect(stream.destroyed).toBe(true);
});

it("an answer to no request that nobody reads keeps its connection two seconds and no longer", () => {
  vi.useFakeTimers();
  const stream = new Unread();
  answerAndClose(stream, problem);
  vi.advanceTimersByTime(1_999);
  expect(stream.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(stream.destroyed).toBe(true);
  vi.useRealTimers();
});
