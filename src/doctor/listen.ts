import { once } from "node:events";
import { createServer } from "node:net";
import type { Config } from "../config.ts";
import { boundedText } from "../core/bounded-text.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Milliseconds; readiness itself waits for Kamailio, up to five seconds for each url. */
const patience = 15_000;
/** Bytes of what answers there. */
const largest = 65_536;

/** Both ports: free to be taken, or taken by the gateway that answers on admin.listen. */
export async function checkListen({ gateway, admin }: Pick<Config, "gateway" | "admin">): Promise<Finding[]> {
  const running = await readiness(admin.listen);
  const ports = [portOf("gateway.listen", gateway.listen), portOf("admin.listen", admin.listen)];
  return Promise.all([...ports.map((port) => checkPort(port, running)), ...(running ? [readyFinding(running)] : [])]);
}

interface Port {
  readonly check: string;
  readonly host: string;
  readonly port: number;
}

function portOf(check: string, listen: string): Port {
  const { protocol, hostname, port } = new URL(listen);
  const usual = protocol === "wss:" ? 443 : 80;
  return { check, host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? usual : Number(port) };
}

/** What a running gateway says of itself; undefined where none answers. */
interface Readiness {
  readonly status: number;
  readonly detail: string;
}

async function readiness(admin: string): Promise<Readiness | undefined> {
  if (new URL(admin).port === "0") return undefined;
  const live = await ask(`${admin}/livez`);
  if (live?.status !== 200 || live.body.status !== "ok") return undefined;
  const ready = await ask(`${admin}/readyz`);
  return ready && { status: ready.status, detail: String(ready.body.detail ?? "").slice(0, 500) };
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Undefined where nobody answers, or somebody who is no gateway. */
async function ask(url: string): Promise<Answer | undefined> {
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(patience) });
    const body: unknown = JSON.parse(await boundedText(response, largest));
    return { status: response.status, body: typeof body === "object" && body !== null ? { ...body } : {} };
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function readyFinding({ status, detail }: Readiness): Finding {
  const check = "running gateway";
  if (status === 200) return ok(check, "answers on admin.listen and is ready");
  return warn(
    check,
    `answers on admin.listen and is not ready: ${detail}`,
    "see upstream below, or wait for its drain",
  );
}

const reasons: Readonly<Record<string, readonly [found: string, advice: string]>> = {
  EADDRINUSE: ["another program listens there", "end that program, or take another port"],
  EADDRNOTAVAIL: ["this machine has no such address", "write one that it has, or 0.0.0.0"],
  EACCES: ["this user may not listen there", "take a port from 1024 on, or give the unit CAP_NET_BIND_SERVICE"],
  ENOTFOUND: ["the name is not known", "write an address"],
};

async function checkPort({ check, host, port }: Port, running: Readiness | undefined): Promise<Finding> {
  if (port === 0) return ok(check, "is any free port, printed at start");
  const code = await bindCode(host, port);
  if (code === undefined) return ok(check, `port ${port} is free`);
  if (code === "EADDRINUSE" && running) return ok(check, `port ${port} is taken, and a gateway runs`);
  const [found, advice] = reasons[code] ?? [`cannot be listened on (${code})`, "look at the address"];
  return fail(check, `port ${port}: ${found}`, advice);
}

/** Takes the port for a moment: the error's code where it cannot be had. */
async function bindCode(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}
