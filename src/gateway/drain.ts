/** A connection as a drain sees it. */
export interface Drainable {
  /** A call of it rings or stands. */
  readonly inCall: boolean;
  /** Close with 1001: come back later, to another gateway. */
  dismiss(): void;
}

export interface DrainOptions {
  readonly connections: ReadonlySet<Drainable>;
  /** Seconds that calls may go on. */
  readonly seconds: number;
  readonly random: () => number;
}

const spreadMs = 10_000;
const lookEveryMs = 250;

/**
 * Dismiss every connection: those without a call spread over a while, so that not all come to the next gateway at
 * once, those with one when it has ended, all when the time is up. Resolves when none is left.
 */
export async function drain({ connections, seconds, random }: DrainOptions): Promise<void> {
  const began = Date.now();
  const spread = Math.min(spreadMs, seconds * 500);
  const turn = new WeakMap<Drainable, number>();
  while (connections.size > 0 && Date.now() - began < seconds * 1000) {
    for (const connection of connections) {
      const due = turn.get(connection) ?? began + random() * spread;
      turn.set(connection, due);
      if (!connection.inCall && Date.now() >= due) connection.dismiss();
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  for (const connection of connections) connection.dismiss();
}
