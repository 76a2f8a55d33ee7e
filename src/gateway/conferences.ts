import { LRUCache } from "lru-cache";
import type { CallRecord } from "../core/calls.ts";
import type { Conferences, Part } from "../core/conferences.ts";

/** That are over, and are known yet. */
const mostOver = 20_000;
/** Of one Call-ID: a call that forks to many. */
const mostParts = 64;

/** What a customer has to do with a call. */
interface Known {
  /** Of who calls: whoever takes a Call-ID for a call of their own is in none of this one. */
  readonly tag: string;
  /** By id of the record. */
  readonly parts: Map<string, Party>;
}

/** By customer: no call has two, and whoever takes another customer's Call-ID takes nothing from it. */
type Sides = Map<string, Known>;

interface Party extends Part {
  /** Its credential is good for this conference alone. */
  readonly narrowed: boolean;
}

/** Who is or was in the calls of this gateway, by Call-ID. Those that stand are known; of the others the latest. */
export class CallConferences implements Conferences {
  readonly #standing = new Map<string, Sides>();
  readonly #over = new LRUCache<string, Sides>({ max: mostOver });
  readonly #ended: (customer: string, conferenceID: string) => void;

  /** ended: told of an answered call that is over, and that a credential of the customer was good for alone. */
  constructor(ended: (customer: string, conferenceID: string) => void = () => {}) {
    this.#ended = ended;
  }

  /** tag: of who calls; narrowed: the credential is good for this conference alone. */
  begun(record: CallRecord, tag: string, narrowed: boolean): void {
    const { id, callId, customer, user = "", domain = "" } = record;
    const named = narrowed && record.direction !== "in";
    const before = this.#of(customer, callId);
    // Whoever took the name before the application gave it to somebody is in another call.
    const known = before && (!named || isNamed(before)) ? before : { tag, parts: new Map() };
    if (!(named || isOf(known, record, tag)) || known.parts.size >= mostParts) return;
    known.parts.set(id, { user, domain, call: id, stands: true, named, narrowed });
    this.#standing.set(callId, (this.#standing.get(callId) ?? new Map()).set(customer, known));
  }

  ended({ id, callId, customer, answer }: CallRecord): void {
    const sides = this.#standing.get(callId);
    const known = sides?.get(customer);
    const part = known?.parts.get(id);
    if (!sides || !known || !part) return;
    known.parts.set(id, { ...part, stands: false });
    const parts = [...known.parts.values()];
    if (parts.some(({ stands }) => stands)) return;
    sides.delete(customer);
    if (sides.size === 0) this.#standing.delete(callId);
    this.#over.set(callId, (this.#over.get(callId) ?? new Map()).set(customer, known));
    if (answer !== undefined && parts.some((one) => one.narrowed)) this.#ended(customer, callId);
  }

  ownersOf(customer: string, conferenceID: string): readonly Part[] | undefined {
    const own = this.#of(customer, conferenceID);
    if (own) return [...own.parts.values()];
    return this.#standing.has(conferenceID) || this.#over.has(conferenceID) ? [] : undefined;
  }

  #of(customer: string, callId: string): Known | undefined {
    return this.#standing.get(callId)?.get(customer) ?? this.#over.get(callId)?.get(customer);
  }
}

const isNamed = ({ parts }: Known): boolean => [...parts.values()].some(({ named }) => named);

/** Who calls is in it first, then those who are called; who is in it may call again. */
function isOf({ tag: first, parts }: Known, { user, domain, direction }: CallRecord, tag: string): boolean {
  if (parts.size === 0 || (direction === "in" && tag === first)) return true;
  return [...parts.values()].some((part) => part.user === user && part.domain === domain);
}
