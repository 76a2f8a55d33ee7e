import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";

const configuration = fileURLToPath(new URL("../kamailio/kamailio.cfg", import.meta.url));
const schemas = ["standard-create.sql", "usrloc-create.sql", "dialog-create.sql"];

/** What a private Kamailio is started with. Everything it writes is in dir. */
export interface KamailioSettings {
  /** Absolute; made if absent. A database that is there already is kept. */
  readonly dir: string;
  /** `host:port`, IPv6 in brackets. For the second instance these are for trunks on TCP. */
  readonly ws: readonly string[];
  readonly udp: readonly string[];
  /** Newest first, one or two. */
  readonly chainSecrets: readonly string[];
  readonly algorithm: "sha1" | "sha256" | "sha384" | "sha512";
  readonly proxyProtocol: boolean;
  /** A configuration that reports every message; defines TEST_REPORT. */
  readonly report?: string;
  /** Instead of kamailio/kamailio.cfg. */
  readonly configuration?: string;
  /**
   * What the configuration includes as its settings; local.cfg by default. The second instance's speaks no HTTP; that of
   * direct.cfg takes the secrets and the algorithm as the exchange's.
   */
  readonly localName?: "local.cfg" | "edge-local.cfg" | "direct-local.cfg";
  /** Further settings of local.cfg, by name: texts and whole numbers; true where only being defined counts. */
  readonly defines?: Readonly<Record<string, string | number | true>>;
  /** A file of settings that is there already is kept: it has been changed since, by `postern rotate-chain`. */
  readonly keepLocal?: true;
  /** Shared memory, megabytes; 256 by default, of which it takes what it uses: 100 KB a WebSocket. */
  readonly memory?: number;
  /** Characters of its log that are kept, the last ones; by default all. */
  readonly keepLog?: number;
  /** Further lines of local.cfg, for a configuration of its own. */
  readonly lines?: readonly string[];
}

/** A process that was started, with what it has said so far on stdout and stderr. */
export interface RunningKamailio {
  readonly pid: number;
  readonly process: ChildProcess;
  log(): string;
  /** SIGTERM, and SIGKILL after three seconds. */
  stop(): Promise<void>;
  /** SIGKILL to every process of it, at once. */
  kill(): Promise<void>;
}

/** The schema that Debian ships with kamailio-sqlite-modules, in a file of its own. */
export function createDatabase(file: string, schemaDir = "/usr/share/kamailio/db_sqlite"): void {
  if (existsSync(file)) return;
  // Who calls whom stands in it; what SQLite puts beside it has its mode.
  writeFileSync(file, "", { mode: 0o600 });
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA journal_mode = WAL");
    for (const schema of schemas) database.exec(readFileSync(join(schemaDir, schema), "utf8"));
  } finally {
    database.close();
  }
}

/** Writes local.cfg and the database into settings.dir. */
export function prepareKamailio(settings: KamailioSettings): void {
  mkdirSync(settings.dir, { recursive: true });
  const local = join(settings.dir, settings.localName ?? "local.cfg");
  if (!settings.keepLocal || !existsSync(local)) {
    writeFileSync(local, localConfig(settings), { mode: 0o600 });
    chmodSync(local, 0o600);
  }
  if (settings.report) copyFileSync(settings.report, join(settings.dir, "test-report.cfg"));
  createDatabase(join(settings.dir, "kamailio.sqlite"));
}

function localConfig(settings: KamailioSettings): string {
  const [secret, former] = settings.chainSecrets;
  if (secret === undefined) throw new RangeError("a chain secret is required");
  const algorithms = ["sha1", "sha256", "sha384", "sha512"];
  const whose = settings.localName === "direct-local.cfg" ? "EXCHANGE" : "CHAIN";
  return [
    `#!define ${whose}_SECRET ${quote(secret)}`,
    former === undefined ? "" : `#!define ${whose}_SECRET_OLD ${quote(former)}`,
    `#!define ${whose}_ALGORITHM ${algorithms.indexOf(settings.algorithm)}`,
    `#!define DATABASE ${quote(`sqlite:///${join(settings.dir, "kamailio.sqlite")}`)}`,
    settings.proxyProtocol ? "" : "#!define WITHOUT_PROXY_PROTOCOL",
    settings.report ? "#!define TEST_REPORT" : "",
    ...Object.entries(settings.defines ?? {}).map(([name, value]) => define(name, value)),
    ...(settings.lines ?? []),
    ...settings.ws.map((address) => `listen=tcp:${address}`),
    ...settings.udp.map((address) => `listen=udp:${address}`),
    "children=1",
    "tcp_children=1",
    "",
  ].join("\n");
}

