import { spawn } from "node:child_process";
import { readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./ports.ts";
import { temporaryDir } from "./temporary.ts";

const scenarios = fileURLToPath(new URL("../fixtures/sipp/", import.meta.url));

export interface TrunkOptions {
  /** 127.0.0.x or ::1. */
  readonly host: string;
  /** Default udp. */
  readonly transport?: "udp" | "tcp";
  readonly scenario: "answer" | "answer-and-hangup" | "busy" | "ringing" | "silent" | "unavailable";
  /** What it answers with: a DTLS answer to the first audio line of a browser's offer (default), or plain RTP. */
  readonly sdp?: "webrtc" | "plain";
  /** Sends RTP back to where it comes from; only with sdp "plain" there will be any. */
  readonly rtpEcho?: boolean;
  /** Milliseconds from the ACK to its BYE; default 300. */
  readonly hold?: number;
}

/** A call from outside. */
export interface CallerOptions {
  /** 127.0.0.x. */
  readonly host: string;
  /** Default udp. */
  readonly transport?: "udp" | "tcp";
  readonly to: { readonly host: string; readonly port: number };
  readonly number: string;
  /** "call" hangs up after hold ms, "call-and-wait" is hung up on. */
  readonly scenario: "call" | "call-and-wait";
  /** Milliseconds from the ACK to its BYE; default 300. */
  readonly hold?: number;
  readonly sdp?: "webrtc" | "plain";
}

export interface Caller {
  readonly port: number;
  /** Resolves with what SIPp ends with: 0 where all went as the scenario has it. */
  readonly ended: Promise<number | null>;
  /** What it received, raw, oldest first. */
  messages(): string[];
  waitFor(predicate: (message: string) => boolean, timeoutMs?: number): Promise<string>;
  stop(): Promise<void>;
}

export interface Trunk {
  /** For a customer's `trunk`. */
  readonly uri: string;
  readonly host: string;
  readonly port: number;
  /** What it received, raw, oldest first. */
  messages(): string[];
  /** The first message, received already or still to come, that the predicate takes. */
  waitFor(predicate: (message: string) => boolean, timeoutMs?: number): Promise<string>;
  stop(): Promise<void>;
}

/** A customer's trunk: SIPp. Resolves when it is bound. */
export async function startTrunk(options: TrunkOptions): Promise<Trunk> {
  const { host } = options;
  const { port, sipp, ...observed } = await launch(options, options.rtpEcho ? ["-rtp_echo"] : []);
  await bound(port, sipp.fault);
  const transport = options.transport === "tcp" ? ";transport=tcp" : "";
  return { uri: `sip:${host.includes(":") ? `[${host}]` : host}:${port}${transport}`, host, port, ...observed };
}

/** Someone beyond a trunk who calls: SIPp, one call. */
export async function startCaller(options: CallerOptions): Promise<Caller> {
  const { to, number } = options;
  const { port, sipp, ...observed } = await launch(options, [`${to.host}:${to.port}`, "-s", number, "-m", "1"]);
  return { port, ended: sipp.ended, ...observed };
}

/** SIPp with a scenario and free ports of its own. */
async function launch(options: TrunkOptions | CallerOptions, more: readonly string[]) {
  const { host } = options;
  const port = await freePort(host);
  const media = await freePort(host);
  const dir = temporaryDir("trunk");
  const trace = join(dir, "messages.log");
  writeFileSync(trace, "");
  writeFileSync(join(dir, "scenario.xml"), scenario(options, media));
  const args = [
    ...["-sf", "scenario.xml", "-i", host, "-p", `${port}`, "-mi", host, "-mp", `${media}`],
    ...["-ci", host, "-cp", `${await freePort(host)}`, ...(options.transport === "tcp" ? ["-t", "t1"] : []), ...more],
    ...["-nostdin", "-trace_msg", "-message_file", trace, "-trace_err", "-error_file", join(dir, "errors.log")],
  ];
  const sipp = run(args, dir);
  let kept: string[] | undefined;
  return {
    port,
    sipp,
    messages: () => kept ?? parseTrace(trace),
    waitFor: (predicate: (message: string) => boolean, timeoutMs = 10_000) => waitFor(trace, predicate, timeoutMs),
    stop: async () => {
      await sipp.kill();
      kept ??= parseTrace(trace);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface Sipp {
  /** Why it is not running any more, if so. */
  fault(): string | undefined;
  /** With its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>;
  kill(): Promise<void>;
}

function run(args: readonly string[], cwd: string): Sipp {
  const child = spawn("sipp", args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", (error) => {
      said += String(error);
      resolve();
    });
  }).then(() => {
    process.off("exit", kill);
    return child.exitCode;
  });
  const gone = (): boolean => child.exitCode !== null || child.pid === undefined;
  return {
    fault: () => (gone() ? `sipp ended with ${child.exitCode}: ${said}` : undefined),
    ended,
    kill: async () => {
      kill();
      await ended;
    },
  };
}

function scenario(options: TrunkOptions | CallerOptions, media: number): string {
  const sdp = readFileSync(join(scenarios, `${options.sdp ?? "webrtc"}.sdp`), "latin1").trimEnd();
  return readFileSync(join(scenarios, `${options.scenario}.xml`), "latin1")
    .replaceAll("@SDP@", sdp.replaceAll("\n", "\n      "))
    .replaceAll("@MEDIA@", `${media}`)
    .replaceAll("[hold]", `${options.hold ?? 300}`)
    .replaceAll("[local_port]>", options.transport === "tcp" ? "[local_port];transport=tcp>" : "[local_port]>");
}

/** SIPp does not say when it listens; the system's tables of sockets do. */
async function bound(port: number, fault: () => string | undefined): Promise<void> {
  const entry = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} `);
  for (const until = Date.now() + 10_000; Date.now() < until; ) {
    const failed = fault();
    if (failed) throw new Error(failed);
    const tables = ["udp", "udp6", "tcp"].map((name) => readFileSync(`/proc/net/${name}`, "latin1"));
    if (entry.test(tables.join(""))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`sipp did not bind port ${port} within 10 s`);
}

function waitFor(trace: string, predicate: (message: string) => boolean, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const found = parseTrace(trace).find(predicate);
      if (found === undefined) return;
      settle();
      resolve(found);
    };
    const settle = (): void => {
      clearTimeout(timer);
      watcher.close();
    };
    const watcher = watch(trace, look);
    const timer = setTimeout(() => {
      settle();
      reject(new Error(`the trunk got no such message within ${timeoutMs} ms, only:\n${parseTrace(trace).join("\n")}`));
    }, timeoutMs);
    look();
  });
}

/** SIPp's message trace: a dashed line with the time, then who and how long, an empty line, the message. */
function parseTrace(trace: string): string[] {
  const text = readFileSync(trace, "latin1");
  const messages: string[] = [];
  for (const found of text.matchAll(/^(?:UDP|TCP) message received \[(\d+)\] bytes ?:\r?\n\r?\n/gm)) {
    const start = found.index + found[0].length;
    const message = text.slice(start, start + Number(found[1]));
    if (message.length === Number(found[1])) messages.push(message);
  }
  return messages;
}
