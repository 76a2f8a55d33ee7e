import { afterAll, expect, it } from "vitest";
import { postern } from "../helpers/cli.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { change, onStore } from "../helpers/stored.ts";

const folder = new ConfigFolder();
folder.write("postern.yaml", least);
afterAll(() => folder.remove());

const customers = 5_000;

/** With twenty numbers, a secret and an API key each: as operators have them. */
const lines = Array.from({ length: customers }, (_, at) => ({
  id: `c${at}`,
  domains: [`c${at}.example`, `www.c${at}.example`],
  origins: [`https://www.c${at}.example`],
  numbers: Array.from({ length: 20 }, (_, number) => `+32${at * 20 + number + 1_000_000}`),
  trunk: `sip:pbx.c${at}.example`,
  secrets: [{ id: "k1", secret: `the-secret-of-customer-${at}` }],
  apiKeys: [{ id: `a${at}`, secret: `the-api-key-of-customer-${at}` }],
}));

const jsonLines = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join("\n");

it("5,000 customers are imported, told of where they are faulty, and replaced, in little memory", async () => {
  const file = folder.write("many.jsonl", jsonLines(lines));
  const bring = async (...more: readonly string[]): Promise<unknown> => {
    const args = ["customer", "import", file, "--json", ...more, "-c", `${folder.path}/postern.yaml`];
    const { stdout, stderr, exit } = await postern(args, { env: { NODE_OPTIONS: "--max-old-space-size=256" } });
    if (exit === null) throw new Error(stderr.slice(0, 500));
    return JSON.parse(stdout);
  };
  expect(await bring()).toEqual({ ok: true, imported: customers, replaced: 0, refused: 0, faults: [] });
  const again = (await bring()) as { faults: { line: number; path: string }[] };
  expect(again).toMatchObject({ ok: false, imported: 0, refused: customers });
  expect(again.faults.map(({ line, path }) => [line, path])).toEqual(lines.map((_, at) => [at + 1, "id"]));
  const shorter = lines.map(({ secrets: _kept, apiKeys: _too, ...rest }) => rest);
  folder.write("many.jsonl", jsonLines([...shorter, { id: "new" }]));
  expect(await bring("--replace")).toMatchObject({ ok: true, imported: 1, replaced: customers });
  expect((await change(folder.path, "secret", "list", "c4999")).data.secrets).toMatchObject([{ id: "k1" }]);
  const doctor = await onStore(folder.path, ["doctor", "--json"]);
  expect(
    (doctor.data.findings as { check: string; found: string }[]).find(({ check }) => check === "store")?.found,
  ).toBe(`${customers + 1} customers in the store, 0 in the config`);
}, 180_000);
