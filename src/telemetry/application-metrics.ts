import { Counter, Histogram, type Registry } from "prom-client";

/** What became of a request to a customer's application. */
export type ApplicationOutcome = "granted" | "denied" | "unfit" | "unavailable" | "paused" | "crowded";

/** Seconds. own: of the whole, beside the service. */
export interface ApplicationTimes {
  readonly service: number;
  readonly own: number;
}

const outcomes: readonly ApplicationOutcome[] = ["granted", "denied", "unfit", "unavailable", "paused", "crowded"];

/** Applications that are asked what a visitor may do. */
export class ApplicationMetrics {
  readonly #requests: Counter;
  readonly #service: Histogram;
  readonly #own: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: "postern_application_requests_total",
      help: "What became of requests to customers' applications.",
      labelNames: ["outcome"],
      registers,
    });
    for (const outcome of outcomes) this.#requests.inc({ outcome }, 0);
    this.#service = new Histogram({
      name: "postern_application_duration_seconds",
      help: "Time that an application took to answer.",
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    });
    this.#own = new Histogram({
      name: "postern_data_token_own_seconds",
      help: "Time that a data token took beside its application's.",
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5],
      registers,
    });
  }

  /** times: where the application was asked. */
  note(outcome: ApplicationOutcome, times?: ApplicationTimes): void {
    this.#requests.inc({ outcome });
    if (!times) return;
    this.#service.observe(times.service);
    this.#own.observe(times.own);
  }
}
