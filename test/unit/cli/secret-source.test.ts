import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSecret } from "../../../src/cli/secret-source.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-secret-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string | Uint8Array): string {
  const path = join(folder, "secret");
  writeFileSync(path, content);
  return `file:${path}`;
}

const read = (source: string, env: NodeJS.ProcessEnv = {}) => readSecret("--secret", source, env);

describe("a secret on the command line", () => {
  it("is the environment variable that env: names", () => {
    expect(read("env:S", { S: "a secret\n" })).toEqual({ kind: "secret", secret: "a secret\n" });
  });

  it.each([
    ["a secret", "a secret"],
    ["a secret\n", "a secret"],
    ["a secret\r\n", "a secret"],
    ["a secret\n\n", "a secret\n"],
  ])("is what a file holds, %j less one newline", (content, secret) => {
    expect(read(file(content))).toEqual({ kind: "secret", secret });
  });

  it.each([["env:S"], ["env:constructor"], ["env:"], ["env:A B"]])("is a fault where %s yields nothing", (source) => {
    expect(read(source, { S: "" }).kind).toBe("fault");
  });

  it("is a fault where the file is missing, empty or too large", () => {
    expect(read("file:/nowhere")).toEqual({ kind: "fault", sentence: "--secret: the file cannot be read (ENOENT)" });
    expect(read(file("\n"))).toEqual({ kind: "fault", sentence: "--secret: the file is empty" });
    expect(read(file("x".repeat(70_000)))).toEqual({
      kind: "fault",
      sentence: "--secret: the file cannot be read (it is too large)",
    });
  });

  it("is a fault where it is not UTF-8 text, for all such bytes would be read as the same", () => {
    expect(read(file(Buffer.alloc(32, 0x80)))).toEqual({
      kind: "fault",
      sentence: "--secret: what it names is not UTF-8 text: make a secret by openssl rand -base64 32",
    });
    expect(read(file("gehei\u00dfnis in UTF-8"))).toEqual({ kind: "secret", secret: "gehei\u00dfnis in UTF-8" });
  });

  it.each(["hunter2hunter2", "hunter2hunter2:x", "ENV:hunter2hunter2", "env:hunter2-hunter2", ""])(
    "itself, as in %j, is refused and not repeated",
    (source) => {
      const result = read(source);
      expect(result).toEqual({
        kind: "fault",
        sentence: "--secret takes env:NAME, file:PATH or - for stdin, never the secret itself",
      });
    },
  );
});
