import { type Command, InvalidArgumentError, Option } from "commander";
import { boundedText } from "../core/bounded-text.ts";
import { print, say } from "./outcome.ts";

interface Options {
  readonly admin: string;
  readonly live?: true;
  readonly json?: true;
}

interface Health {
  readonly ok: boolean;
  /** HTTP status; null where nobody answered. */
  readonly status: number | null;
  /** Why not, in the gateway's own words; empty where all is well. */
  readonly sentence: string;
}

/** Milliseconds, for the answer with its body. */
const deadline = 5_000;
/** Bytes of an answer. */
const longest = 65_536;

/** A container's environment names its own, so that health checks and people need not. */
export const adminOption = (): Option =>
  new Option("--admin <url>", "where it has admin.listen")
    .env("POSTERN_ADMIN")
    .argParser(httpUrl)
    .default("http://127.0.0.1:8089");

/** `postern health`: for a container's health check, and for scripts that wait until the gateway can serve. */
export function registerHealth(program: Command): void {
  program
    .command("health")
    .description("ask a running gateway how it is: exit 0 ready, 1 not ready or not there")
    .addOption(adminOption())
    .option("--live", "ask only whether it runs, not whether it can serve: what a restart depends on")
    .option("--json", "print {ok, status, sentence}")
    .action(async (options: Options) => {
      const health = await ask(new URL(options.live ? "/livez" : "/readyz", options.admin));
      if (options.json) print(health);
      else say(health.ok ? "ok" : health.sentence);
      process.exitCode = health.ok ? 0 : 1;
    });
}

async function ask(url: URL): Promise<Health> {
  try {
    const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(deadline) });
    const { ok, status } = answer;
    return { ok, status, sentence: ok ? "" : sentenceOf(status, await boundedText(answer, longest)) };
  } catch (error) {
    return { ok: false, status: null, sentence: `no answer from ${url.origin}: ${reasonOf(error)}` };
  }
}

/** The detail of a problem (RFC 9457), where it is one. */
function sentenceOf(status: number, body: string): string {
  const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  return detail === undefined ? `answered ${status}` : String(JSON.parse(`"${detail}"`));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.name === "TimeoutError") return `nothing within ${deadline / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  // Without a code: fetch itself refused, as it does some ports.
  return "code" in cause ? String(cause.code) : cause.message;
}

export function httpUrl(value: string): string {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new InvalidArgumentError("not an http:// URL");
  return value;
}
