import type { CallQuality, ParticipantQuality, Quality, Spread, WayQuality } from "../core/quality.ts";
import type { Participant, Piece, Stream, Sum, Way } from "../core/quality-piece.ts";
import { worse } from "./fold.ts";

/** What pieces say, the parts of one call put together, in the order of the first piece of each. */
export function shown(pieces: readonly Piece[]): Quality[] {
  const byCall = Map.groupBy(pieces, ({ id, customer, conference }) =>
    conference === undefined ? id : `${customer} ${conference}`,
  );
  return [...byCall.values()].map((some) => together(some.toSorted((one, other) => (one.id < other.id ? -1 : 1))));
}

/** What the user of a call tells of it. Undefined where that is nothing. */
export function qualityOf(
  pieces: readonly Piece[],
  { user, domain }: Readonly<Record<"user" | "domain", string | undefined>>,
): CallQuality | undefined {
  const own = pieces.flatMap((piece) => piece.participants).filter((one) => one.user === user && one.domain === domain);
  const proved = own.filter(({ unproved }) => !unproved);
  const [one] = participantsOf(proved.length > 0 ? proved : own);
  if (!one?.audio) return undefined;
  const { audio, unproved } = one;
  const mos = lowest([audio.received?.mos?.mean, audio.sent?.mos?.mean]);
  return { ...audio, ...(mos !== undefined && { mos }), ...(unproved && { unproved }) };
}

/** Of one call, the oldest first. */
function together(pieces: readonly Piece[]): Quality {
  const [{ id, customer, conference, bridge }] = pieces as [Piece];
  const participants = participantsOf(pieces.flatMap((piece) => piece.participants));
  const mos = callMos(participants);
  return {
    id,
    customer,
    ...(conference !== undefined && { callId: conference }),
    ...(bridge !== undefined && { bridge }),
    from: Math.min(...pieces.map(({ from }) => from)),
    until: Math.max(...pieces.map(({ until }) => until)),
    ...(mos !== undefined && { mos }),
    participants,
    events: pieces.flatMap(({ events }) => events).toSorted((one, other) => one.at - other.at),
  };
}

/**
 * Where two ends tell, what one sends is what the other receives: each direction counts once. What nobody stands for
 * counts where nobody else tells.
 */
function callMos(all: readonly ParticipantQuality[]): number | undefined {
  const proved = all.filter(({ unproved }) => !unproved);
  const some = (proved.length > 0 ? proved : all).filter(({ audio }) => audio);
  const isHeard = (by: ParticipantQuality): boolean => some.some((one) => one !== by && one.audio?.received);
  const sent = some.filter((one) => !isHeard(one)).map(({ audio }) => audio?.sent?.mos?.mean);
  return lowest([...some.map(({ audio }) => audio?.received?.mos?.mean), ...sent]);
}

const lowest = (values: readonly (number | undefined)[]): number | undefined => {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
};

function participantsOf(all: readonly Participant[]): ParticipantQuality[] {
  const each = Map.groupBy(all, ({ user, domain, unproved }) => `${user}@${domain} ${unproved ?? ""}`);
  return [...each.values()].map((parts) => {
    const { ways: _, ...last } = parts.at(-1)!;
    const way = (name: keyof Participant["ways"]) => joined(parts.flatMap(({ ways }) => ways[name] ?? []));
    const [audio, video] = [both(way("audioReceived"), way("audioSent")), both(way("videoReceived"), way("videoSent"))];
    const whole = way("whole");
    return { ...last, ...(audio && { audio }), ...(video && { video }), ...(whole && { whole }) };
  });
}

const both = (received: WayQuality | undefined, sent: WayQuality | undefined) =>
  received || sent ? { ...(received && { received }), ...(sent && { sent }) } : undefined;

/** One way of what several pieces tell of it; none of what has no figures, as a bridge's health. */
function joined(ways: readonly Way[]): WayQuality | undefined {
  const last = ways.at(-1);
  if (!last) return undefined;
  const [packets, lost] = totals(ways.flatMap(({ streams }) => streams));
  const [loss, jitter, roundTrip, mos] = (["loss", "jitter", "roundTrip", "mos"] as const).map((name) =>
    spread(name, ways),
  );
  if (packets === 0 && !loss && !jitter && !roundTrip) return undefined;
  return {
    from: Math.min(...ways.map(({ from }) => from)),
    until: Math.max(...ways.map(({ until }) => until)),
    reports: ways.reduce((sum, { reports }) => sum + reports, 0),
    ...(packets > 0 && { packets, lost }),
    ...(loss && { loss: packets > 0 ? { ...loss, mean: rounded(lost / packets) } : loss }),
    ...(jitter && { jitter }),
    ...(roundTrip && { roundTrip }),
    ...(last.concealed !== undefined && { concealed: rounded(last.concealed) }),
    ...(mos && { mos }),
    ...(last.codec !== undefined && { codec: last.codec }),
  };
}

/** Counters go on from piece to piece: of each stream the highest. */
function totals(streams: readonly Stream[]): readonly [packets: number, lost: number] {
  const highest = new Map<number, Stream>();
  for (const stream of streams) {
    if (stream.packets >= (highest.get(stream.ssrc)?.packets ?? 0)) highest.set(stream.ssrc, stream);
  }
  const all = [...highest.values()];
  return [all.reduce((sum, { packets }) => sum + packets, 0), all.reduce((sum, { lost }) => sum + lost, 0)];
}

function spread(name: "loss" | "jitter" | "roundTrip" | "mos", ways: readonly Way[]): Spread | undefined {
  const sums = ways.flatMap((way) => way[name] ?? []);
  const [first, last] = [sums[0], sums.at(-1)];
  if (!first || !last) return undefined;
  const of = (pick: (sum: Sum) => number): number => sums.reduce((total, sum) => total + pick(sum), 0);
  const values = {
    first: first.first,
    last: last.last,
    worst: sums.map(({ worst }) => worst).reduce(worse(name)),
    mean: of(({ total }) => total) / of(({ count }) => count),
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, rounded(value)])) as unknown as Spread;
}

/** To a hundred-thousandth, as no measurement is finer. */
const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
