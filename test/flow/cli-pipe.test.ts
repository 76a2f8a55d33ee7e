import { once } from "node:events";
import { expect, it } from "vitest";
import { startPostern } from "../helpers/cli.ts";

it("postern ends without a word where nobody reads on, as before head", async () => {
  const child = startPostern(["calls", "--help"]);
  child.stdout.destroy();
  const [said, [exit]] = await Promise.all([child.stderr.toArray(), once(child, "close")]);
  expect([exit, said.join("")]).toEqual([1, ""]);
});
