import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Config, Fault, Loaded } from "../../src/config.ts";
import { loadConfig } from "../../src/config.ts";

/** A folder of its own for the files of one config; removed by the test that made it. */
export class ConfigFolder {
  readonly path = mkdtempSync(join(tmpdir(), "postern-config-"));

  write(name: string, content: string | Uint8Array): string {
    const file = join(this.path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** A self-signed certificate and its key, as `<name>-cert.pem` and `<name>-key.pem`. */
  certificate(name: string): void {
    const files = ["-keyout", join(this.path, `${name}-key.pem`), "-out", join(this.path, `${name}-cert.pem`)];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    execFileSync("openssl", ["req", "-x509", ...kind, "-subj", "/CN=localhost", ...files], { stdio: "ignore" });
  }

  load(text: string | Uint8Array, env: NodeJS.ProcessEnv = {}): Loaded {
    return loadConfig(this.write("postern.yaml", text), env);
  }

  config(text: string, env: NodeJS.ProcessEnv = {}): Config {
    const loaded = this.load(text, env);
    if (loaded.kind === "faults")
      throw new Error(loaded.faults.map(({ line, message }) => `${line}: ${message}`).join());
    return loaded.config;
  }

  faults(text: string | Uint8Array, env: NodeJS.ProcessEnv = {}): readonly Fault[] {
    const loaded = this.load(text, env);
    return loaded.kind === "faults" ? loaded.faults : [];
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The least that is a config, for more keys to be put after it. */
export const least = `\
upstream: { urls: ["ws://127.0.0.1:5080"] }
chain: { secret: chain-secret-of-the-test }
`;
