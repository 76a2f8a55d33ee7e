import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { CallsThen } from "../core/identity.ts";
import type { LiveCall, Runtime, Wanted } from "../core/runtime.ts";
import type { Act } from "../store/port.ts";
import type { Log } from "../telemetry/log.ts";
import { type Answer, type Asked, byOf, done, noCustomer, nothing, refused, shownSince } from "./asked.ts";
import type { ManagedRoute } from "./managed.ts";

export interface RuntimeOptions {
  readonly runtime: Runtime;
  readonly customers: () => Customers;
  /** For the audit. */
  readonly note: (act: Act) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What runs on this gateway: connections, and calls that ring or stand; listed, and ended by hand. */
export function runtimeRoutes(options: RuntimeOptions): readonly ManagedRoute[] {
  const { runtime, clock, customers } = options;
  const sessions: Lister = (wanted) => ({ name: "sessions", entries: runtime.sessions(wanted) });
  const calls: Lister = (wanted) => ({
    name: "calls",
    entries: runtime.calls(wanted).map((call) => shown(call, clock.now())),
  });
  return [
    { method: "GET", url: "/v1/sessions", query: page, answer: (asked) => list(asked, sessions) },
    { method: "GET", url: "/v1/live-calls", query: page, answer: (asked) => list(asked, calls) },
    {
      method: "GET",
      url: "/v1/customers/:id/sessions",
      query: page,
      answer: (asked) => listOf(asked, sessions, customers()),
    },
    {
      method: "GET",
      url: "/v1/customers/:id/live-calls",
      query: page,
      answer: (asked) => listOf(asked, calls, customers()),
    },
    {
      method: "DELETE",
      url: "/v1/customers/:id/sessions/:session",
      query: ["calls"],
      answer: (asked) => kick(asked, options),
    },
    { method: "DELETE", url: "/v1/customers/:id/live-calls/:call", answer: (asked) => hangUp(asked, options) },
  ];
}

type Lister = (wanted: Wanted) => { readonly name: string; readonly entries: readonly { readonly id: string }[] };

const most = 500;
const page: readonly string[] = ["after", "limit"];

const listOf = (asked: Asked, of: Lister, customers: Customers): Answer =>
  customers.byId(asked.id) ? list(asked, of) : noCustomer;

/** Of the customer of the path; else of all, for a customer's own key of itself. */
function list(asked: Asked, of: Lister): Answer {
  const { id, manager, query } = asked;
  const limit = query.get("limit") ?? "100";
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > most) {
    return refused(400, `limit must be 1 to ${most}`, { code: "message-malformed" });
  }
  const own = manager.kind === "customer" ? manager.customer.id : undefined;
  const customer = id === "" ? own : id;
  const since = shownSince(asked);
  const { name, entries } = of({ customer, since, after: query.get("after") ?? "", limit: Number(limit) });
  return done({ [name]: entries, next: entries.length === Number(limit) ? entries.at(-1)!.id : null });
}

/** seconds: so far, from the answer. */
const shown = ({ gateway: _run, ...call }: LiveCall, now: number) => ({
  ...call,
  ...(call.answer !== undefined && { seconds: Math.max(0, Math.floor((now - call.answer) / 1000)) }),
});

const ways: readonly string[] = ["end", "finish"] satisfies readonly CallsThen[];

function kick({ id, manager, params, query, act }: Asked, { runtime, note, log }: RuntimeOptions): Answer {
  const calls = query.get("calls") ?? "end";
  if (!ways.includes(calls)) return refused(400, "calls must be end or finish", { code: "message-malformed" });
  const { session = "" } = params;
  if (!runtime.kick(session, id, calls as CallsThen)) return noSession;
  note(act(`session.end ${session}`));
  log.info({ customer: id, connection: session, by: byOf(manager), calls }, "connection ended by hand");
  return nothing();
}

function hangUp({ id, manager, params, act }: Asked, { runtime, note, log }: RuntimeOptions): Answer {
  const { call = "" } = params;
  if (!runtime.hangUp(call, id)) return noCall;
  note(act(`call.end ${call}`));
  log.info({ customer: id, call, by: byOf(manager) }, "call ended by hand");
  return nothing();
}

const noSession = refused(404, "this customer has no such session on this gateway: list its sessions");
const noCall = refused(404, "this customer has no such call on this gateway: list its calls");
