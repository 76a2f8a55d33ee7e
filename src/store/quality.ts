import type { Piece } from "../core/quality-piece.ts";

/** What is looked for; absent: any. Times are milliseconds, of when a piece was begun. */
export interface QualityFilter {
  readonly customer?: string;
  readonly conference?: string;
  readonly bridge?: string;
  /** At or after. */
  readonly since?: number;
  /** Before. */
  readonly until?: number;
  /** The id of the last that was seen. */
  readonly after?: string;
  readonly limit: number;
}

/** A conference of one customer. */
export interface Conference {
  readonly customer: string;
  readonly conference: string;
}

/** Pieces of one answer at most, and of one conference where several are asked for. */
export const mostPieces = 500;
export const mostOfOne = 16;

/** Where reports are kept. Every method rejects with an Error whose message is a sentence where it could not be done. */
export interface QualityRecords {
  /** All of them or none. A piece of an id that is there already takes its place. */
  write(pieces: readonly Piece[]): Promise<void>;
  /** The latest first. */
  find(filter: QualityFilter): Promise<readonly Piece[]>;
  /** Of these conferences, each named once, the latest first. */
  of(conferences: readonly Conference[]): Promise<readonly Piece[]>;
  /** Pieces that were begun before a time (milliseconds), the oldest first, at most so many. How many it was. */
  forget(before: number, most: number): Promise<number>;
}
