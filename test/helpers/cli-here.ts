import { vi } from "vitest";
import { run } from "../../src/cli/program.ts";

export interface Said {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `postern <args>` in this process, for a test of many commands; one at a time. Its environment is the process's own. */
export async function posternHere(...args: readonly string[]): Promise<Said> {
  let [stdout, stderr] = ["", ""];
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  const words = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  try {
    process.exitCode = undefined;
    const exit = await run(args);
    return { exit, stdout, stderr };
  } finally {
    process.exitCode = undefined;
    out.mockRestore();
    words.mockRestore();
  }
}