const define = (name: string, value: string | number | true): string =>
  value === true ? `#!define ${name}` : `#!define ${name} ${typeof value === "string" ? quote(value) : value}`;

/** A string of Kamailio's configuration. Throws RangeError for what would end the line. */
function quote(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new RangeError("a setting of Kamailio holds a line break or NUL");
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/**
 * Starts Kamailio in the foreground, in a process group of its own, with nothing outside settings.dir, and waits until
 * it answers on every WebSocket address. Throws with its log after deadline ms.
 */
export async function startKamailio(settings: KamailioSettings, deadline = 15_000): Promise<RunningKamailio> {
  prepareKamailio(settings);
  const { dir } = settings;
  const files = ["-f", settings.configuration ?? configuration, "-w", dir, "-Y", dir, "-P", join(dir, "kamailio.pid")];
  const args = [...files, "-DD", "-E", "-m", `${settings.memory ?? 256}`, "-M", "8"];
  const child = spawn("kamailio", args, { cwd: dir, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const running = supervise(child, settings.keepLog);
  try {
    await Promise.race([ready(settings, deadline), died(child)]);
  } catch (cause) {
    await running.kill();
    throw new Error(`kamailio did not start: ${String(cause)}\n${running.log()}`, { cause });
  }
  return running;
}

function supervise(child: ChildProcess, keepLog = Number.POSITIVE_INFINITY): RunningKamailio {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      said = (said + text).slice(-keepLog);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const signal = (name: NodeJS.Signals): void => signalGroup(child.pid, name);
  const onExit = (): void => signal("SIGKILL");
  process.once("exit", onExit);
  void ended.then(() => process.off("exit", onExit));
  const kill = (): Promise<void> => {
    signal("SIGKILL");
    return ended;
  };
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(child.pid, "SIGTERM");
    const timer = setTimeout(() => signal("SIGKILL"), 3_000);
    await ended;
    clearTimeout(timer);
  };
  return { pid: child.pid ?? 0, process: child, log: () => said, stop, kill };
}

/** A group that has ended already is no fault. */
function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

const died = (child: ChildProcess): Promise<never> =>
  new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code, name) => reject(new Error(`it ended with ${code ?? name}`)));
  });

/** Kamailio says nothing when its workers are up: it is asked until it answers. */
async function ready(settings: KamailioSettings, deadline: number): Promise<void> {
  const until = Date.now() + deadline;
  for (const address of settings.ws) {
    while (!(await (settings.localName === "edge-local.cfg" ? answersSip(address) : answers(address)))) {
      if (Date.now() > until) throw new Error(`no answer on ${address} within ${deadline} ms`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

/** Any answer to a plain HTTP request comes from a worker that runs the configuration. */
const answers = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request(`http://${address}/`, { agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(true);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });

/** OPTIONS over TCP; any answer. */
const answersSip = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(`http://${address}`);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), timeout: 1_000 });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(false));
    socket.on("data", () => {
      resolve(true);
      socket.destroy();
    });
    const lines = [
      `OPTIONS sip:${address} SIP/2.0`,
      "Via: SIP/2.0/TCP probe.invalid;branch=z9hG4bKprobe",
      "Max-Forwards: 1",
      "From: <sip:probe@probe.invalid>;tag=probe",
      `To: <sip:${address}>`,
      "Call-ID: probe",
      "CSeq: 1 OPTIONS",
      "Content-Length: 0",
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  });
