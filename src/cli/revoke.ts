import type { Command } from "commander";
import type { CallsThen } from "../core/identity.ts";
import type { Item } from "../store/port.ts";
import { example } from "./examples.ts";
import { callsThen } from "./options.ts";
import { print, say, usage } from "./outcome.ts";
import { changeAt, encoded, inPlace, type PlaceOptions, readAt } from "./place.ts";
import { row } from "./terminal.ts";

type Kind = "user" | "credential" | "jti" | "handle";
const kinds: readonly Kind[] = ["user", "credential", "jti", "handle"];

type Named = PlaceOptions & { readonly [kind in Kind]?: string };

interface RevokeOptions extends Named {
  readonly until?: string;
  readonly calls?: CallsThen;
}

export function registerRevoke(program: Command): void {
  example(
    ofSomebody(program.command("revoke <customer>"))
      .description("refuse a user, credential or token from now on: its sockets are closed, its registration removed")
      .option("--until <time>", "ISO 8601 or Unix seconds (default: until all that was minted so far has ended)")
      .option("--calls <then>", "finish: calls may end by themselves; end: they are ended now (default)", callsThen)
      .action(revoke),
    "revoke globex --user alice@globex.example",
    "revoke globex --jti 0c1b… --calls finish",
  );
  example(
    ofSomebody(program.command("restore <customer>")).description("take again who or what was revoked").action(restore),
    "restore globex --user alice@globex.example",
  );
  example(
    inPlace(program.command("revocations <customer>"))
      .description("who and what is refused now, and until when")
      .option("--json", "print {customer, revocations}")
      .action(list),
    "revocations globex --json",
  );
}

const ofSomebody = (command: Command): Command =>
  inPlace(command)
    .option("--user <user>", "a user, at every domain of the customer or as in alice@globex.example at one")
    .option("--credential <username>", "an ephemeral credential, by its username")
    .option("--jti <jti>", "a JWT, by its jti")
    .option("--handle <handle>", "what an exchange gave, by its handle or the username that holds it")
    .option("--json", "no words on stderr");

function oneOf(options: Named): { readonly kind: Kind; readonly value: string } {
  const [kind, ...more] = kinds.filter((one) => options[one] !== undefined);
  if (kind === undefined || more.length > 0) return usage("give one of --user, --credential, --jti, --handle");
  return { kind, value: options[kind]! };
}

async function revoke(customer: string, options: RevokeOptions): Promise<void> {
  const { kind, value } = oneOf(options);
  const { parseInstant } = await import("../config/values.ts");
  const given = options.until === undefined ? undefined : parseInstant(options.until);
  if (options.until !== undefined && given === undefined)
    return usage("--until is no time: write 2026-01-31T12:00:00Z");
  const until = given ?? (await endOfMinted(customer, options));
  const { calls = "end" } = options;
  const entry = { [kind]: value, until, calls };
  await changeAt(
    customer,
    {
      what: () => `revoke ${kind}`,
      edit: async () => (await import("../manage/revocations.ts")).revoke(entry, Math.floor(Date.now() / 1000)),
      ask: { method: "POST", part: "/revocations", body: entry },
      into: { list: "revoked" },
    },
    options,
  );
  print({ customer, ...entry });
  if (!options.json) say(`refused until ${timeOf(until)}; calls ${calls === "end" ? "are ended" : "may finish"}`);
}

/** Nothing that was minted lives longer than maxTtl, by a clock that may be wrong by clockSkew. */
async function endOfMinted(customer: string, options: PlaceOptions): Promise<number> {
  const told = await readAt(
    customer,
    "",
    async (item) => (await import("../manage/view.ts")).viewOf(item) ?? {},
    options,
  );
  const { maxTtl = 0, clockSkew = 0 } = told as { readonly maxTtl?: number; readonly clockSkew?: number };
  return Math.floor(Date.now() / 1000) + maxTtl + 2 * clockSkew;
}

async function restore(customer: string, options: Named): Promise<void> {
  const { kind, value } = oneOf(options);
  await changeAt(
    customer,
    {
      what: () => `restore ${kind}`,
      edit: async () => (await import("../manage/revocations.ts")).restore(kind, value),
      ask: { method: "DELETE", part: `/revocations?${kind}=${encoded(value)}` },
    },
    options,
  );
  print({ customer, [kind]: value, restored: true });
  if (!options.json) say("it is taken again");
}

async function list(customer: string, options: PlaceOptions): Promise<void> {
  const { revocations } = await readAt(customer, "/revocations", current, options);
  if (options.json) return print({ customer, revocations });
  for (const entry of revocations) {
    const kind = kinds.find((one) => entry[one] !== undefined) ?? "user";
    process.stdout.write(`${row(kind, entry[kind], timeOf(entry.until), entry.calls)}\n`);
  }
}

async function current(item: Item, now: number) {
  const { viewOf } = await import("../manage/view.ts");
  return { revocations: (viewOf(item)?.revoked ?? []).filter(({ until }) => until >= now) };
}

const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** `postern customer suspend` and `resume`. */
export async function suspendOne(
  customer: string,
  options: PlaceOptions & { readonly calls?: CallsThen },
): Promise<void> {
  const { calls = "end" } = options;
  await changeAt(
    customer,
    {
      what: () => `customer.suspend ${calls}`,
      edit: async () => (await import("../manage/revocations.ts")).suspend(calls),
      ask: { method: "POST", part: "/suspend", body: { calls } },
    },
    options,
  );
  print({ customer, suspended: calls });
  if (!options.json)
    say(calls === "end" ? "suspended: its sockets are closed, its calls end" : "suspended: its calls may finish");
}

export async function resumeOne(customer: string, options: PlaceOptions): Promise<void> {
  await changeAt(
    customer,
    {
      what: () => "customer.resume",
      edit: async () => (await import("../manage/revocations.ts")).resume,
      ask: { method: "POST", part: "/resume" },
    },
    options,
  );
  print({ customer, suspended: null });
  if (!options.json) say("it is served again");
}
