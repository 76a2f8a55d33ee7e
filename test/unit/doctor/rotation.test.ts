import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/config.ts";
import { checkRotation } from "../../../src/doctor/rotation.ts";
import { thisSystem } from "../../../src/doctor/system.ts";
import { ConfigFolder, least } from "../../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

const said = (chain: string): string[] => {
  const file = folder.write("postern.yaml", least.replace(/^chain:.*$/m, `chain: { ${chain} }`));
  const loaded = loadConfig(file, {});
  if (loaded.kind === "faults") throw new Error(JSON.stringify(loaded.faults));
  return checkRotation(loaded.config, [], thisSystem).map(({ state, found }) => `${state}: ${found}`);
};

describe("the doctor's look at the chain secrets of the config", () => {
  const [one, other] = ["chain-secret-of-the-test", "another-chain-secret"];

  it("says of one secret twice that a rotation did not come to its end", () => {
    const twice = "warn: is half done: chain.secrets of the config has one secret more than once";
    expect(said(`secrets: [${one}, ${one}]`)).toEqual([twice]);
    folder.write("chain.secret", `${one}\n`);
    folder.write("chain.secret.new", `${one}\n`);
    expect(said('secrets: ["file:chain.secret.new", "file:chain.secret"]')).toEqual([twice]);
  });

  it("says nothing of one, and of two that the old one is still taken", () => {
    expect(said(`secret: ${one}`)).toEqual([]);
    expect(said(`secrets: [${one}]`)).toEqual([]);
    const half = "warn: is half done: the gateway still takes what it made under the old secret";
    expect(said(`secrets: [${other}, ${one}]`)).toEqual([half]);
  });
});
