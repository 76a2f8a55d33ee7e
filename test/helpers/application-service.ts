import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ConfigFolder } from "./config-file.ts";
import { type Signer, signer } from "./tokens.ts";

const main = fileURLToPath(new URL("../../examples/application-service/service.ts", import.meta.url));

export const keyId = "permissions";

/** examples/application-service as it is, with a key of its own. */
export class ApplicationService {
  readonly url: string;
  /** Its public half is what the gateway is given. */
  readonly key: Signer;
  readonly #folder: ConfigFolder;
  readonly #child: ChildProcess;

  private constructor(url: string, key: Signer, folder: ConfigFolder, child: ChildProcess) {
    [this.url, this.key, this.#folder, this.#child] = [url, key, folder, child];
  }

  static async start(env: Readonly<Record<string, string>>): Promise<ApplicationService> {
    const folder = new ConfigFolder();
    const key = signer("ES256");
    const file = folder.write("key.pem", key.private.export({ type: "pkcs8", format: "pem" }));
    const permissions = folder.write("permissions.json", "{}");
    const own = { KEY_ID: keyId, PRIVATE_KEY_FILE: file, PERMISSIONS_FILE: permissions, PORT: "0" };
    const child = spawnService({ ...own, ...env });
    const [line] = await once(createInterface(child.stdout!), "line");
    return new ApplicationService(String(line).replace("application service ", ""), key, folder, child);
  }

  /** What this user may from now on. */
  permit(user: string, permissions: readonly string[]): void {
    this.#permissions[user] = permissions;
    this.#folder.write("permissions.json", JSON.stringify(this.#permissions));
  }
  readonly #permissions: Record<string, readonly string[]> = {};

  /** The cookie of a session under that name. */
  async logIn(user: string): Promise<string> {
    const body = new URLSearchParams({ user });
    const response = await fetch(`${this.url}/login`, { method: "POST", body, redirect: "manual" });
    return (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  }

  fetchAppToken(headers: Readonly<Record<string, string>>): Promise<Response> {
    return fetch(`${this.url}/app-token`, { method: "POST", headers });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      const closed = once(this.#child, "close");
      this.#child.kill("SIGTERM");
      await closed;
    }
    this.#folder.remove();
  }
}

export const spawnService = (env: Readonly<Record<string, string>>): ChildProcess =>
  spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "pipe"] });
