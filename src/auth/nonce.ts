import { createHmac, timingSafeEqual } from "node:crypto";
import { type Clock, seconds } from "../core/clock.ts";

/** The gateway's own key under which nonces are made; it needs to outlive no restart. */
export class NonceKey {
  readonly #key: Buffer;

  /** key: 32 random bytes. */
  constructor(key: Buffer) {
    if (key.length !== 32) throw new RangeError("a nonce key has 32 bytes");
    this.#key = Buffer.from(key);
  }

  /** HMAC-SHA-256 over a stamp of fixed length and the connection's id. */
  mac(stamp: Buffer, connectionId: string): Buffer {
    return createHmac("sha256", this.#key).update(stamp).update(connectionId).digest();
  }
}

const timeBytes = 4;
const sequenceBytes = 6;
const stampBytes = timeBytes + sequenceBytes;
/** 24 bytes are 32 characters of base64url, without padding or spare bits: a nonce has one spelling. */
const nonceBytes = 24;
const nonceText = /^[A-Za-z0-9_-]{32}$/;
const rememberedNonces = 32;

/**
 * The nonces of one connection (RFC 7616 §3.3): the time, a sequence and a MAC over both and the connection, so that
 * none is stored before it is used. connectionId: given to one connection only; lifetimeSeconds: from the issue on.
 */
export class Nonces {
  readonly #key: NonceKey;
  readonly #connectionId: string;
  readonly #clock: Clock;
  readonly #lifetimeSeconds: number;
  #issued = 0;
  /** Used nonces, sequence → highest nc. */
  readonly #used = new Map<number, number>();
  /** Highest sequence that was dropped from `used`: at or below it only what is remembered is good. */
  #forgotten = 0;

  constructor(key: NonceKey, connectionId: string, clock: Clock, lifetimeSeconds = 300) {
    this.#key = key;
    this.#connectionId = connectionId;
    this.#clock = clock;
    this.#lifetimeSeconds = lifetimeSeconds;
  }

  /** A nonce never given before, 32 characters of base64url. */
  issue(): string {
    const nonce = Buffer.alloc(nonceBytes);
    nonce.writeUInt32BE(seconds(this.#clock), 0);
    nonce.writeUIntBE(++this.#issued, timeBytes, sequenceBytes);
    this.#seal(nonce).copy(nonce, stampBytes);
    return nonce.toString("base64url");
  }

  /** stale: expired, of another connection, forged, or used so long ago that its nc is no longer known. */
  check(nonce: string): "good" | "stale" {
    return this.#sequenceOf(nonce) === undefined ? "stale" : "good";
  }

  /** Takes the count of a proved answer; false: nc did not rise, a replay (or the nonce is stale). */
  use(nonce: string, nc: number): boolean {
    const sequence = this.#sequenceOf(nonce);
    if (sequence === undefined || nc <= (this.#used.get(sequence) ?? 0)) return false;
    this.#used.set(sequence, nc);
    if (this.#used.size > rememberedNonces) this.#forgetOldest();
    return true;
  }

  /** The sequence of a good nonce. */
  #sequenceOf(text: string): number | undefined {
    if (!nonceText.test(text)) return undefined;
    const nonce = Buffer.from(text, "base64url");
    if (!timingSafeEqual(nonce.subarray(stampBytes), this.#seal(nonce))) return undefined;
    const age = seconds(this.#clock) - nonce.readUInt32BE(0);
    if (age < 0 || age > this.#lifetimeSeconds) return undefined;
    const sequence = nonce.readUIntBE(timeBytes, sequenceBytes);
    return sequence > this.#forgotten || this.#used.has(sequence) ? sequence : undefined;
  }

  #seal(nonce: Buffer): Buffer {
    const mac = this.#key.mac(nonce.subarray(0, stampBytes), this.#connectionId);
    return mac.subarray(0, nonceBytes - stampBytes);
  }

  #forgetOldest(): void {
    const oldest = Math.min(...this.#used.keys());
    this.#used.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, oldest);
  }
}
