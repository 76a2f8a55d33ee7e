import { describe, expect, it } from "vitest";
import { Room } from "../../../src/gateway/room.ts";

function bench(most: number) {
  const room = new Room(() => most);
  const left: string[] = [];
  const enter = (whose: string, number: number): void => {
    const key = `${whose}${number}`;
    room.enter(key, { whose, leave: () => left.push(key) });
  };
  return { room, left, enter };
}

describe("a room", () => {
  it("has nobody leave before it is full", () => {
    const { room, left, enter } = bench(4);
    for (let at = 0; at < 4; at++) enter("a", at);
    expect([left, room.hasShare("a"), room.hasShare("b")]).toEqual([[], true, false]);
  });

  it("is made by the oldest of who has the most of it", () => {
    const { left, enter } = bench(4);
    enter("b", 0);
    for (let at = 0; at < 3; at++) enter("a", at);
    enter("c", 0);
    expect(left).toEqual(["a0"]);
    enter("d", 0);
    expect(left).toEqual(["a0", "b0"]);
  });

  it("is free again where somebody left, and who left before is not made to", () => {
    const { room, left, enter } = bench(2);
    enter("a", 0);
    enter("a", 1);
    room.leave("a0");
    room.leave("a0");
    expect(room.hasShare("a")).toBe(false);
    enter("a", 2);
    expect(left).toEqual([]);
    enter("a", 3);
    expect(left).toEqual(["a1"]);
  });

  it("is for one of each where more addresses came than have room", () => {
    const { room, left, enter } = bench(2);
    for (const whose of ["a", "b", "c"]) enter(whose, 0);
    expect([left, room.hasShare("b"), room.hasShare("d")]).toEqual([["a0"], true, false]);
  });
});
