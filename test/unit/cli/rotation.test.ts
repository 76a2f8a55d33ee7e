import { describe, expect, it } from "vitest";
import { rotationOf } from "../../../src/cli/rotation.ts";

type Secrets = readonly string[];

const found = (gateway: Secrets | undefined, kamailios: readonly Secrets[], given?: string): unknown => {
  const files = new Map(kamailios.map((secrets, index) => [`/${index}/local.cfg`, secrets]));
  const rotation = rotationOf({ gateway, kamailios: files }, { given, make: () => "made" });
  if (rotation.kind === "fault") return rotation.sentence;
  return [rotation.old, rotation.fresh, rotation.begun];
};

describe("a rotation", () => {
  it.each<[string, Secrets | undefined, readonly Secrets[], string | undefined, unknown]>([
    ["is new where all know one secret", ["a"], [["a"], ["a"]], undefined, ["a", "made", false]],
    ["is new with the secret that is given", ["a"], [["a"]], "b", ["a", "b", false]],
    ["was begun where a Kamailio knows another one before it", ["a"], [["b", "a"]], undefined, ["a", "b", true]],
    ["was begun where one of two does", ["a"], [["a"], ["b", "a"]], undefined, ["a", "b", true]],
    ["is in the overlap where the gateway knows both", ["b", "a"], [["b", "a"]], undefined, ["a", "b", true]],
    ["has not come to each Kamailio", ["b", "a"], [["b", "a"], ["a"]], undefined, ["a", "b", true]],
    ["is over at Kamailio", ["b", "a"], [["b"]], undefined, ["a", "b", true]],
    ["is over at the gateway", ["b"], [["b", "a"]], undefined, ["a", "b", true]],
    ["has only its place in the config to clear", ["b", "b"], [["b"]], undefined, ["b", "b", true]],
    ["goes on with its own secret", ["a"], [["b", "a"]], "b", ["a", "b", true]],
    ["has nothing left to do with its own secret", ["b"], [["b"]], "b", [undefined, "b", true]],
    ["is found without a gateway", undefined, [["b", "a"]], undefined, ["a", "b", true]],
    ["begins without a gateway", undefined, [["a"]], "b", ["a", "b", false]],
    ["is over without a gateway", undefined, [["b"]], "b", [undefined, "b", true]],
    ["is over without gateway and secret", undefined, [["b"]], undefined, [undefined, "b", true]],
    ["is known to a gateway without Kamailio", ["b", "a"], [], undefined, ["a", "b", true]],
  ])("%s", (_, gateway, kamailios, given, what) => expect(found(gateway, kamailios, given)).toEqual(what));

  it.each<[string, Secrets | undefined, readonly Secrets[], string | undefined, string]>([
    ["a Kamailio has other secrets than the gateway", ["a"], [["x"]], undefined, "/0/local.cfg does not have"],
    [
      "its place in the config is to be cleared, and a Kamailio has another",
      ["b", "b"],
      [["a"]],
      undefined,
      "does not have",
    ],
    ["another one was begun", ["a"], [["b", "a"]], "c", "another rotation is half done"],
    [
      "two were begun",
      ["a"],
      [
        ["b", "a"],
        ["c", "a"],
      ],
      undefined,
      "two rotations",
    ],
    [
      "one was begun and another not ended",
      ["a"],
      [
        ["b", "a"],
        ["a", "z"],
      ],
      undefined,
      "two rotations",
    ],
    ["another one was begun, seen without a gateway", undefined, [["b", "a"]], "c", "two rotations"],
    [
      "two were begun, seen without a gateway",
      undefined,
      [
        ["b", "a"],
        ["c", "a"],
      ],
      undefined,
      "two rotations",
    ],
  ])("is none where %s", (_, gateway, kamailios, given, sentence) =>
    expect(found(gateway, kamailios, given)).toContain(sentence),
  );
});
