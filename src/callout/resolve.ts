import { lookup } from "node:dns/promises";
import type { Resolve } from "./target.ts";

/** Threads of libuv's four that names may hold: a name server that does not answer is not to stop files and the rest. */
const mostAtOnce = 2;

type Ask = (name: string, options: { all: true; order: "verbatim" }) => Promise<readonly { address: string }[]>;

/** The machine's own resolver, /etc/hosts included. */
export function systemResolve(ask: Ask = lookup): Resolve {
  const waiting = new Set<() => void>();
  let busy = 0;
  return async (name, signal) => {
    if (busy < mostAtOnce) busy++;
    else await turn(waiting, signal);
    try {
      return (await ask(name, { all: true, order: "verbatim" })).map(({ address }) => address);
    } finally {
      const [next] = waiting;
      if (next) next();
      else busy--;
    }
  };
}

/** Resolves when its turn comes; who has given up waits no longer. */
const turn = (waiting: Set<() => void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const go = (): void => {
      waiting.delete(go);
      resolve();
    };
    waiting.add(go);
    signal.addEventListener("abort", () => waiting.delete(go) && reject(signal.reason), { once: true });
  });
