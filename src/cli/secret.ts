import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError } from "commander";
import type { Item } from "../store/port.ts";
import { actOf } from "./act.ts";
import { configOption } from "./config-file.ts";
import { noStore } from "./customer.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";
import { type Bench, itemOf, mustBeWritten, refused, withStore } from "./with-store.ts";

type Entry = Readonly<Record<string, unknown>> & { readonly id: string };

interface AddOptions {
  readonly config: string;
  readonly id?: string;
  readonly algorithm?: string;
  readonly secret?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly json?: boolean;
}

interface Options {
  readonly config: string;
  readonly grace: number;
  readonly json?: boolean;
}

/** Seconds: servers change over within a day. */
const usualGrace = 86_400;

export function registerSecret(program: Command): void {
  const secret = program
    .command("secret")
    .description("secrets of stored customers: what their servers mint credentials with");
  secret
    .command("add <customer>")
    .description("another secret, beside those it has; made here it is printed, once")
    .option(...configOption)
    .option("--id <id>", "its name in logs (default: the next of k1, k2, …)")
    .option("--algorithm <hash>", "of the credentials' HMAC: sha1, sha256, sha384, sha512 (default: sha1)")
    .option("--secret <source>", `one that you bring: ${secretSources}`)
    .option("--not-before <time>", "valid from then on: ISO 8601 or Unix seconds")
    .option("--not-after <time>", "valid until then")
    .option("--json", "no words on stderr")
    .action(add);
  secret
    .command("list <customer>")
    .description("its secrets, newest first, as JSON; never what they are")
    .option(...configOption)
    .option("--json", "print JSON, as always")
    .action(list);
  secret
    .command("retire <customer> <id>")
    .description("let a secret end: what was minted is taken until then")
    .option(...configOption)
    .option("--grace <seconds>", "how long it is valid yet", wholeNumber, usualGrace)
    .option("--json", "no words on stderr")
    .action(retire);
  secret
    .command("revoke <customer> <id>")
    .description("take a secret away now: the sockets that it proved are closed, their calls end")
    .option(...configOption)
    .option("--json", "no words on stderr")
    .action(revoke);
}

async function add(customer: string, options: AddOptions): Promise<void> {
  const { config, secret: source, algorithm = "sha1", notBefore, notAfter, json = false } = options;
  const brought = source === undefined ? undefined : readSecret("--secret", source, process.env);
  if (brought?.kind === "fault") return usage(brought.sentence);
  const secret = brought?.secret ?? randomBytes(32).toString("base64");
  await change(customer, config, json, (entries) => {
    const id = options.id ?? nextId(entries);
    const window = { ...(notBefore !== undefined && { notBefore }), ...(notAfter !== undefined && { notAfter }) };
    const told = { customer, id, algorithm, ...(!brought && { secret }) };
    const words = brought ? "stored" : "stored: this is the only time that the secret is shown";
    return { what: `secret.add ${id}`, entries: [{ id, secret, algorithm, ...window }, ...entries], told, words };
  });
}

function nextId(entries: readonly Entry[]): string {
  const taken = new Set(entries.map(({ id }) => id.toLowerCase()));
  for (let number = 1; ; number++) if (!taken.has(`k${number}`)) return `k${number}`;
}

async function list(customer: string, { config }: Options): Promise<void> {
  const found = await withStore({ config, make: false }, async (bench) => {
    const { parseInstant } = await import("../config/values.ts");
    const now = Math.floor(Date.now() / 1000);
    const { item } = await itemOf(customer, bench);
    return entriesOf(item).map(({ id, algorithm = "sha1", notBefore, notAfter }) => {
      const [from, until] = [parseInstant(notBefore) ?? null, parseInstant(notAfter) ?? null];
      const state = until !== null && now > until ? "ended" : from !== null && now < from ? "not yet" : "valid";
      return { id, algorithm, notBefore: from, notAfter: until, state };
    });
  });
  if (!found) return noStore(customer, config);
  print({ customer, secrets: found });
}

async function retire(customer: string, id: string, { config, grace, json = false }: Options): Promise<void> {
  const { parseInstant } = await import("../config/values.ts");
  await change(customer, config, json, (entries) => {
    const end = Math.floor(Date.now() / 1000) + grace;
    const notAfter = Math.min(end, parseInstant(mustHave(entries, id, customer).notAfter) ?? end);
    const retired = entries.map((entry) => (entry.id === id ? { ...entry, notAfter } : entry));
    const words = `valid until ${new Date(notAfter * 1000).toISOString()}`;
    return { what: `secret.retire ${id}`, entries: retired, told: { customer, id, notAfter }, words };
  });
}

async function revoke(customer: string, id: string, { config, json = false }: Options): Promise<void> {
  await change(customer, config, json, (entries) => {
    mustHave(entries, id, customer);
    const left = entries.filter((entry) => entry.id !== id);
    const words = `revoked: the sockets that it proved are closed${left.length === 0 ? "; no secret is left" : ""}`;
    return { what: `secret.revoke ${id}`, entries: left, told: { customer, id, revoked: true }, words };
  });
}

interface Changed {
  /** For the audit. */
  readonly what: string;
  readonly entries: readonly Entry[];
  /** Data, and words about it. */
  readonly told: unknown;
  readonly words: string;
}

/** One transaction, on the customer as it was read. */
async function change(
  id: string,
  config: string,
  json: boolean,
  make: (entries: readonly Entry[]) => Changed,
): Promise<void> {
  const done = await withStore({ config, make: false }, async (bench: Bench) => {
    const { store, surroundings } = bench;
    const [{ judge }, { claimsOf }] = await Promise.all([import("../store/judge.ts"), import("../store/claims.ts")]);
    const { item: before, revision: expected } = await itemOf(id, bench);
    const { what, entries, told, words } = make(entriesOf(before));
    const item = { ...before, secrets: entries };
    const faults = await judge([{ item, line: 1 }], surroundings, store);
    if (faults.length > 0) return refused(faults, json);
    mustBeWritten(await store.write([{ kind: "put", id, item, claims: claimsOf(item), expected }], actOf(what)));
    print(told);
    if (!json) say(words);
    return true;
  });
  if (!done) await noStore(id, config);
}

function mustHave(entries: readonly Entry[], id: string, customer: string): Entry {
  return (
    entries.find((entry) => entry.id === id) ??
    failure(`customer ${customer} has no secret of that id: postern secret list ${customer}`)
  );
}

const entriesOf = (item: Item): readonly Entry[] => (Array.isArray(item.secrets) ? (item.secrets as Entry[]) : []);

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
}
