import { randomInt } from "node:crypto";
import type { Clock } from "../core/clock.ts";

const lowest = 1024;
const highest = 65_535;
const sweepEvery = 1024;

/**
 * The addresses that legs announce to Kamailio. Kamailio sends a call to whoever announces the address a binding was
 * made under, so a port is not given again while a leg, or a binding that may outlive it, has it.
 */
export class Announcements {
  readonly #clock: Clock;
  /** Address → port → milliseconds until when it is taken. */
  readonly #taken = new Map<string, Map<number, number>>();
  /** Anywhere: gateways that begin at the same place would take the same ports. */
  #cursor = randomInt(lowest, highest);
  #operations = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A port for this address, the real one (0: there is none) where it is free; undefined where none is. */
  take(address: string, real: number): number | undefined {
    this.#sweepSometimes();
    const ports = this.#taken.get(address) ?? new Map<number, number>();
    this.#taken.set(address, ports);
    const port = real > 0 && this.#isFree(ports, real) ? real : this.#nextFree(ports);
    if (port !== undefined) ports.set(port, Number.POSITIVE_INFINITY);
    return port;
  }

  /** The leg is over; its port stays taken until then (milliseconds), for a binding may still name it. */
  release(address: string, port: number, until: number): void {
    this.#taken.get(address)?.set(port, until);
  }

  #nextFree(ports: ReadonlyMap<number, number>): number | undefined {
    for (let tried = lowest; tried <= highest; tried++) {
      this.#cursor = this.#cursor >= highest ? lowest : this.#cursor + 1;
      if (this.#isFree(ports, this.#cursor)) return this.#cursor;
    }
    return undefined;
  }

  #isFree(ports: ReadonlyMap<number, number>, port: number): boolean {
    return (ports.get(port) ?? 0) <= this.#clock.now();
  }

  #sweepSometimes(): void {
    if (++this.#operations % sweepEvery !== 0) return;
    const now = this.#clock.now();
    for (const [address, ports] of this.#taken) {
      for (const [port, until] of ports) if (until <= now) ports.delete(port);
      if (ports.size === 0) this.#taken.delete(address);
    }
  }
}
