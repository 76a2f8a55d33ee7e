import { afterAll, describe, expect, it } from "vitest";
import { posternHere } from "../../helpers/cli-here.ts";
import { ConfigFolder } from "../../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

describe("where there is no store", () => {
  it.each(["calls", "quality"])("postern %s does not look as if nobody had called", async (command) => {
    const upstream = 'upstream: { urls: ["ws://127.0.0.1:5080"] }\n';
    const chain = "chain: { secret: a-chain-secret-of-the-tests-32-bytes }\n";
    const config = folder.write("postern.yaml", `${upstream}${chain}store: "sqlite:./none.db"\n`);
    const { exit, stdout, stderr } = await posternHere(command, "-c", config, "--json");
    expect([exit, JSON.parse(stdout).calls]).toEqual([0, []]);
    expect(stderr).toMatch(/^there is no store, .*postern customer add makes it\n$/);
  });
});
