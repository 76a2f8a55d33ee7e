import type { Command } from "commander";
import { type LadderEntry, renderLadder } from "../client/ladder.ts";
import { boundedText } from "../core/bounded-text.ts";
import { httpUrl } from "./health.ts";
import { failure, print } from "./outcome.ts";
import { row } from "./terminal.ts";

interface Options {
  readonly admin: string;
  readonly json?: true;
}

interface Entry extends LadderEntry {
  readonly sentence?: string;
}

interface Found {
  readonly callId: string;
  readonly entries: readonly Entry[];
}

/** Milliseconds, for the answer with its body. */
const deadline = 10_000;
/** Bytes of it: as much as a gateway remembers of all calls, twice. */
const largest = 32 * 1024 * 1024;

/** `postern ladder`: what a running gateway remembers of a call. */
export function registerLadder(program: Command): void {
  program
    .command("ladder <call-id>")
    .description("show the last messages of a Call-ID that a running gateway has seen, and what it decided on each")
    .option("--admin <url>", "where it has admin.listen", httpUrl, "http://127.0.0.1:8089")
    .option("--json", "print {callId, entries}: every message whole, credentials masked")
    .action(async (callId: string, options: Options) => {
      const found = await ask(callId, options.admin);
      if (options.json) print(found);
      else process.stdout.write(`${show(found.entries)}\n`);
    });
}

async function ask(callId: string, admin: string): Promise<Found> {
  const url = new URL(`/v1/ladder?callId=${encodeURIComponent(callId)}`, admin);
  const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(deadline) }).catch(() => undefined);
  if (!answer) return failure(`no answer from ${url.origin}: does the gateway run, and is --admin its admin.listen?`);
  if (answer.status === 404) return failure(`nothing is remembered of ${callId}: too long ago, or never here`);
  const body: unknown = await boundedText(answer, largest)
    .then(JSON.parse)
    .catch(() => undefined);
  return isFound(body) ? body : failure(`${url.origin} answered ${answer.status}: is it a gateway's admin.listen?`);
}

function isFound(body: unknown): body is Found {
  return typeof body === "object" && body !== null && "entries" in body && Array.isArray(body.entries);
}

function show(entries: readonly Entry[]): string {
  const start = entries[0]?.at ?? 0;
  const reasons = entries.flatMap(({ at, verdict, sentence }) =>
    sentence ? [`${((at - start) / 1000).toFixed(3).padStart(8)} ${row(`${verdict}: ${sentence}`)}`] : [],
  );
  return [renderLadder(entries), ...(reasons.length > 0 ? [""] : []), ...reasons].join("\n");
}
