/** `npm run check`: types, lint with format, and import rules, all at once. Prints what a failing part says. Exit 1 on any fault. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const cwd = fileURLToPath(new URL("..", import.meta.url));

const parts: Record<string, readonly string[]> = {
  types: ["tsc", "-p", "."],
  "types of browser modules": ["tsc", "-p", "src/client/browser"],
  "types of the demo's page": ["tsc", "-p", "scripts/demo/page"],
  "lint and format": ["biome", "check", "--error-on-warnings", "."],
  imports: ["vitest", "run", "--reporter=dot", "test/unit/imports.test.ts"],
};

interface Outcome {
  readonly good: boolean;
  readonly seconds: number;
  readonly output: string;
}

function run([command, ...args]: readonly string[]): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command ?? "", args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      const seconds = (performance.now() - started) / 1000;
      resolve({ good: code === 0, seconds, output: Buffer.concat(output).toString() });
    });
  });
}

async function report(name: string, command: readonly string[]): Promise<boolean> {
  const { good, seconds, output } = await run(command);
  console.log(`${good ? "ok  " : "FAIL"} ${name} (${seconds.toFixed(1)} s)${good ? "" : `\n${output}`}`);
  return good;
}

const results = await Promise.all(Object.entries(parts).map(([name, command]) => report(name, command)));
process.exitCode = results.every(Boolean) ? 0 : 1;
