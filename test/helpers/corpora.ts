import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/**
 * Test data made by others is read by path and never copied into the project. It lies in `POSTERN_CORPORA`, by default
 * in `../shared/corpora` beside the repository. One folder in it is one corpus; its README names source and licence.
 *
 *     describeCorpus("rfc4475", 51, (folder) => {
 *       for (const file of readdirSync(join(folder, "messages"))) it(`does not crash on ${file}`, () => { … });
 *     });
 *
 * `folder` is absolute and exists, so the body may read it while tests are collected. Where the corpus is absent the
 * body never runs: one skipped test and one line on stderr say how many cases are left out; under CI=true that fails.
 */
export function describeCorpus(name: string, cases: number, body: (folder: string) => void): void {
  const folder = corpus(name);
  describe(`corpus ${name}`, () => {
    if (folder !== undefined) return body(folder);
    const leftOut = `corpus ${name} is absent: ${cases} cases left out (POSTERN_CORPORA names the folder it lies in)`;
    if (process.env.CI === "true") return it(leftOut, () => expect.fail(leftOut));
    process.stderr.write(`${leftOut}\n`);
    it.skip(leftOut);
  });
}

/** The absolute path of a corpus's folder; undefined where it is absent. Prefer describeCorpus, which says so. */
export function corpus(name: string): string | undefined {
  const folder = resolve(process.env.POSTERN_CORPORA || defaultFolder(), name);
  return existsSync(folder) ? folder : undefined;
}

const defaultFolder = (): string => fileURLToPath(new URL("../../../shared/corpora", import.meta.url));
