import { newId } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { Piece } from "../core/quality-piece.ts";
import { emptyBytes } from "../quality/fold.ts";

/** Exactly one of conference and bridge is there. */
export interface Subject {
  readonly customer: string;
  readonly conference?: string | undefined;
  readonly bridge?: string | undefined;
  readonly unproved?: true;
}

/** A piece that reports still come for, maybe. */
export interface Heard {
  readonly piece: Piece;
  readonly key: string;
  /** About. */
  bytes: number;
  /** Milliseconds of the last report. */
  touched: number;
  state: "fresh" | "underWay" | "written";
}

/**
 * Bytes of all pieces, about; which part of them may be one customer's, and how much of that may be taken where who
 * tells is not proved.
 */
const most = 33_554_432;
const share = 1 / 2;
/** Milliseconds without a report after which a piece that is written is not kept here any more; between two looks. */
const [idle, lookEvery] = [600_000, 1_000];
/** Milliseconds of one piece of a conference, and of a bridge, which has no end. */
const [day, hour] = [86_400_000, 3_600_000];

/** What was heard lately, the one that was silent for the longest first. */
export class HeardLately {
  readonly #clock: Clock;
  readonly #all = new Map<string, Heard>();
  readonly #ofCustomer = new Map<string, number>();
  #bytes = 0;
  #lookedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Undefined where there is no room for more of this customer. */
  open(subject: Subject): Heard | undefined {
    const now = this.#clock.now();
    this.#forgetIdle(now);
    const key = keyOf(subject, now);
    const known = this.#all.get(key);
    const taken = this.#ofCustomer.get(subject.customer) ?? 0;
    if (taken >= this.#mostOfEach * (subject.unproved ? share : 1)) return undefined;
    const heard = known ?? this.#begun(subject, key, now);
    this.#all.delete(key);
    this.#all.set(key, heard);
    heard.touched = now;
    return heard;
  }

  grow(heard: Heard, bytes: number): void {
    heard.bytes += bytes;
    this.#count(heard.piece.customer, bytes);
  }

  /** What is heard of a conference today, and was yesterday. */
  of(subject: Subject): Piece[] {
    const now = this.#clock.now();
    return [now - day, now].flatMap((at) => this.#all.get(keyOf(subject, at))?.piece ?? []);
  }

  /** Where it is full there is as much again for customers that have less than a share. */
  get #mostOfEach(): number {
    if (this.#bytes < most) return most * share;
    return this.#bytes < 2 * most ? most / (this.#ofCustomer.size + 1) : 0;
  }

  #begun({ customer, conference, bridge }: Subject, key: string, now: number): Heard {
    const name = conference === undefined ? { bridge: bridge! } : { conference };
    const piece = { id: newId(now), customer, ...name, from: now, until: now, participants: [], events: [] };
    this.#count(customer, emptyBytes);
    return { piece, key, bytes: emptyBytes, touched: now, state: "fresh" };
  }

  #forgetIdle(now: number): void {
    if (now - this.#lookedAt < lookEvery) return;
    this.#lookedAt = now;
    for (const [key, heard] of this.#all) {
      if (now - heard.touched < idle) return;
      if (heard.state !== "written") continue;
      this.#all.delete(key);
      this.#count(heard.piece.customer, -heard.bytes);
    }
  }

  #count(customer: string, bytes: number): void {
    this.#bytes += bytes;
    const now = (this.#ofCustomer.get(customer) ?? 0) + bytes;
    if (now > 0) this.#ofCustomer.set(customer, now);
    else this.#ofCustomer.delete(customer);
  }
}

function keyOf({ customer, conference, bridge }: Subject, at: number): string {
  if (conference !== undefined) return `${customer} c ${Math.floor(at / day)} ${conference}`;
  return `${customer} b ${Math.floor(at / hour)} ${bridge}`;
}
