import type { Command } from "commander";
import type { CallRecord } from "../core/calls.ts";
import type { FilterTexts } from "../manage/call-filter.ts";
import { csvRow } from "./csv-row.ts";
import { example } from "./examples.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { askFor, inPlace, isRemote, type PlaceOptions, pathOf } from "./place.ts";
import { pageOf } from "./sessions.ts";
import { row } from "./terminal.ts";
import { sayNoStore, withStore } from "./with-store.ts";

type CallsOptions = PlaceOptions & FilterTexts & { readonly live?: true; readonly csv?: true };

export function registerCalls(program: Command): void {
  example(
    inPlace(program.command("calls"))
      .description("call records, the latest first; with --live what rings or stands now at a running gateway")
      .option("--live", "calls of now; beside it go --customer, --after and --limit alone")
      .option("--customer <id>", "of this customer alone")
      .option("--user <user>", "of this user, or user@domain")
      .option("--number <number>", "to or from this telephone number, whole, in any spelling")
      .option("--call-id <id>", "with this Call-ID")
      .option("--since <time>", "that began then or later: ISO 8601 or Unix seconds")
      .option("--until <time>", "that began before: ISO 8601 or Unix seconds")
      .option("--after <id>", "those after this record: what is told where there are more")
      .option("--limit <count>", "at most so many, up to 500", "100")
      .option("--csv", "as a table; what a spreadsheet would take for a formula begins with '")
      .option("--json", "print {calls, next}")
      .action(list),
    "calls --customer globex --since 2026-01-31",
    "calls --number '+49 30 12345' --csv",
    "calls --live",
  );
}

interface Page {
  readonly entries: readonly CallRecord[];
  readonly next: string | null;
}

async function list(options: CallsOptions): Promise<void> {
  const { json, csv, live } = options;
  if (json && csv) return usage("give --json or --csv, one of them");
  const { entries: calls, next } = live ? await liveOf(options) : await recordsOf(options);
  if (json) return print({ calls, next });
  if (csv) process.stdout.write(csvRow(columns));
  for (const call of calls) {
    process.stdout.write(csv ? csvRow(columns.map((name) => cellOf(name, call))) : `${lineOf(call)}\n`);
  }
  if (next !== null) say(`there may be more: --after ${next}`);
}

function liveOf(options: CallsOptions): Promise<Page> {
  const { user, number, callId, since, until, limit } = options;
  const strange = [user, number, callId, since, until].some((one) => one !== undefined);
  if (strange) return usage("--live goes with --customer, --after and --limit alone");
  return pageOf<CallRecord>("live-calls", "calls", { ...options, limit: Number(limit) || 100 });
}

async function recordsOf(options: CallsOptions): Promise<Page> {
  const { customer, user, number, callId, since, until, after, limit } = options;
  const given = Object.entries({ customer, user, number, callId, since, until, after, limit });
  const texts: FilterTexts = Object.fromEntries(given.filter(([, text]) => text !== undefined));
  const { readFilter } = await import("../manage/call-filter.ts");
  const read = readFilter(texts);
  if (read.kind === "faults")
    return usage(read.faults.map(({ path, message }) => `--${optionOf(path)} ${message}`).join("\nerror: "));
  if (isRemote(options)) return recordsAt(texts, options);
  const { withQuality } = await import("../manage/quality.ts");
  const found = await withStore({ config: options.config, make: false }, ({ calls, quality }) =>
    calls
      .find(read.filter)
      .then((records) => withQuality(records, quality))
      .catch((error: unknown) => failure(error instanceof Error ? error.message : "the store failed")),
  );
  if (!found) sayNoStore();
  const entries = found ?? [];
  return { entries, next: entries.length === read.filter.limit ? (entries.at(-1)?.id ?? null) : null };
}

const optionOf = (name: string): string => (name === "callId" ? "call-id" : name);

async function recordsAt({ customer, ...texts }: FilterTexts, options: CallsOptions): Promise<Page> {
  const path = customer === undefined ? "/v1/calls" : pathOf(customer, "/calls");
  const { body } = await askFor({ method: "GET", path: `${path}?${new URLSearchParams(texts)}` }, options);
  const entries = Array.isArray(body.calls) ? (body.calls as CallRecord[]) : [];
  return { entries, next: typeof body.next === "string" ? body.next : null };
}

const columns = [
  ...["id", "start", "answer", "end", "seconds", "customer", "user", "domain", "direction", "number", "peer"],
  ...["trunk", "provedBy", "endedBy", "reason", "status", "callId", "mos"],
] as const;

const times = ["start", "answer", "end"];

function cellOf(name: string, call: CallRecord): string {
  if (name === "mos") return String(call.quality?.mos ?? "");
  const value = (call as unknown as Readonly<Record<string, unknown>>)[name];
  if (value === undefined) return "";
  return times.includes(name) ? timeOf(value) : String(value);
}

const lineOf = (call: CallRecord): string =>
  row(
    timeOf(call.start),
    call.customer,
    whoOf(call),
    call.direction,
    call.number ?? call.peer ?? "-",
    lengthOf(call),
    endOf(call),
    call.callId,
    call.id,
  );

const timeOf = (at: unknown): string =>
  Number.isSafeInteger(at) && Math.abs(Number(at)) < 8.64e15 ? new Date(Number(at)).toISOString() : "?";

const whoOf = ({ user = "-", domain }: CallRecord): string => (domain === undefined ? user : `${user}@${domain}`);

const lengthOf = ({ seconds, end }: CallRecord): string => {
  if (seconds !== undefined) return `${seconds}s`;
  return end === undefined ? "goes on" : "-";
};

/** Who ended it, and why or with what. */
const endOf = ({ endedBy, reason, status }: CallRecord): string =>
  endedBy === undefined ? "-" : `${endedBy} ${reason ?? status ?? ""}`.trim();
