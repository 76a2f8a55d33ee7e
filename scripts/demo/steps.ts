/** Says what is being done and how long it took, a line each; begins nothing after `stop`. */
export class Steps {
  readonly #say: (line: string) => void;
  readonly #stop: AbortSignal;

  constructor(say: (line: string) => void, stop: AbortSignal) {
    this.#say = say;
    this.#stop = stop;
  }

  /** Rejects as the work does, and says at which step. */
  async step<Done>(name: string, work: () => Promise<Done> | Done): Promise<Done> {
    this.#stop.throwIfAborted();
    const begun = performance.now();
    try {
      const done = await work();
      this.#say(`  ok    ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
      return done;
    } catch (fault) {
      this.#say(`  FAIL  ${name}`);
      throw fault;
    }
  }
}

/** All at once. Where one rejects, not before the others are over, so that what they started can be stopped. */
export async function together<All extends readonly Promise<unknown>[]>(
  ...all: All
): Promise<{ -readonly [at in keyof All]: Awaited<All[at]> }> {
  await Promise.allSettled(all);
  return Promise.all(all) as Promise<{ -readonly [at in keyof All]: Awaited<All[at]> }>;
}
