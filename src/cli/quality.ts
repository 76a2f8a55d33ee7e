import type { Command } from "commander";
import type { ParticipantQuality, Quality, QualityEvent, Spread, WayQuality } from "../core/quality.ts";
import type { QualityPage, QualityTexts } from "../manage/quality.ts";
import { example } from "./examples.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { askFor, inPlace, isRemote, type PlaceOptions, pathOf } from "./place.ts";
import { row } from "./terminal.ts";
import { sayNoStore, withStore } from "./with-store.ts";

type QualityOptions = PlaceOptions & Omit<QualityTexts, "callId">;

export function registerQuality(program: Command): void {
  example(
    inPlace(program.command("quality").argument("[call]", "its Call-ID; without it the latest of all"))
      .description("how calls sounded, as their participants told it: loss, jitter, round trip, score, events")
      .option("--customer <id>", "of this customer alone")
      .option("--bridge <id>", "what was told of this bridge, hour by hour")
      .option("--since <time>", "first told of then or later: ISO 8601 or Unix seconds")
      .option("--until <time>", "first told of before: ISO 8601 or Unix seconds")
      .option("--after <id>", "those after this one: what is told where there are more")
      .option("--limit <count>", "at most so many, up to 500", "100")
      .option("--json", "print {calls, next}")
      .action(list),
    "quality f81d4fae-7dec@192.0.2.7",
    "quality --customer acme --since 2026-01-31 --json",
  );
}

async function list(callId: string | undefined, options: QualityOptions): Promise<void> {
  const { calls, next } = await pageOf(callId, options);
  if (callId !== undefined && calls.length === 0) return failure("nobody has told anything of this call");
  if (options.json) return print({ calls, next });
  for (const call of calls) process.stdout.write(`${linesOf(call).join("\n")}\n`);
  if (next !== null) say(`there may be more: --after ${next}`);
}

async function pageOf(callId: string | undefined, options: QualityOptions): Promise<QualityPage> {
  const { customer, bridge, since, until, after, limit } = options;
  const given = Object.entries({ customer, callId, bridge, since, until, after, limit });
  const texts: QualityTexts = Object.fromEntries(given.filter(([, text]) => text !== undefined));
  const { findQuality, readQualityFilter } = await import("../manage/quality.ts");
  const read = readQualityFilter(texts);
  if (read.kind === "faults")
    return usage(read.faults.map(({ path, message }) => `${optionOf(path)} ${message}`).join("\nerror: "));
  if (isRemote(options)) return pageAt(texts, options);
  const found = await withStore({ config: options.config, make: false }, ({ quality }) =>
    findQuality(read.filter, quality).catch((error: unknown) =>
      failure(error instanceof Error ? error.message : "the store failed"),
    ),
  );
  if (!found) sayNoStore();
  return found ?? { calls: [], next: null };
}

const optionOf = (name: string): string => (name === "callId" ? "the Call-ID" : `--${name}`);

async function pageAt({ customer, ...texts }: QualityTexts, options: QualityOptions): Promise<QualityPage> {
  const path = customer === undefined ? "/v1/quality" : pathOf(customer, "/quality");
  const { body } = await askFor({ method: "GET", path: `${path}?${new URLSearchParams(texts)}` }, options);
  const calls = Array.isArray(body.calls) ? (body.calls as Quality[]) : [];
  return { calls, next: typeof body.next === "string" ? body.next : null };
}

const heads = ["participant", "direction", "loss", "jitter", "round trip", "MOS", "codec", "path"];

/** The call, a table of its participants, and its events in the order of their times. */
function linesOf({ callId, bridge, customer, from, until, mos, participants, events }: Quality): string[] {
  const name = callId === undefined ? `bridge ${bridge}` : `call ${callId}`;
  const score = mos === undefined ? "MOS unknown" : `MOS ${mos.toFixed(2)}`;
  return [
    row(name, customer, `${timeOf(from)} to ${timeOf(until)}`, score),
    ...(participants.length > 0 ? [row(...heads), ...participants.flatMap(participantLines)] : []),
    ...events.map(eventLine),
  ];
}

function participantLines(one: ParticipantQuality): string[] {
  const path = [one.localCandidate, one.remoteCandidate].map((type) => type ?? "?").join(" to ");
  const line = (direction: string, way: WayQuality | undefined): string[] =>
    way ? [row(whoOf(one), direction, ...figures(way), one.localCandidate || one.remoteCandidate ? path : "-")] : [];
  const { load, conferences, participants } = one;
  const health = Object.entries({ load, conferences, participants }).filter(([, value]) => value !== undefined);
  return [
    ...line("received", one.audio?.received),
    ...line("sent", one.audio?.sent),
    ...line("video received", one.video?.received),
    ...line("video sent", one.video?.sent),
    ...line("whole", one.whole),
    ...(health.length > 0 ? [row(whoOf(one), ...health.map(([key, value]) => `${key} ${value}`))] : []),
  ];
}

const figures = ({ loss, jitter, roundTrip, mos, codec }: WayQuality): string[] => [
  spreadOf(loss, (value) => `${(100 * value).toFixed(1)}%`),
  spreadOf(jitter, inMilliseconds),
  spreadOf(roundTrip, inMilliseconds),
  spreadOf(mos, (value) => value.toFixed(2)),
  codec ?? "-",
];

const inMilliseconds = (seconds: number): string => `${Math.round(1000 * seconds)} ms`;

const spreadOf = (spread: Spread | undefined, text: (value: number) => string): string =>
  spread === undefined ? "-" : `${text(spread.mean)} (worst ${text(spread.worst)})`;

const eventLine = (told: QualityEvent): string =>
  row(timeOf(told.at), whoOf(told), told.event, ...(told.detail ? [JSON.stringify(told.detail)] : []));

const whoOf = ({ user, domain, unproved }: Pick<ParticipantQuality, "user" | "domain" | "unproved">): string =>
  `${user}@${domain}${unproved ? " (unproved)" : ""}`;

const timeOf = (at: unknown): string =>
  Number.isSafeInteger(at) && Math.abs(Number(at)) < 8.64e15 ? new Date(Number(at)).toISOString() : "?";
