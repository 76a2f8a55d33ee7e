import { expect, it } from "vitest";
import { oneEachTurn } from "../../../src/api/body.ts";

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
