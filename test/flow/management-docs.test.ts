import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { acmeApiSecret, type ManagedGateway, operatorSecret, startManaged } from "../helpers/management.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(`${root}docs/management.md`, "utf8");

let gateway: ManagedGateway;
beforeAll(async () => {
  gateway = await startManaged({ store: true });
});
afterAll(() => gateway?.close());

it("the commands of docs/management.md work as they stand, one after the other", async () => {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(4);
  const script = [
    "set -eu",
    `postern() { '${process.execPath}' '${root}src/cli/main.ts' "$@"; }`,
    'curl() { command curl --fail-with-body "$@" || { echo "$@" >&2; return 1; }; }',
    ...blocks,
  ]
    .join("\n")
    .replaceAll("http://127.0.0.1:8089", gateway.adminUrl);
  const env = { ...process.env, API_KEY: "46000000", API_SECRET: acmeApiSecret, OPS_SECRET: operatorSecret };
  const { stdout } = await promisify(execFile)("sh", ["-c", script], { cwd: gateway.path, env });
  expect(stdout).toContain('{"id":"initech-key","secret":"');
  expect(stdout).toContain('"id":"initech"');
  expect(stdout).toContain('{"suspended":null}');
  expect(stdout).toContain('{"checked":false,"added":1,"replaced":0}');
}, 90_000);
