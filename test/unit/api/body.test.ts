import type { FastifyInstance } from "fastify";
import { expect, it, vi } from "vitest";
import { oneEachTurn, readReports } from "../../../src/api/body.ts";

it("large bodies are read one in each turn of the event loop, in their order", async () => {
  const turn = oneEachTurn();
  const read: number[] = [];
  const all = Array.from({ length: 20 }, async (_, at) => {
    await turn();
    read.push(at);
  });
  let before = 0;
  for (let time = 0; read.length < all.length && time < 1_000; time++) {
    await new Promise((next) => setImmediate(next));
    expect(read.length - before).toBeLessThanOrEqual(1);
    before = read.length;
  }
  expect(read).toEqual(all.map((_, at) => at));
});

it("a large report waits for its turn, and no other", async () => {
  const app = { removeAllContentTypeParsers: vi.fn(), addContentTypeParser: vi.fn() };
  readReports(app as unknown as FastifyInstance);
  const read = app.addContentTypeParser.mock.lastCall?.[2];
  const turns = vi.spyOn(globalThis, "setImmediate");
  for (const [length, taken] of [
    [16_384, 0],
    [16_385, 1],
  ] as const) {
    const text = "x".repeat(length - 2);
    const body = await read({ headers: { "content-type": "text/plain" } }, Buffer.from(JSON.stringify(text)));
    expect(body).toEqual({ kind: "json", value: text });
    expect(turns).toHaveBeenCalledTimes(taken);
  }
  turns.mockRestore();
});
