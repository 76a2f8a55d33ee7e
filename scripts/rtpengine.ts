import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createSocket } from "node:dgram";
import { fileURLToPath } from "node:url";

const configuration = fileURLToPath(new URL("../deploy/rtpengine/rtpengine.conf", import.meta.url));

/** What a private rtpengine is started with. */
export interface RtpengineSettings {
  /** Where it takes commands, and media goes in and out unless interfaces say otherwise. */
  readonly host: string;
  /** name/address of each. */
  readonly interfaces?: readonly string[];
  /** Of the control protocol, on host: for Kamailio alone. */
  readonly ngPort: number;
  /** First and last port of media, inclusive; a call takes up to eight. */
  readonly ports: readonly [number, number];
  /** More of its options, as `--log-level=7`. */
  readonly options?: readonly string[];
}

export interface RunningRtpengine {
  /** For RTPENGINE in local.cfg. */
  readonly url: string;
  readonly pid: number;
  readonly process: ChildProcess;
  log(): string;
  /** SIGTERM, and SIGKILL after three seconds. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/**
 * Starts rtpengine in the foreground with the settings that we ship, whatever /etc/rtpengine says, and waits until it answers on
 * its control port. Throws with its log after deadline ms.
 */
export async function startRtpengine(settings: RtpengineSettings, deadline = 15_000): Promise<RunningRtpengine> {
  const { host, ngPort, ports, interfaces, options = [] } = settings;
  const own = [`--config-file=${configuration}`, "--foreground", "--log-stderr", "--num-threads=2"];
  const where = [
    ...(interfaces ?? [host]).map((one) => `--interface=${one}`),
    `--listen-ng=${host}:${ngPort}`,
    `--port-min=${ports[0]}`,
    `--port-max=${ports[1]}`,
  ];
  const child = spawn("rtpengine", [...own, ...where, ...options], { stdio: ["ignore", "ignore", "pipe"] });
  const running = supervise(child, `udp:${host}:${ngPort}`);
  try {
    await Promise.race([ready(host, ngPort, deadline), died(child)]);
  } catch (cause) {
    await running.kill();
    throw new Error(`rtpengine did not start: ${String(cause)}\n${running.log()}`, { cause });
  }
  return running;
}

function supervise(child: ChildProcess, url: string): RunningRtpengine {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  void ended.then(() => process.off("exit", onExit));
  const kill = (): Promise<void> => {
    child.kill("SIGKILL");
    return ended;
  };
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 3_000);
    await ended;
    clearTimeout(timer);
  };
  return { url, pid: child.pid ?? 0, process: child, log: () => said, stop, kill };
}

const died = (child: ChildProcess): Promise<never> =>
  new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code, name) => reject(new Error(`it ended with ${code ?? name}`)));
  });

async function ready(host: string, port: number, deadline: number): Promise<void> {
  for (const until = Date.now() + deadline; !(await pong(host, port)); ) {
    if (Date.now() > until) throw new Error(`no answer on ${host}:${port} within ${deadline} ms`);
  }
}

const pong = async (host: string, port: number): Promise<boolean> =>
  (await asked(host, port, "d7:command4:pinge", 100)) === "d6:result4:ponge";

/** Names of the calls that it has now. */
export async function rtpengineCalls(url: string): Promise<string[]> {
  const [, host = "", port = ""] = /^udp:(.+):(\d+)$/.exec(url) ?? [];
  const answer = await asked(host, Number(port), "d7:command4:list5:limiti1000ee", 5_000);
  const calls: string[] = [];
  let rest = /^d5:callsl(.*)e6:result2:oke$/s.exec(answer ?? "")?.[1];
  if (rest === undefined) throw new Error(`rtpengine lists no calls, but says ${answer}`);
  for (let found = /^(\d+):/.exec(rest); found; found = /^(\d+):/.exec(rest)) {
    const [head, length] = found;
    calls.push(rest.slice(head.length, head.length + Number(length)));
    rest = rest.slice(head.length + Number(length));
  }
  return calls;
}

/** Over the control protocol: a cookie, and a dictionary in bencode. undefined where nothing answers in time. */
const asked = (host: string, port: number, dictionary: string, patience: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const cookie = `${randomUUID()} `;
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const settle = (answer?: string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(settle, patience);
    // Where nobody listens (yet) the time must pass all the same.
    socket.on("error", () => undefined);
    socket.on("message", (data) => {
      const text = data.toString("latin1");
      if (text.startsWith(cookie)) settle(text.slice(cookie.length));
    });
    socket.send(`${cookie}${dictionary}`, port, host);
  });
