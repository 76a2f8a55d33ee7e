import type { Command } from "commander";
import type { CallRecord } from "../core/calls.ts";
import type { FilterTexts } from "../manage/call-filter.ts";
import { configOption } from "./config-file.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { withStore } from "./with-store.ts";

type Options = FilterTexts & { readonly config: string; readonly json?: true };

export function registerCalls(program: Command): void {
  program
    .command("calls")
    .description("call records of the store, the latest first")
    .option(...configOption)
    .option("--customer <id>", "of this customer alone")
    .option("--user <user>", "of this user, or user@domain")
    .option("--number <number>", "to or from this telephone number, whole, in any spelling")
    .option("--call-id <id>", "with this Call-ID")
    .option("--since <time>", "that began then or later: ISO 8601 or Unix seconds")
    .option("--until <time>", "that began before: ISO 8601 or Unix seconds")
    .option("--after <id>", "those after this record: what is told where there are more")
    .option("--limit <count>", "at most so many, up to 500", "100")
    .option("--json", "print {calls, next}")
    .action(calls);
}

async function calls({ config, json, ...texts }: Options): Promise<void> {
  const { readFilter } = await import("../manage/call-filter.ts");
  const read = readFilter(texts);
  if (read.kind === "faults")
    return usage(read.faults.map(({ path, message }) => `--${optionOf(path)} ${message}`).join("\nerror: "));
  const { filter } = read;
  const found = await withStore({ config, make: false }, ({ calls: records }) =>
    records
      .find(filter)
      .catch((error: unknown) => failure(error instanceof Error ? error.message : "the store failed")),
  );
  const all = found ?? [];
  const next = all.length === filter.limit ? (all.at(-1)?.id ?? null) : null;
  if (json) return print({ calls: all, next });
  for (const record of all) process.stdout.write(`${lineOf(record)}\n`);
  if (next !== null) say(`there may be more: --after ${next}`);
}

const optionOf = (name: string): string => (name === "callId" ? "call-id" : name);

/** What stands in the database may have been put there by anybody: nothing of it moves a terminal's cursor. */
const lineOf = (record: CallRecord): string =>
  [
    timeOf(record.start),
    record.customer,
    whoOf(record),
    record.direction,
    otherOf(record),
    lengthOf(record),
    endOf(record),
    record.callId,
  ]
    .map((part) => String(part).replace(/[\p{Cc}\p{Cf}]/gu, "?"))
    .join("\t");

const timeOf = (at: number): string =>
  Number.isSafeInteger(at) && Math.abs(at) < 8.64e15 ? new Date(at).toISOString() : "?";

const whoOf = ({ user = "-", domain }: CallRecord): string => (domain === undefined ? user : `${user}@${domain}`);

const otherOf = ({ number, peer = "-" }: CallRecord): string => number ?? peer;

const lengthOf = ({ seconds, end }: CallRecord): string => {
  if (seconds !== undefined) return `${seconds}s`;
  return end === undefined ? "goes on" : "-";
};

/** Who ended it, and why or with what. */
const endOf = ({ endedBy, reason, status }: CallRecord): string =>
  endedBy === undefined ? "-" : `${endedBy} ${reason ?? status ?? ""}`.trim();
