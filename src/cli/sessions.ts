import type { Command } from "commander";
import type { CallRecord } from "../core/calls.ts";
import type { CallsThen } from "../core/identity.ts";
import type { Session } from "../core/runtime.ts";
import { configOption } from "./config-file.ts";
import { example } from "./examples.ts";
import { callsThen, wholeNumber } from "./options.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { askFor, encoded, type PlaceOptions, pathOf, withCredentials } from "./place.ts";
import { row } from "./terminal.ts";

export interface LiveOptions extends PlaceOptions {
  readonly customer?: string;
  readonly after?: string;
  readonly limit?: number;
}

interface KickOptions extends LiveOptions {
  readonly user?: string;
  readonly call?: string;
  readonly calls?: CallsThen;
}

export function registerSessions(program: Command): void {
  example(
    inGateway(program.command("sessions"))
      .description("who is connected to a running gateway: each connection on which somebody was proved")
      .option("--customer <id>", "of this customer alone")
      .option("--after <id>", "those after this one")
      .option("--limit <count>", "at most so many, up to 500", wholeNumber, 100)
      .option("--json", "print {sessions, next}")
      .action(list),
    "sessions --customer globex",
  );
  example(
    inGateway(program.command("kick [session]"))
      .description("close a connection at a running gateway, or all of a user's: it may come back with a credential")
      .option("--user <user>", "all connections of this user, as in alice or alice@globex.example")
      .option("--call <id>", "no connection: a call, as calls --live tells it, is ended at both ends")
      .option("--customer <id>", "of this customer alone")
      .option("--calls <then>", "finish: when its calls have ended; end: now (default)", callsThen)
      .option("--json", "print {kicked}, of a call {ended}")
      .action(kick),
    "kick --user alice@globex.example --calls finish",
  );
}

/** A running gateway alone knows it. */
export const inGateway = (command: Command): Command =>
  withCredentials(
    command
      .option(...configOption)
      .option("--api <url>", "where the gateway has admin.listen (default: as the config says)"),
  );

interface Page<Entry> {
  readonly entries: readonly Entry[];
  readonly next: string | null;
}

/** A page of what runs, of one customer or of all. */
export async function pageOf<Entry>(
  part: "sessions" | "live-calls",
  name: "sessions" | "calls",
  options: LiveOptions,
): Promise<Page<Entry>> {
  const { customer, after, limit = 500 } = options;
  const query = new URLSearchParams({ limit: String(Math.min(Math.max(limit, 1), 500)), ...(after && { after }) });
  const path = customer === undefined ? `/v1/${part}` : pathOf(customer, `/${part}`);
  const { body } = await askFor({ method: "GET", path: `${path}?${query}` }, options);
  const entries = Array.isArray(body[name]) ? (body[name] as Entry[]) : [];
  return { entries, next: typeof body.next === "string" ? body.next : null };
}

async function list(options: LiveOptions): Promise<void> {
  const { entries: sessions, next } = await pageOf<Session>("sessions", "sessions", options);
  if (options.json) return print({ sessions, next });
  for (const { id, customer, user, domain, address, origin = "-", provedBy, since, bindings, calls } of sessions) {
    const who = [id, customer, `${user}@${domain}`, address, origin, provedBy];
    const state = [new Date(since).toISOString(), `${bindings} registered`, `${calls} calls`];
    process.stdout.write(`${row(...who, ...state)}\n`);
  }
  if (next !== null) say(`more: --after ${next}`);
}

async function kick(session: string | undefined, options: KickOptions): Promise<void> {
  const { user, call, json, calls = "end" } = options;
  if ([session, user, call].filter((one) => one !== undefined).length !== 1)
    return usage("give a session's id, --user or --call, one of them");
  if (call !== undefined) return hangUp(call, options);
  const wanted = await liveOf<Session>(
    ["sessions", "sessions"],
    ({ id, user: name, domain }) => (user === undefined ? id === session : [name, `${name}@${domain}`].includes(user)),
    options,
  );
  if (wanted.length === 0) return failure("nobody of that name is connected there: postern sessions");
  for (const { id, customer } of wanted) {
    const path = `${pathOf(customer, `/sessions/${encoded(id)}`)}?calls=${calls}`;
    await askFor({ method: "DELETE", path }, options);
  }
  print({ kicked: wanted.map(({ id }) => id) });
  if (!json) say(calls === "end" ? "closed" : "closed when their calls have ended");
}

async function hangUp(call: string, options: KickOptions): Promise<void> {
  const [found] = await liveOf<CallRecord>(["live-calls", "calls"], ({ id }) => id === call, options);
  if (!found) return failure("there is no such call now: postern calls --live");
  const path = pathOf(found.customer, `/live-calls/${encoded(call)}`);
  await askFor({ method: "DELETE", path }, options);
  print({ ended: [call] });
  if (!options.json) say("ended at both ends");
}

/** Pages that are looked through: 500,000 entries. */
const mostPages = 1_000;

async function liveOf<Entry>(
  [part, name]: readonly ["sessions" | "live-calls", "sessions" | "calls"],
  is: (entry: Entry) => boolean,
  { customer, ...options }: KickOptions,
): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  let after: string | null = "";
  for (let page = 0; after !== null && page < mostPages; page++) {
    const wanted: LiveOptions = { ...options, ...(customer !== undefined && { customer }), after };
    const { entries, next }: Page<Entry> = await pageOf<Entry>(part, name, wanted);
    found.push(...entries.filter(is));
    after = next;
  }
  return found;
}
