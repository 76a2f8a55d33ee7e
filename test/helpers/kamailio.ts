import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type KamailioSettings, type RunningKamailio, startKamailio as start } from "../../scripts/kamailio.ts";
import { freePort } from "./ports.ts";
import { temporaryDir } from "./temporary.ts";

const report = fileURLToPath(new URL("../fixtures/test-report.cfg", import.meta.url));
const direct = fileURLToPath(new URL("../../kamailio/direct.cfg", import.meta.url));

type Host = "127.0.0.1" | "::1";

export interface KamailioOptions {
  readonly chainSecret: string;
  /** A second secret, going out. */
  readonly formerSecret?: string;
  readonly algorithm?: KamailioSettings["algorithm"];
  /** Default 127.0.0.1. */
  readonly host?: Host | readonly Host[];
  /** Default true: the PROXY header is read. */
  readonly haproxy?: boolean;
  /** Default true: every message is reported to saw(). */
  readonly report?: boolean;
  /** A run directory of an earlier one, to go on with its database. */
  readonly dir?: string;
  /** With dir: its local.cfg as it is there. */
  readonly keepLocal?: true;
  readonly udpPort?: number;
  readonly wsPort?: number;
  /** Instead of kamailio/kamailio.cfg. */
  readonly configuration?: string;
  /** Of local.cfg. */
  readonly defines?: NonNullable<KamailioSettings["defines"]>;
  readonly lines?: readonly string[];
  readonly memory?: number;
  readonly localName?: NonNullable<KamailioSettings["localName"]>;
}

/** One message that Kamailio received (in) or sent (out). HTTP upgrades have proto "tcp", what follows them "ws". */
export interface Seen {
  readonly way: "in" | "out";
  readonly proto: string;
  /** The other side; of a leg the announced address. */
  readonly host: string;
  readonly port: number;
  /** One character a byte (latin1). */
  readonly raw: string;
  /** First line. */
  readonly start: string;
  /** Of requests; undefined for replies. */
  readonly method: string | undefined;
  readonly requestUri: string | undefined;
  /** Of replies. */
  readonly status: number | undefined;
  /** Values of every header field of that name, any case, unfolded, in order. No compact forms. */
  headers(name: string): string[];
  /** Value of the first. */
  header(name: string): string | undefined;
}

export interface Kamailio {
  /** Of the first host. */
  readonly wsUrl: string;
  /** One for each host. */
  readonly wsUrls: readonly string[];
  readonly udp: { readonly host: string; readonly port: number };
  readonly wsPort: number;
  readonly dir: string;
  readonly pid: number;
  /** Messages since the start, oldest first: SIP both ways but for Kamailio's own replies, and upgrades. */
  saw(): Seen[];
  /** The first message, seen already or still to come, that the predicate takes. */
  waitFor(predicate: (seen: Seen) => boolean, timeoutMs?: number): Promise<Seen>;
  log(): string;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
  /** SIGKILL to all its processes; the directory stays, for another to go on with. */
  kill(): Promise<void>;
}

/** A real Kamailio with the shipped configuration, in a run directory of its own, on free loopback ports. */
export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const hosts = [options.host ?? "127.0.0.1"].flat();
  const wsPort = options.wsPort ?? (await freePort(...hosts));
  const udpPort = options.udpPort ?? (await freePort(...hosts));
  const dir = options.dir ?? temporaryDir("kamailio");
  const running = await start({
    dir,
    ws: hosts.map((host) => `${bracket(host)}:${wsPort}`),
    udp: hosts.map((host) => `${bracket(host)}:${udpPort}`),
    chainSecrets: options.formerSecret ? [options.chainSecret, options.formerSecret] : [options.chainSecret],
    algorithm: options.algorithm ?? "sha256",
    proxyProtocol: options.haproxy ?? true,
    ...(options.report === false ? {} : { report }),
    ...(options.configuration ? { configuration: options.configuration } : {}),
    // A trunk in a test counts what it gets: OPTIONS are for those that ask for them.
    ...(options.configuration ? {} : { defines: { TRUNK_PING_SECONDS: 3_600 } }),
    ...(options.defines ? { defines: { TRUNK_PING_SECONDS: 3_600, ...options.defines } } : {}),
    ...(options.lines ? { lines: options.lines } : {}),
    ...(options.keepLocal ? { keepLocal: true } : {}),
    ...(options.memory ? { memory: options.memory } : {}),
    ...(options.localName ? { localName: options.localName } : {}),
  });
  const saw = reporter(running);
  const wsUrls = hosts.map((host) => `ws://${bracket(host)}:${wsPort}`);
  return {
    wsUrl: wsUrls[0] ?? "",
    wsUrls,
    udp: { host: hosts[0] ?? "127.0.0.1", port: udpPort },
    wsPort,
    dir,
    pid: running.pid,
    saw: () => [...saw()],
    waitFor: (predicate, timeoutMs = 10_000) => waitFor(running, saw, predicate, timeoutMs),
    log: () => running.log(),
    stop: async () => {
      await running.stop();
      rmSync(dir, { recursive: true, force: true });
    },
    kill: running.kill,
  };
}

