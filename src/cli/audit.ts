import { type Command, InvalidArgumentError } from "commander";
import type { AuditEntry, AuditHead } from "../store/port.ts";
import { configOption } from "./config-file.ts";
import { example } from "./examples.ts";
import { failure, print, say, usage } from "./outcome.ts";
import { withStore } from "./with-store.ts";

interface ListOptions {
  readonly config: string;
  readonly customer?: string;
  readonly by?: string;
  readonly since?: string;
  readonly before?: number;
  readonly limit: number;
  readonly json?: true;
}

interface VerifyOptions {
  readonly config: string;
  readonly head?: AuditHead;
  readonly json?: true;
}

export function registerAudit(program: Command): void {
  const audit = program.command("audit").description("who changed what in the store, and when: a chain of entries");
  example(
    audit
      .command("list")
      .description("the newest entries, oldest of them first")
      .option(...configOption)
      .option("--customer <id>", "of this customer alone")
      .option("--by <who>", "by these alone, written as listed: cli:root, operator:ops, customer:acme/a1, gateway")
      .option("--since <time>", "from then on: ISO 8601 or Unix seconds")
      .option("--before <number>", "those before this entry", wholeNumber)
      .option("--limit <count>", "at most so many, up to 1000", wholeNumber, 100)
      .option("--json", "print {entries, before}")
      .action(list),
    "audit list --customer globex --since 2026-01-31",
  );
  example(
    audit
      .command("verify")
      .description("say whether no entry was changed, removed or put in: exit 0 whole, 1 not")
      .option(...configOption)
      .option("--head <number:mac>", "as the log has it: shows an end that was cut off", headOf)
      .option("--json", "no words on stderr")
      .action(verify),
    "audit verify --head 12:ZkE2iN0Vv3lXxUT0yqk8mQ0oJc4l5vJ2QkZ7mY3cWbE",
  );
}

async function list({ config, since, limit, json, ...filter }: ListOptions): Promise<void> {
  const [{ parseInstant }, { entryOf }] = await Promise.all([
    import("../config/values.ts"),
    import("../store/chain.ts"),
  ]);
  const from = parseInstant(since);
  if (since !== undefined && from === undefined) return usage("--since is no time: write 2026-01-31T12:00:00Z");
  const most = Math.min(Math.max(limit, 1), 1_000);
  const query = { ...filter, limit: most, ...(from !== undefined && { since: from * 1000 }) };
  const rows = (await withStore({ config, make: false }, ({ audit }) => audit.read(query))) ?? [];
  const entries = rows.map(({ seq, text }) => entryOf(text) ?? { seq, at: 0, key: "", by: "", what: "cannot be read" });
  const before = rows.length === most ? (rows[0]?.seq ?? null) : null;
  if (json) return print({ entries, before });
  for (const entry of entries) process.stdout.write(`${lineOf(entry)}\n`);
  if (before !== null && before > 1) say(`there are older ones: --before ${before}`);
}

/** What stands in the database may have been put there by anybody: nothing of it moves a terminal's cursor. */
const lineOf = ({ seq, at, by, what, customer = "-", address = "-", detail }: AuditEntry): string =>
  [seq, timeOf(at), by, what, customer, address, changedIn(detail)]
    .map((part) => textOf(part).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?"))
    .join("\t");

/** An object may have a toString that is none. */
const textOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "?";

const timeOf = (at: unknown): string =>
  Number.isSafeInteger(at) && Math.abs(Number(at)) < 8.64e15 ? new Date(Number(at)).toISOString() : "?";

const changedIn = (detail: AuditEntry["detail"]): string => {
  if (detail?.removed === true) return "removed";
  return Array.isArray(detail?.changed) ? detail.changed.map(textOf).join(" ") : "-";
};

async function verify({ config, head: wanted, json }: VerifyOptions): Promise<void> {
  const verified = await withStore({ config, make: false }, async ({ audit, keys }) => {
    const { verifyChain } = await import("../store/verify-chain.ts");
    return verifyChain(audit, keys, wanted).catch((error: unknown) =>
      failure(error instanceof Error ? error.message : "the store failed"),
    );
  });
  if (!verified) return failure("there is no store, and so no audit");
  const { head, broken } = verified;
  const whole = { ok: !broken, entries: head.seq, head: head.seq === 0 ? null : `${head.seq}:${head.mac}` };
  print(broken ? { ...whole, entry: broken.seq, sentence: broken.sentence } : whole);
  if (broken) process.exitCode = 1;
  if (json) return;
  if (!broken) return say(`whole: ${head.seq} entries`);
  say(`broken: ${broken.sentence}; what stands before it is whole`);
}

function headOf(text: string): AuditHead {
  const [, seq = "", mac = ""] = /^([1-9][0-9]{0,14}):([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  if (mac === "") throw new InvalidArgumentError("It is written as in the log: 12:and-43-characters.");
  return { seq: Number(seq), mac };
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
