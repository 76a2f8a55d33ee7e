import { LRUCache } from "lru-cache";
import type { CallRecord } from "../core/calls.ts";
import type { Conferences, Part } from "../core/conferences.ts";

/** That are over, and are known yet. */
const mostOver = 20_000;
/** Of one Call-ID: a call that forks to many. */
const mostParts = 64;

interface Known {
  /** Of who calls: whoever takes a Call-ID for a call of their own is in none of this one. */
  readonly tag: string;
  /** By id of the record. */
  readonly parts: Map<string, Party>;
}

interface Party extends Part {
  readonly customer: string;
  /** Its credential is good for this conference alone. */
  readonly narrowed: boolean;
}

/** Who is or was in the calls of this gateway, by Call-ID. Those that stand are known; of the others the latest. */
export class CallConferences implements Conferences {
  readonly #standing = new Map<string, Known>();
  readonly #over = new LRUCache<string, Known>({ max: mostOver });
  readonly #ended: (customer: string, conferenceID: string) => void;

  /** ended: told of an answered call that is over, and that a credential of the customer was good for alone. */
  constructor(ended: (customer: string, conferenceID: string) => void = () => {}) {
    this.#ended = ended;
  }

  /** tag: of who calls; narrowed: the credential is good for this conference alone. */
  begun(record: CallRecord, tag: string, narrowed: boolean): void {
    const { id, callId, customer, user = "", domain = "" } = record;
    const known = this.#standing.get(callId) ?? this.#over.get(callId) ?? { tag, parts: new Map() };
    if (!isOf(known, record, tag) || known.parts.size >= mostParts) return;
    known.parts.set(id, { customer, user, domain, call: id, stands: true, narrowed });
    this.#over.delete(callId);
    this.#standing.set(callId, known);
  }

  ended({ id, callId, answer }: CallRecord): void {
    const known = this.#standing.get(callId);
    const part = known?.parts.get(id);
    if (!known || !part) return;
    known.parts.set(id, { ...part, stands: false });
    if ([...known.parts.values()].some(({ stands }) => stands)) return;
    this.#standing.delete(callId);
    this.#over.set(callId, known);
    if (answer === undefined) return;
    const narrowed = [...known.parts.values()].filter((one) => one.narrowed);
    for (const customer of new Set(narrowed.map((one) => one.customer))) this.#ended(customer, callId);
  }

  ownersOf(customer: string, conferenceID: string): readonly Part[] | undefined {
    const known = this.#standing.get(conferenceID) ?? this.#over.get(conferenceID);
    return known && [...known.parts.values()].filter((part) => part.customer === customer);
  }
}

/** Who calls is in it first, then those who are called; who is in it may call again. */
function isOf({ tag: first, parts }: Known, { user, domain, direction }: CallRecord, tag: string): boolean {
  if (parts.size === 0 || (direction === "in" && tag === first)) return true;
  return [...parts.values()].some((part) => part.user === user && part.domain === domain);
}
