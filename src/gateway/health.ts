import type { Log } from "../telemetry/log.ts";
import { type ProbeParts, ping } from "./probe.ts";

export interface HealthOptions extends ProbeParts {
  readonly log: Log;
  /** A url that was up is down: legs on it had better go elsewhere. */
  readonly lost: (url: string) => void;
  readonly everyMs?: number;
}

const defaultEveryMs = 5_000;

/**
 * Watches upstream urls where there are several, each by a leg of nobody's and OPTIONS. One url alone is not watched:
 * there is no choice to make.
 */
export class Health {
  readonly #options: HealthOptions;
  /** Whether each url answered last time; unknown until the first answer. */
  readonly #up = new Map<string, boolean>();
  /** Failures in a row. */
  readonly #failures = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** The urls in the order to try them: as configured, but those known to be down last. */
  order(urls: readonly string[]): string[] {
    const isDown = (url: string): boolean => this.#up.get(url) === false;
    return [...urls.filter((url) => !isDown(url)), ...urls.filter(isDown)];
  }

  /** url → up, as far as it is known. */
  get states(): ReadonlyMap<string, boolean> {
    return this.#up;
  }

  /** Whether a leg was taken, where only one url is left to legs to find out about. */
  note(url: string, up: boolean): void {
    this.#up.set(url, up);
  }

  async #round(): Promise<void> {
    const { urls } = this.#options.upstream();
    for (const known of [this.#up, this.#failures]) {
      for (const url of known.keys()) if (!urls.includes(url)) known.delete(url);
    }
    if (urls.length > 1) await Promise.all(urls.map((url) => this.#check(url)));
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#round(), this.#options.everyMs ?? defaultEveryMs);
    this.#timer.unref();
  }

  async #check(url: string): Promise<void> {
    const reason = await ping(this.#options, url).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : "an unexpected fault"),
    );
    if (this.#stopped || !this.#options.upstream().urls.includes(url)) return;
    const was = this.#up.get(url);
    const failures = reason === undefined ? 0 : (this.#failures.get(url) ?? 0) + 1;
    this.#failures.set(url, failures);
    this.#up.set(url, reason === undefined);
    if (reason === undefined && was === false) this.#options.log.info({ url }, "upstream is up again");
    if (reason !== undefined && was !== false) this.#options.log.warn({ url, reason }, "upstream is down");
    // New legs go elsewhere at the first failure, those it has at the second: a hiccup is no reason to move them all.
    if (failures === 2) this.#options.lost(url);
  }
}
