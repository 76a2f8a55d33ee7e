import type { Participant, Piece, Stream, Sum, Way, WayName } from "../core/quality-piece.ts";
import type { ConferenceEvent, Figures, StatsReport } from "../core/reports.ts";
import { estimate } from "./mos.ts";

/** Of one piece. */
const [mostParticipants, mostEvents, mostEventBytes] = [16, 200, 32_768];
/** The part of each of them that those may have for whom nobody stands. */
const unprovedShare = 1 / 4;
/** Of one way: what was counted of a stream before these is forgotten. */
const mostStreams = 8;

/** What one report says of one direction of audio, for who counts such. */
export interface Measured {
  readonly direction: "received" | "sent";
  readonly loss?: number;
  readonly jitter?: number;
  readonly roundTrip?: number;
  readonly mos?: number;
}

export type Folded =
  | { readonly kind: "full" }
  /** bytes: that the piece has grown by, about; measured: of audio. */
  | { readonly kind: "folded"; readonly bytes: number; readonly measured?: Measured };

/** About what each takes in memory. */
const bytesOf = { piece: 400, participant: 400, way: 700, event: 300 } as const;
export const emptyBytes = bytesOf.piece;

/** Takes an event into a piece. */
export function foldEvent(piece: Piece, told: ConferenceEvent): Folded {
  const { at, user, domain, event, unproved, detail } = told;
  const entry = { at, user, domain, event, ...(unproved && { unproved }), ...(detail && { detail }) };
  const bytes = sizeOf(entry);
  const others = alike(piece.events, unproved);
  const taken = others.reduce((sum, one) => sum + sizeOf(one), bytes);
  const share = unproved ? unprovedShare : 1;
  if (others.length >= mostEvents * share || taken > mostEventBytes * share) return { kind: "full" };
  piece.events.push(entry);
  widen(piece, at);
  return { kind: "folded", bytes: bytesOf.event + bytes };
}

/** Who is proved finds room whatever others told. */
const alike = <One extends { readonly unproved?: true }>(all: readonly One[], unproved: true | undefined): One[] =>
  all.filter((one) => one.unproved === unproved);

const sizeOf = (entry: object): number => JSON.stringify(entry).length;

/** Takes a report into a piece. */
export function foldStats(piece: Piece, { user, domain, unproved, at, figures }: StatsReport): Folded {
  const others = alike(piece.participants, unproved);
  const known = others.find((one) => one.user === user && one.domain === domain);
  if (!known && others.length >= mostParticipants * (unproved ? unprovedShare : 1)) return { kind: "full" };
  const participant: Participant = known ?? { user, domain, ...(unproved && { unproved }), ways: {} };
  if (!known) piece.participants.push(participant);
  widen(piece, at);
  const of = ["localCandidate", "remoteCandidate", "load", "conferences", "participants"] as const;
  for (const name of of) if (figures[name] !== undefined) Object.assign(participant, { [name]: figures[name] });
  const { bytes, measured } = foldWay(participant, figures, at);
  return { kind: "folded", bytes: bytes + (known ? 0 : bytesOf.participant), ...(measured && { measured }) };
}

interface Grown {
  readonly bytes: number;
  readonly measured?: Measured;
}

function foldWay(participant: Participant, figures: Figures, at: number): Grown {
  const { direction, jitter, concealedSamples, totalSamples } = figures;
  const name = wayOf(figures);
  const isAudio = name === "audioReceived" || name === "audioSent";
  const known = participant.ways[name];
  const way: Way = known ?? { from: at, until: at, reports: 0, streams: [] };
  participant.ways[name] = way;
  widen(way, at);
  way.reports++;
  if (figures.codec !== undefined) way.codec = figures.codec;
  if (concealedSamples !== undefined && totalSamples) way.concealed = Math.min(1, concealedSamples / totalSamples);
  const loss = lossOf(way, figures);
  const roundTrip = figures.roundTripTime;
  const roundTripTime = roundTrip ?? lastRoundTrip(participant);
  const heard = { roundTripTime, jitter, bufferDelay: figures.bufferDelay, codec: way.codec };
  const mos = loss === undefined || !isAudio ? undefined : estimate({ loss, ...heard });
  Object.assign(way, sums(way, { loss, jitter, roundTrip, mos }));
  const bytes = known ? 0 : bytesOf.way;
  if (!isAudio || !direction) return { bytes };
  return { bytes, measured: { direction, ...given({ loss, jitter, roundTrip, mos }) } };
}

/** Without a direction it is of no stream: a bridge's. */
function wayOf({ direction, kind = "audio" }: Figures): WayName {
  if (direction === undefined) return "whole";
  return `${kind}${direction === "received" ? "Received" : "Sent"}`;
}

type Values = Partial<Record<"loss" | "jitter" | "roundTrip" | "mos", number | undefined>>;

const given = (values: Values): Omit<Measured, "direction"> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

const sums = (way: Way, values: Values): Partial<Way> =>
  Object.fromEntries(
    Object.entries(given(values)).map(([name, value]) => [name, added(way[name as keyof Values], value, name)]),
  );

/** Of MOS the lowest is the worst, of all else the highest. */
function added(sum: Sum | undefined, value: number, name: string): Sum {
  if (!sum) return { first: value, last: value, worst: value, total: value, count: 1 };
  const worst = worse(name)(sum.worst, value);
  return { first: sum.first, last: value, worst, total: sum.total + value, count: sum.count + 1 };
}

export const worse =
  (name: string) =>
  (one: number, other: number): number =>
    name === "mos" ? Math.min(one, other) : Math.max(one, other);

/** Of the packets since the report before; undefined where there were none, or nobody knows. */
function lossOf(way: Way, { direction, ssrc = 0, ...figures }: Figures): number | undefined {
  const { packetsReceived, packetsSent, packetsLost, fractionLost } = figures;
  const sent = direction === "sent" ? packetsSent : packetsReceived;
  if (sent === undefined || packetsLost === undefined) return fractionLost;
  const packets = direction === "sent" ? sent : sent + packetsLost;
  const before = streamOf(way, ssrc);
  // A report that was overtaken by a later one.
  if (packets <= before.packets) return undefined;
  const loss = (packetsLost - before.lost) / (packets - before.packets);
  Object.assign(before, { packets, lost: Math.min(packetsLost, packets) });
  return Math.min(1, Math.max(0, loss));
}

function streamOf(way: Way, ssrc: number): Stream {
  const known = way.streams.find((one) => one.ssrc === ssrc);
  if (known) return known;
  const stream = { ssrc, packets: 0, lost: 0 };
  way.streams.push(stream);
  if (way.streams.length > mostStreams) way.streams.shift();
  return stream;
}

/** What is known of it from the other direction. */
const lastRoundTrip = ({ ways }: Participant): number | undefined =>
  Object.values(ways).findLast(({ roundTrip }) => roundTrip)?.roundTrip?.last;

function widen(what: { from: number; until: number }, at: number): void {
  what.from = Math.min(what.from, at);
  what.until = Math.max(what.until, at);
}
