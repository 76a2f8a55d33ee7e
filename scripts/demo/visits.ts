import { randomBytes } from "node:crypto";
import { Ladder } from "./ladder.ts";

/** bob is not among them: he answers from the terminal. */
const names =
  "alice carol dave erin frank grace heidi ivan judy kim leo mia nina omar pia quinn rosa sam tina uma victor wendy xenia zoe".split(
    " ",
  );

/** Milliseconds that a page which nobody reads keeps its name: a reload takes less. */
const grace = 20_000;

/** One open page. */
export interface Visit {
  /** Reads its ladder; whoever does not know it reads nothing. In no URL. */
  readonly key: string;
  /** Stands in the URLs of its sockets: what passes there is its own. It reads nothing. */
  readonly line: string;
  readonly user: string;
  readonly ladder: Ladder;
  /** Milliseconds since the epoch. */
  lastSeen: number;
}

/** The pages that are open, as many as there are names. */
export class Visits {
  readonly #visits = new Map<string, Visit>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The page that was there before its reload, or a new one; undefined: every name is taken. */
  open(key?: string): Visit | undefined {
    const known = key === undefined ? undefined : this.byKey(key);
    if (known && !known.ladder.isRead) return known;
    this.#sweep();
    const taken = new Set([...this.#visits.values()].map(({ user }) => user));
    const user = names.find((name) => !taken.has(name));
    if (user === undefined) return undefined;
    const visit: Visit = { key: id(), line: id(), user, ladder: new Ladder(), lastSeen: this.#now() };
    this.#visits.set(visit.key, visit);
    return visit;
  }

  byKey(key: string): Visit | undefined {
    const visit = this.#visits.get(key);
    if (visit) visit.lastSeen = this.#now();
    return visit;
  }

  byLine(line: string): Visit | undefined {
    return [...this.#visits.values()].find((visit) => visit.line === line);
  }

  #sweep(): void {
    const long = this.#now() - grace;
    for (const [key, { ladder, lastSeen }] of this.#visits) {
      if (!ladder.isRead && lastSeen < long) this.#visits.delete(key);
    }
  }
}

const id = (): string => randomBytes(18).toString("base64url");
