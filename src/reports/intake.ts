import type { Clock } from "../core/clock.ts";
import type { Conferences } from "../core/conferences.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Permission } from "../core/identity.ts";
import type { Reports, Taken } from "../core/reports.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../core/strict-json.ts";
import { type Caller, type Denied, denied } from "../exchange/context.ts";
import type { Allowance, Kind } from "./allowance.ts";
import { permissionFor, readEvents, type ToldEvent } from "./events.ts";
import { otherConference, othersCall, otherUser, permissionRefusal, type Reporter, userOf } from "./permit.ts";
import { type Fault, Reading } from "./reading.ts";
import { readStats, statsPermission, type ToldStats } from "./stats.ts";
import { type ReportersParts, readShown, reporterOf } from "./who.ts";

export interface IntakeParts {
  readonly clock: Clock;
  readonly reporters: ReportersParts;
  readonly allowance: Allowance;
  readonly conferences: Conferences;
  readonly reports: Reports;
  /** A conference is over because a reporter who may says so. named: the reporter's token is good for it alone. */
  readonly end: (customer: string, conferenceID: string, named: boolean) => void;
}

export interface Asked {
  readonly caller: Caller;
  /** Of the Origin header alone. */
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  readonly body: JsonValue | undefined;
  /** Of this request alone. */
  readonly holder: string;
}

export type Outcome =
  | { readonly kind: "taken"; readonly count: number; readonly reporter: Reporter }
  | (Denied & { readonly faults?: readonly Fault[] });

/** One event or report, as far as it is judged. */
interface Told {
  readonly path: string;
  readonly conference?: string;
  readonly bridge?: string;
  readonly userID?: string;
  readonly permission: Permission | undefined;
  readonly who: { readonly user: string; readonly domain: string } | undefined;
}

/** How events and statistics differ. */
interface Way<One> {
  readonly kind: Kind;
  readonly read: (body: JsonObject, reading: Reading) => readonly One[];
  readonly permission: (one: One) => Permission | undefined;
  readonly hand: (one: One, from: From, reporter: Reporter) => Taken;
}

/** Who tells, and of when. */
interface From {
  readonly customer: string;
  readonly user: string;
  readonly domain: string;
  readonly at: number;
  readonly unproved?: true;
}

const notObject = denied(refuse("message-malformed", "the body is no JSON object"));
const full = refuse("limit-reached", "there is no room for more reports of this conference: send no more of it soon");