/** The Kamailio that browsers reach with an exchanged credential: kamailio/direct.cfg, with sha1 as the exchange has by default. */
export const startDirectKamailio = (
  options: Omit<KamailioOptions, "chainSecret" | "configuration" | "localName"> & { readonly exchangeSecret: string },
): Promise<Kamailio> => {
  const { exchangeSecret, ...rest } = options;
  const own = { chainSecret: exchangeSecret, configuration: direct, localName: "direct-local.cfg" } as const;
  return startKamailio({ algorithm: "sha1", haproxy: false, ...rest, ...own });
};

const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** Lines of test-report.cfg: parts of one message by process, then a line that ends and names it. Reads only what is new. */
function reporter(running: RunningKamailio): () => Seen[] {
  const parts = new Map<string, string>();
  const seen: Seen[] = [];
  let read = 0;
  const take = (kind: string, process: string, rest: string): void => {
    if (kind === "part") {
      parts.set(process, (parts.get(process) ?? "") + rest);
      return;
    }
    const [proto = "", host = "", port = ""] = rest.split(" ");
    const raw = Buffer.from(parts.get(process) ?? "", "base64").toString("latin1");
    parts.delete(process);
    const message = describe(kind === "in" ? "in" : "out", transport(proto, raw), host, Number(port), raw);
    if (!isProbe(message)) seen.push(message);
  };
  return () => {
    const log = running.log();
    const end = log.lastIndexOf("\n") + 1;
    const fresh = log.slice(read, end).matchAll(/TEST-REPORT (part|in|out) (\d+) (.*)\n/g);
    read = end;
    for (const [, kind = "", process = "", rest = ""] of fresh) take(kind, process, rest);
    return seen;
  };
}

/** How the start was waited for. An upgrade is none. */
const isProbe = (message: Seen): boolean =>
  (message.method === "GET" && message.header("Upgrade") === undefined) || message.header("Call-ID") === "probe";

function waitFor(
  running: RunningKamailio,
  saw: () => Seen[],
  predicate: (seen: Seen) => boolean,
  timeoutMs: number,
): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const stderr = running.process.stderr;
    const look = (): void => {
      const found = saw().find(predicate);
      if (found) settle(() => resolve(found));
    };
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      stderr?.off("data", look);
      how();
    };
    const late = (): void =>
      reject(new Error(`kamailio saw no such message within ${timeoutMs} ms, only:\n${summary(saw())}`));
    const timer = setTimeout(() => settle(late), timeoutMs);
    stderr?.on("data", look);
    look();
  });
}

const summary = (seen: readonly Seen[]): string =>
  seen.map((one) => `${one.way} ${one.proto} ${one.host}:${one.port} ${one.start}`).join("\n");

/** Of what leaves, Kamailio names the transport by number, and WebSocket as the TCP below it; Via says which it is. */
function transport(proto: string, raw: string): string {
  const below = { "1": "udp", "2": "tcp" }[proto] ?? proto.toLowerCase();
  return below === "tcp" && /^(?:Via|v)[ \t]*:[ \t]*SIP\/2\.0\/WS/im.test(raw) ? "ws" : below;
}

function describe(way: "in" | "out", proto: string, host: string, port: number, raw: string): Seen {
  const head = raw.split("\r\n\r\n", 1)[0] ?? "";
  const [start = "", ...lines] = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const status = /^SIP\/2\.0 (\d{3})/.exec(start)?.[1];
  const [method, requestUri] = status === undefined ? start.split(" ") : [];
  const headers = (name: string): string[] =>
    lines
      .filter((line) => line.split(":", 1)[0]?.trim().toLowerCase() === name.toLowerCase())
      .map((line) => line.slice(line.indexOf(":") + 1).trim());
  const header = (name: string): string | undefined => headers(name)[0];
  const number = status === undefined ? undefined : Number(status);
  return { way, proto, host, port, raw, start, method, requestUri, status: number, headers, header };
}
