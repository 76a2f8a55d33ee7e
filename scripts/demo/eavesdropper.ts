import type { IncomingMessage } from "node:http";
import { plainAddress } from "../../src/gateway/admission.ts";
import type { Party, Traced, TraceListener } from "../../src/telemetry/trace.ts";
import type { KamailioMessage } from "./kamailio-ladder.ts";
import { type Row, rowOf, shown, verdictOf } from "./row.ts";
import type { Visit, Visits } from "./visits.ts";

/** Calls whose other side, at the trunk, is told to the page that placed them; the oldest is forgotten. */
const mostCalls = 1_000;

/** Gives each page the messages of its own connections, and of Kamailio's side those of the calls it placed. */
export class Eavesdropper implements TraceListener {
  readonly #visits: Visits;
  readonly #now: () => number;
  /** By the address of the page's socket. */
  readonly #lines = new Map<string, { readonly visit: Visit }>();
  readonly #rows = new WeakMap<Traced, { readonly visit: Visit; readonly row: Row }>();
  /** By Call-ID. */
  readonly #calls = new Map<string, Visit>();

  /** now: milliseconds since the epoch, with their fractions. */
  constructor(visits: Visits, now: () => number) {
    this.#visits = visits;
    this.#now = now;
  }

  /** A socket whose URL names a page's line is that page's. */
  upgraded({ url = "/", socket }: Pick<IncomingMessage, "url" | "socket">): void {
    const line = new URLSearchParams(url.split("?")[1] ?? "").get("line");
    const visit = line === null ? undefined : this.#visits.byLine(line);
    const name = nameOf({ address: plainAddress(socket.remoteAddress ?? ""), port: socket.remotePort ?? 0 });
    // Somebody else's from now on, though what was said under it a moment ago is still told.
    this.#lines.delete(name);
    if (!visit) return;
    const own = { visit };
    this.#lines.set(name, own);
    const forget = (): boolean => this.#lines.get(name) === own && this.#lines.delete(name);
    // What the leg says in the name of a page that is gone is still told.
    socket.once("close", () => setTimeout(forget, lingering).unref());
  }

  message(traced: Traced, bytes: Buffer): void {
    const visit = this.#lines.get(nameOf(traced.line.client))?.visit;
    if (!visit) return;
    this.#rows.set(traced, { visit, row: visit.ladder.add(rowOf(traced, bytes, this.#now())) });
  }

  verdict(traced: Traced): void {
    const known = this.#rows.get(traced);
    if (!known || !traced.verdict) return;
    const { visit, row } = known;
    visit.ladder.judge(row, verdictOf(traced.verdict, this.#now()));
    const { way, method, callId, verdict } = traced;
    if (way === "from-client" && method === "INVITE" && verdict.code === "accepted") this.#claim(callId, visit);
  }

  /** What went between Kamailio and the trunk. */
  atTrunk({ at, from, to, callId, bytes }: KamailioMessage): void {
    this.#calls.get(callId)?.ladder.add({ at, from, to, message: shown(bytes) });
  }

  /** Whoever was accepted with a Call-ID first has it. */
  #claim(callId: string, visit: Visit): void {
    if (this.#calls.has(callId)) return;
    this.#calls.set(callId, visit);
    const [oldest] = this.#calls.keys();
    if (this.#calls.size > mostCalls && oldest !== undefined) this.#calls.delete(oldest);
  }
}

/** Milliseconds. The port may be another's afterwards. */
const lingering = 2_000;

const nameOf = ({ address, port }: Party): string => `${address} ${port}`;
