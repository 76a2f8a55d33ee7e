import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { ConfigFolder, least } from "../helpers/config-file.ts";
import { change } from "../helpers/stored.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(`${root}docs/customers.md`, "utf8");
const folder = new ConfigFolder();

afterAll(() => folder.remove());

it("the commands of docs/customers.md work as they stand, one after the other", async () => {
  folder.write("postern.yaml", least);
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(4);
  const script = `set -eu\npostern() { '${process.execPath}' '${root}src/cli/main.ts' "$@"; }\n${blocks.join("\n")}`;
  const said = execFileSync("sh", ["-c", script], { cwd: folder.path, encoding: "utf8", stdio: "pipe" });
  expect(said).toContain('"customer":"globex"');
  const { customers } = (await change(folder.path, "customer", "list", "--json")).data;
  expect(customers).toMatchObject([
    { id: "globex", secrets: 1 },
    { id: "hooli", domains: ["hooli.example", "www.hooli.example"] },
  ]);
}, 90_000);
