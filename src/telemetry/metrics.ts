import { Counter, Gauge, Registry } from "prom-client";
import type { Code } from "../core/errors.ts";

/** Every metric there is. No label holds what a stranger can choose. */
export class Metrics {
  readonly registry = new Registry();
  readonly connections = this.#gauge("postern_connections", "Open WebSocket connections of clients.");
  readonly messages = this.#counter("postern_messages_total", "SIP messages relayed.", ["direction"]);
  readonly verdicts = this.#counter("postern_verdicts_total", "Verdicts on requests and connections.", ["code"]);

  /** Counts that are asked for when the metrics are read. */
  constructor({ legs }: { legs: () => number }) {
    const gauge = { name: "postern_legs", help: "Legs: upstream connections of proved identities." };
    new Gauge({
      ...gauge,
      registers: [this.registry],
      collect() {
        this.set(legs());
      },
    });
  }

  /** code: a refusal, `accepted` or `challenged`. */
  verdict(code: Code | "accepted" | "challenged"): void {
    this.verdicts.inc({ code });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
