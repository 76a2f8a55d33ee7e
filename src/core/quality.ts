import type { CandidateType } from "./reports.ts";

/** One thing that was measured again and again. */
export interface Spread {
  readonly first: number;
  readonly last: number;
  readonly worst: number;
  readonly mean: number;
}

/** What one end tells of the audio or video of one direction. */
export interface WayQuality {
  /** Of the reports that it is made of: milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly reports: number;
  /** That were sent, and of these how many were lost; absent where only fractions are known. */
  readonly packets?: number;
  readonly lost?: number;
  /** Parts of 1. mean: of all packets. */
  readonly loss?: Spread;
  /** Seconds. */
  readonly jitter?: Spread;
  readonly roundTrip?: Spread;
  /** Part of 1 of what was played that the receiver made up. */
  readonly concealed?: number;
  /** 1 to 4.5, estimated; of audio. */
  readonly mos?: Spread;
  readonly codec?: string;
}

/** What the user of a call record tells of its audio. */
export interface CallQuality {
  readonly received?: WayQuality;
  readonly sent?: WayQuality;
  /** Of the worse direction, the mean. */
  readonly mos?: number;
  readonly unproved?: true;
}

export interface ParticipantQuality {
  readonly user: string;
  readonly domain: string;
  readonly unproved?: true;
  readonly audio?: { readonly received?: WayQuality; readonly sent?: WayQuality };
  readonly video?: { readonly received?: WayQuality; readonly sent?: WayQuality };
  readonly localCandidate?: CandidateType;
  readonly remoteCandidate?: CandidateType;
  /** All that a bridge carries. */
  readonly whole?: WayQuality;
  /** Of a bridge: the last of each that it told. */
  readonly load?: number;
  readonly conferences?: number;
  readonly participants?: number;
}

export interface QualityEvent {
  readonly at: number;
  readonly user: string;
  readonly domain: string;
  readonly event: string;
  readonly unproved?: true;
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

/** All that was told of a call, or within an hour of a bridge. */
export interface Quality {
  /** Of what is kept, for `after`. */
  readonly id: string;
  readonly customer: string;
  readonly callId?: string;
  readonly bridge?: string;
  readonly from: number;
  readonly until: number;
  /** Of the worst direction, the mean; a direction that two ends tell of is its receiver's to judge. */
  readonly mos?: number;
  readonly participants: readonly ParticipantQuality[];
  readonly events: readonly QualityEvent[];
}