/** What pages tell of their conferences: read, proved, judged, bounded, and handed on. */
export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  events(asked: Asked): Promise<Outcome> {
    return this.#take(asked, {
      kind: "event",
      read: readEvents,
      permission: ({ event }) => permissionFor(event),
      hand: (told, from, reporter) => {
        const taken = this.#event(told, from);
        if (told.event === "conferenceEnded") this.#end(told.conference, reporter);
        return taken;
      },
    });
  }

  stats(asked: Asked): Promise<Outcome> {
    const hand = (told: ToldStats, from: From): Taken => this.#stats(told, from);
    return this.#take(asked, { kind: "stats", read: readStats, permission: statsPermission, hand });
  }

  /** All of a batch or nothing. */
  async #take<One extends ToldEvent | ToldStats>(asked: Asked, way: Way<One>): Promise<Outcome> {
    const { body, caller, origin, authorization, holder } = asked;
    if (!isJsonObject(body)) return notObject;
    const shown = readShown(authorization, body, holder);
    if (shown.kind === "refused") return shown;
    const known = await reporterOf(shown, caller, origin, this.#parts.reporters);
    if (known.kind === "refused") return known;
    const reading = new Reading();
    const all = way.read(body, reading);
    if (reading.faults.length > 0) return refusedFor(known.reporter, malformed, reading.faults);
    return this.#judged(all, way, known.reporter) ?? this.#handed(all, way, known.reporter);
  }

  #judged<One extends ToldEvent | ToldStats>(
    all: readonly One[],
    { kind, permission }: Way<One>,
    reporter: Reporter,
  ): Outcome | undefined {
    const refusals = all.flatMap((one) => {
      const refusal = this.#refusal({ ...one, permission: permission(one), who: whoOf(one, reporter) }, reporter);
      return refusal ? [{ refusal, path: one.path }] : [];
    });
    const [first] = refusals;
    if (first) return refusedFor(reporter, first.refusal, faultsOf(refusals));
    const allowed = this.#parts.allowance.take(reporter, kind, all.map(nameOf));
    return allowed.kind === "allowed"
      ? undefined
      : { ...refusedFor(reporter, allowed.refusal), retryAfter: allowed.retryAfter };
  }

  #handed<One extends ToldEvent | ToldStats>(all: readonly One[], { hand }: Way<One>, reporter: Reporter): Outcome {
    const taken = all.map((one) => hand(one, this.#from(one, whoOf(one, reporter), reporter), reporter));
    if (taken.includes("full")) return { ...refusedFor(reporter, full), retryAfter: 60 };
    return { kind: "taken", count: taken.length, reporter };
  }

  /** First what the token is good for, then whose it is. */
  #refusal(told: Told, reporter: Reporter): Refusal | undefined {
    const { permission, conference, userID, who } = told;
    const missing = permission && permissionRefusal(reporter, permission);
    if (missing) return missing;
    if (userID === undefined ? !reporter.proved : !who) return otherUser;
    const only = reporter.proved?.narrowing.conference;
    if (only !== undefined && conference !== only) return otherConference;
    const parts =
      conference === undefined ? undefined : this.#parts.conferences.ownersOf(reporter.customer.id, conference);
    // The application has named it: it is the customer's own, whoever is in it.
    const isOwn = parts?.some((part) => only !== undefined || (part.user === who?.user && part.domain === who.domain));
    return parts === undefined || isOwn ? undefined : othersCall;
  }

  /** What nobody is in yet, or elsewhere, is not ended by somebody who made its name up. */
  #end(conference: string, { customer: { id }, proved }: Reporter): void {
    const isNamed = proved?.narrowing.conference === conference;
    if (isNamed || this.#parts.conferences.ownersOf(id, conference)) this.#parts.end(id, conference, isNamed);
  }

  #from({ ago }: ToldEvent | ToldStats, who: Told["who"], { customer, proved }: Reporter): From {
    const { user = "", domain = "" } = who ?? proved ?? {};
    const at = this.#parts.clock.now() - ago;
    return { customer: customer.id, user, domain, at, ...(!proved && { unproved: true }) };
  }

  #event({ conference, event, detail }: ToldEvent, from: From): Taken {
    return this.#parts.reports.event({ ...from, conference, event, ...(detail && { detail }) });
  }

  #stats({ conference, bridge, figures }: ToldStats, from: From): Taken {
    const of = conference === undefined ? { bridge: bridge ?? "" } : { conference };
    const taken = figures.map((one) => this.#parts.reports.stats({ ...from, ...of, figures: one }));
    return taken.includes("full") ? "full" : "taken";
  }
}

const malformed = refuse("message-malformed", "the body is not what is taken here: errors says where");

const refusedFor = ({ customer }: Reporter, refusal: Refusal, faults?: readonly Fault[]): Outcome & Denied => ({
  ...denied(refusal, customer),
  ...(faults && { faults }),
});

function faultsOf(refusals: readonly { readonly refusal: Refusal; readonly path: string }[]): readonly Fault[] {
  const reading = new Reading();
  for (const { refusal, path } of refusals) reading.fault(path, refusal.sentence);
  return reading.faults;
}

const whoOf = ({ userID }: Pick<Told, "userID">, reporter: Reporter): Told["who"] =>
  userID === undefined ? undefined : userOf(reporter, userID);

const nameOf = ({ conference, bridge }: Pick<Told, "conference" | "bridge">): string =>
  conference === undefined ? `bridge ${bridge}` : `conference ${conference}`;
