import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { type Clock, seconds } from "../core/clock.ts";
import { sameText } from "./ephemeral.ts";

/** The gateway's own key under which nonces are made; it needs to outlive no restart. */
export class NonceKey {
  /** A KeyObject: createHmac takes six times as long with a Buffer. */
  readonly #key: KeyObject;

  /** key: 32 random bytes. */
  constructor(key: Buffer) {
    if (key.length !== 32) throw new RangeError("a nonce key has 32 bytes");
    this.#key = createSecretKey(key);
  }

  /** 144 bits of HMAC-SHA-256 over a stamp of fixed length and the connection's id, 24 characters of base64url. */
  seal(stamp: string, connectionId: string): string {
    return createHmac("sha256", this.#key).update(`${stamp}${connectionId}`).digest("base64url").slice(0, 24);
  }
}

/** Unix seconds and sequence in hex, then the seal. */
const grammar = /^([0-9a-f]{8}([0-9a-f]{12}))([A-Za-z0-9_-]{24})$/;
const rememberedNonces = 32;
/**
 * Seconds, enough for an answer. SIP.js sends its last answer again, nc and all, with every refresh of a registration:
 * a nonce that is stale by then has it ask for another, where a fresh one would be a replay.
 */
const defaultLifetime = 10;

/**
 * The nonces of one connection (RFC 7616 §3.3): the time, a sequence and a seal over both and the connection, so that
 * none is stored before it is used. connectionId: given to one connection only; lifetimeSeconds: from the issue on.
 */
export class Nonces {
  readonly #key: NonceKey;
  readonly #connectionId: string;
  readonly #clock: Clock;
  readonly #lifetimeSeconds: number;
  #issued = 0;
  /** The nonce whose seal was found right last: check and use ask for the same one, one after the other. */
  #sealed = "";
  #sealedSequence = 0;
  /** Used nonces: sequence → highest nc. */
  readonly #used = new Map<number, number>();
  /** Highest sequence dropped from `used`: at or below it only what is remembered is good. */
  #forgotten = 0;

  constructor(key: NonceKey, connectionId: string, clock: Clock, lifetimeSeconds = defaultLifetime) {
    this.#key = key;
    this.#connectionId = connectionId;
    this.#clock = clock;
    this.#lifetimeSeconds = lifetimeSeconds;
  }

  /** A nonce never given before, 44 characters of base64url. */
  issue(): string {
    this.#issued++;
    const stamp = hex(seconds(this.#clock), 8) + hex(this.#issued, 12);
    return stamp + this.#key.seal(stamp, this.#connectionId);
  }

  /** stale: expired, of another connection, forged, or used so long ago that its nc is no longer known. */
  check(nonce: string): "good" | "stale" {
    if (this.#sequenceOf(nonce) === undefined) return "stale";
    const age = seconds(this.#clock) - Number.parseInt(nonce.slice(0, 8), 16);
    return age >= 0 && age <= this.#lifetimeSeconds ? "good" : "stale";
  }

  /**
   * Takes the count of a proved answer whose nonce was checked; false: nc did not rise, a replay. It does not look at
   * the time again, for a second that ends between check and use must not turn an answer into a replay.
   */
  use(nonce: string, nc: number): boolean {
    const sequence = this.#sequenceOf(nonce);
    if (sequence === undefined || !(nc > (this.#used.get(sequence) ?? 0))) return false;
    this.#used.set(sequence, nc);
    if (this.#used.size > rememberedNonces) this.#forgetOldest();
    return true;
  }

  /** The sequence of a nonce that is this connection's own and not forgotten. */
  #sequenceOf(nonce: string): number | undefined {
    const sequence = nonce === this.#sealed ? this.#sealedSequence : this.#unseal(nonce);
    if (sequence === undefined) return undefined;
    return sequence > this.#forgotten || this.#used.has(sequence) ? sequence : undefined;
  }

  #unseal(nonce: string): number | undefined {
    const parts = grammar.exec(nonce);
    if (parts === null) return undefined;
    const [, stamp = "", counted = "", seal = ""] = parts;
    if (!sameText(seal, this.#key.seal(stamp, this.#connectionId))) return undefined;
    this.#sealed = nonce;
    this.#sealedSequence = Number.parseInt(counted, 16);
    return this.#sealedSequence;
  }

  #forgetOldest(): void {
    const oldest = Math.min(...this.#used.keys());
    this.#used.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, oldest);
  }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
