import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { freePort } from "./ports.ts";
import { temporaryDir } from "./temporary.ts";

/** A real PostgreSQL of a test's own, on a free port of loopback, with a user `postern` who must show a password. */
export interface Postgres {
  readonly port: number;
  /** Its only user's. */
  readonly password: string;
  /** Where its certificate lies, if it has one. */
  readonly certificate: string;
  /** Folder of its unix socket. */
  readonly folder: string;
  /** Of a database of its; `postgres` is there from the start. */
  url(database?: string): string;
  /** What it has logged since it was first started. */
  log(): string;
  /** Runs statements by hand and gives the rows of the last one. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>;
  /** immediate: as by a power cut; the default ends connections and writes everything down. */
  halt(how?: "fast" | "immediate"): Promise<void>;
  /** Again, where it was. */
  resume(): Promise<void>;
  /** Halts it for good and removes its files. */
  remove(): Promise<void>;
}

export interface PostgresSettings {
  /** It takes TLS too, with a certificate of its own making for 127.0.0.1. */
  readonly tls?: true;
}

const password = "the-password/of@the:database?";

/** Debian keeps them out of PATH. */
function binaries(): string {
  const versions = readdirSync("/usr/lib/postgresql").map(Number);
  return `/usr/lib/postgresql/${Math.max(...versions)}/bin`;
}

/** Neither initdb nor the server runs as root. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (option: string): number => Number(execFileSync("id", [option, "postgres"], { encoding: "utf8" }));
  return { uid: idOf("-u"), gid: idOf("-g") };
}

function makeCertificate(certificate: string, key: string): void {
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const names = ["-subj", "/CN=postgres", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...names, "-keyout", key, "-out", certificate], {
    stdio: "ignore",
  });
}

export async function startPostgres({ tls }: PostgresSettings = {}): Promise<Postgres> {
  const folder = temporaryDir("postgres");
  const data = join(folder, "data");
  const user = owner();
  const port = await freePort();
  mkdirSync(data);
  writeFileSync(join(folder, "password"), password);
  for (const path of [folder, data, join(folder, "password")]) if (user) chownSync(path, user.uid, user.gid);
  const initial = ["-U", "postern", "-A", "scram-sha-256", "--pwfile", join(folder, "password"), "--no-sync"];
  execFileSync(join(binaries(), "initdb"), ["-D", data, "-E", "UTF8", "--locale=C", ...initial], {
    ...user,
    cwd: folder,
    stdio: "pipe",
  });
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  if (tls) {
    makeCertificate(certificate, key);
    for (const path of [certificate, key]) if (user) chownSync(path, user.uid, user.gid);
  }
  let said = "";
  let server: ChildProcess | undefined;
  const options = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: folder, fsync: "off" };
  const settings = tls ? { ssl: "on", ssl_cert_file: certificate, ssl_key_file: key } : {};
  const args = Object.entries({ ...options, ...settings }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);

  const resume = async (): Promise<void> => {
    if (server && server.exitCode === null && server.signalCode === null) return;
    const from = said.length;
    const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
    const child = spawn(join(binaries(), "postgres"), ["-D", data, ...args], { ...user, cwd: folder, stdio });
    server = child;
    child.stderr.setEncoding("utf8");
    await new Promise<void>((resolve, reject) => {
      child.stderr.on("data", (text: string) => {
        said += text;
        if (said.includes("ready to accept connections", from)) resolve();
      });
      child.once("exit", () => reject(new Error(`postgres has ended:\n${said.slice(from)}`)));
    });
  };
  const halt = async (how: "fast" | "immediate" = "fast"): Promise<void> => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  };
  const url = (database = "postgres"): string =>
    `postgres://postern:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  const sql = async (text: string, database?: string): Promise<Record<string, unknown>[]> => {
    const client = postgres(url(database), { max: 1, onnotice: () => undefined });
    try {
      return [...(await client.unsafe(text))];
    } finally {
      await client.end();
    }
  };
  await resume();
  const remove = async (): Promise<void> => {
    await halt("immediate");
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, password, folder, certificate, url, log: () => said, sql, halt, resume, remove };
}
