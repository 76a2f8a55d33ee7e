import type { QualityEvent } from "./quality.ts";
import type { CandidateType } from "./reports.ts";

/** What is kept of one thing that is measured again and again: two of them can be put together. */
export interface Sum {
  first: number;
  last: number;
  worst: number;
  total: number;
  count: number;
}

/** The counters of one RTP stream as they were told last. */
export interface Stream {
  readonly ssrc: number;
  packets: number;
  lost: number;
}

/** One direction of one kind of media, or all that a bridge carries, as one participant tells of it. */
export interface Way {
  from: number;
  until: number;
  reports: number;
  streams: Stream[];
  loss?: Sum;
  jitter?: Sum;
  roundTrip?: Sum;
  mos?: Sum;
  concealed?: number;
  codec?: string;
}

export type WayName = "audioReceived" | "audioSent" | "videoReceived" | "videoSent" | "whole";

export interface Participant {
  readonly user: string;
  readonly domain: string;
  readonly unproved?: true;
  readonly ways: Partial<Record<WayName, Way>>;
  localCandidate?: CandidateType;
  remoteCandidate?: CandidateType;
  load?: number;
  conferences?: number;
  participants?: number;
}

/**
 * What one gateway heard of one conference or bridge, put together as it came: of a size that does not grow with the
 * reports. Exactly one of conference and bridge is there.
 */
export interface Piece {
  /** UUIDv7 of when it was begun. */
  readonly id: string;
  readonly customer: string;
  readonly conference?: string;
  readonly bridge?: string;
  from: number;
  until: number;
  readonly participants: Participant[];
  readonly events: QualityEvent[];
}
