import type { Fault } from "../config/types.ts";
import { type CallRecord, firstId } from "../core/calls.ts";
import type { Quality } from "../core/quality.ts";
import type { Piece } from "../core/quality-piece.ts";
import { qualityOf, shown } from "../quality/shown.ts";
import type { QualityFilter, QualityRecords } from "../store/quality.ts";
import { readFilter } from "./call-filter.ts";

export const qualityNames = ["customer", "callId", "bridge", "since", "until", "after", "limit"] as const;

/** What reports are asked for by, as it was typed. */
export type QualityTexts = Partial<Readonly<Record<(typeof qualityNames)[number], string>>>;

export type ReadQualityFilter =
  | { readonly kind: "filter"; readonly filter: QualityFilter }
  | { readonly kind: "faults"; readonly faults: readonly Pick<Fault, "path" | "message">[] };

const longest = 256;

/** Every fault at once. since, until: of the first report, ISO 8601 or Unix seconds. */
export function readQualityFilter({ bridge, ...texts }: QualityTexts): ReadQualityFilter {
  const read = readFilter(texts);
  const isRight = bridge === undefined || (bridge !== "" && bridge.length <= longest);
  const faults = isRight ? [] : [{ path: "bridge", message: `is empty or longer than ${longest} characters` }];
  if (read.kind === "faults") return { kind: "faults", faults: [...read.faults, ...faults] };
  if (faults.length > 0) return { kind: "faults", faults };
  const { callId: conference, ...filter } = read.filter;
  return { kind: "filter", filter: { ...filter, ...(conference && { conference }), ...(bridge && { bridge }) } };
}

export interface QualityPage {
  readonly calls: readonly Quality[];
  /** For `after`; null: there are no more. */
  readonly next: string | null;
}

/** Pieces, or calls, that the store is asked for at once: whatever was told of them, nothing else waits for long. */
const perLook = 20;
/** What was told on one page, about: an event is one, a participant as much as twenty. */
const [mostTold, ofParticipant] = [10_000, 20];

/** Rejects where the store cannot be read. A page may be shorter than was asked for. */
export async function findQuality(filter: QualityFilter, quality: QualityRecords): Promise<QualityPage> {
  const pieces: Piece[] = [];
  for (let { after } = filter; ; after = pieces.at(-1)?.id) {
    const limit = Math.min(perLook, filter.limit - pieces.length);
    const some = await quality.find({ ...filter, ...(after !== undefined && { after }), limit });
    pieces.push(...some);
    const next = some.length === limit ? (pieces.at(-1)?.id ?? null) : null;
    if (next === null || pieces.length >= filter.limit || toldOf(pieces) >= mostTold)
      return { calls: shown(pieces), next };
  }
}

const toldOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { events, participants }) => sum + events.length + ofParticipant * participants.length, 0);

const nameOf = (customer: string, call: string | undefined): string => `${customer} ${call}`;

/**
 * The same records with what is known by now of how they sounded. since: of what was told then or later, milliseconds.
 * Rejects where the store cannot be read.
 */
export async function withQuality(
  calls: readonly CallRecord[],
  quality: QualityRecords,
  since = 0,
): Promise<readonly CallRecord[]> {
  const all: CallRecord[] = [];
  while (all.length < calls.length)
    all.push(...(await someWithQuality(calls.slice(all.length, all.length + perLook), quality, since)));
  return all;
}

async function someWithQuality(
  calls: readonly CallRecord[],
  quality: QualityRecords,
  since: number,
): Promise<readonly CallRecord[]> {
  const answered = calls.filter(({ answer }) => answer !== undefined);
  const wanted = answered.map(({ customer, callId: conference }) => ({ customer, conference }));
  const each = new Map(wanted.map((one) => [nameOf(one.customer, one.conference), one]));
  if (each.size === 0) return calls;
  const told = (await quality.of([...each.values()])).filter(({ id }) => id >= firstId(since));
  const pieces = Map.groupBy(told, (one) => nameOf(one.customer, one.conference));
  return calls.map((call) => {
    const found = call.answer === undefined ? undefined : pieces.get(nameOf(call.customer, call.callId));
    const known = found && qualityOf(found, { user: call.user, domain: call.domain });
    return known ? { ...call, quality: known } : call;
  });
}
