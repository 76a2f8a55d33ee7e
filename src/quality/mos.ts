/**
 * How a conversation sounds, estimated: the E-model of ITU-T G.107 (06/2015) with all that is not of IP at its defaults,
 * echo cancelled and no advantage granted, which leaves R = 93.2 − Id − Ie,eff.
 */

export interface Heard {
  /** Part of 1 of the packets that did not arrive. */
  readonly loss: number;
  /** Seconds; absent: not known, and taken for none. */
  readonly roundTripTime?: number | undefined;
  readonly jitter?: number | undefined;
  /** Seconds that packets wait to be played; absent: taken for twice the jitter. */
  readonly bufferDelay?: number | undefined;
  /** As in SDP. */
  readonly codec?: string | undefined;
}

interface CodecFactors {
  /** Equipment impairment, and robustness against loss, in per cent. */
  readonly ie: number;
  readonly bpl: number;
  /** Milliseconds of a frame and of what is looked ahead. */
  readonly delay: number;
}

/** ITU-T G.113 (11/2007) Appendix I: G.711 with concealment. */
const g711: CodecFactors = { ie: 0, bpl: 25.1, delay: 20 };

/** G.113 has no values for Opus: with its concealment it is taken to be no worse than G.711 with its own. */
const factors: ReadonlyMap<string, CodecFactors> = new Map([
  ["OPUS", { ...g711, delay: 26.5 }],
  ["PCMU", g711],
  ["PCMA", g711],
  // G.113 Appendix I: G.729A.
  ["G729", { ie: 11, bpl: 19, delay: 25 }],
]);

/** With random loss (BurstR 1). */
const undisturbed = 93.2;

/** The transmission rating, 0 to 93.2. */
export function ratingOf({ loss, roundTripTime = 0, jitter = 0, bufferDelay = 2 * jitter, codec = "" }: Heard): number {
  const { ie, bpl, delay } = factors.get(codec.toUpperCase()) ?? g711;
  const percent = 100 * Math.min(1, Math.max(0, loss));
  const equipment = ie + (95 - ie) * (percent / (percent + bpl));
  const oneWay = 1000 * (roundTripTime / 2 + bufferDelay) + delay;
  return Math.max(0, undisturbed - delayImpairment(oneWay) - equipment);
}

/** Idd of G.107, clause 7.4: of an absolute one-way delay in milliseconds. */
export function delayImpairment(milliseconds: number): number {
  if (milliseconds <= 100) return 0;
  const x = Math.log2(milliseconds / 100);
  const root = (of: number): number => (1 + of ** 6) ** (1 / 6);
  return 25 * (root(x) - 3 * root(x / 3) + 2);
}

/** G.107 Annex B: the mean opinion score, 1 to 4.5, of a rating. */
export function mosOf(rating: number): number {
  if (rating <= 0) return 1;
  if (rating >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6);
}

export const estimate = (heard: Heard): number => mosOf(ratingOf(heard));
