import { type Command, InvalidArgumentError } from "commander";
import { actOf } from "./act.ts";
import { configOption } from "./config-file.ts";
import { exportAll, type ImportOptions, importAll } from "./customer-import.ts";
import { readItemFile } from "./item-file.ts";
import { failure, print, say } from "./outcome.ts";
import { deskOf, itemOf, noStore, notChanged, withStore } from "./with-store.ts";

interface AddOptions {
  readonly config: string;
  readonly file?: string;
  readonly domain?: readonly string[];
  readonly origin?: readonly string[];
  readonly number?: readonly string[];
  readonly dial?: readonly string[];
  readonly trunk?: string;
  readonly callerId?: string;
  readonly maxTtl?: number;
  readonly json?: true;
}

interface ListOptions {
  readonly config: string;
  readonly after: string;
  readonly limit: number;
  readonly json?: true;
}

export function registerCustomer(program: Command): void {
  const customer = program
    .command("customer")
    .description("customers kept in the store, beside those of the config file");
  customer
    .command("add <id>")
    .description("store a customer; refused with every fault at once")
    .option(...configOption)
    .option("--file <file>", "its item as JSON, as under customers: in the config; - for stdin")
    .option("--domain <domain>", "a SIP domain of its users; again for more", another)
    .option("--origin <origin>", "a page that may connect; again for more", another)
    .option("--number <pattern>", "a number it owns; again for more", another)
    .option("--dial <pattern>", "a further number its pages may call; again for more", another)
    .option("--trunk <uri>", "where calls to its numbers go")
    .option("--caller-id <number>", "what its calls show to a trunk")
    .option("--max-ttl <seconds>", "longest life of a credential", wholeNumber)
    .option("--json", "print {ok, faults} where it is refused, no words on stderr")
    .action(add);
  customer
    .command("list")
    .description("the stored customers by id, without secrets")
    .option(...configOption)
    .option("--after <id>", "those after this one", "")
    .option("--limit <count>", "at most so many, up to 500", wholeNumber, 100)
    .option("--json", "print {customers, next}")
    .action(list);
  customer
    .command("show <id>")
    .description("a stored customer, without secrets, as JSON")
    .option(...configOption)
    .option("--json", "on one line")
    .action(show);
  customer
    .command("remove <id>")
    .description("take a customer out of the store: its sockets are closed, its calls end")
    .option(...configOption)
    .option("--json", "no words on stderr")
    .action(remove);
  customer
    .command("import <file>")
    .description("store many: JSON lines or CSV, all of them or, where one is faulty, none; - for stdin")
    .option(...configOption)
    .option("--csv", "it is CSV, whatever its name")
    .option(
      "--replace",
      "those that are there already are replaced; what a line does not say of secrets, keys, apiKeys stays",
    )
    .option("--check", "only say what would be refused")
    .option("--json", "print {ok, imported, replaced, refused, faults}")
    .action((file: string, options: ImportOptions) => importAll(file, options));
  customer
    .command("export")
    .description(
      "all of them as JSON lines, secrets sealed: a backup that import takes where the store has the same key",
    )
    .option(...configOption)
    .option("--json", "print JSON lines, as always")
    .action((options: { config: string }) => exportAll(options.config));
}

async function add(id: string, options: AddOptions): Promise<void> {
  const { config, file, domain, origin, number, dial, trunk, callerId, maxTtl, json = false } = options;
  const read = file === undefined ? {} : await readItemFile(file);
  if (read.id !== undefined && read.id !== id) return failure("the id in the file is another one");
  const item = {
    ...read,
    id,
    ...(domain && { domains: domain }),
    ...(origin && { origins: origin }),
    ...(number && { numbers: number }),
    ...(dial && { dial }),
    ...(trunk !== undefined && { trunk }),
    ...(callerId !== undefined && { callerId }),
    ...(maxTtl !== undefined && { maxTtl }),
  };
  await withStore({ config, make: true }, async (bench) => {
    const { addCustomer } = await import("../manage/change.ts");
    const outcome = await addCustomer(item, deskOf(bench), { act: () => actOf("customer.add", id) });
    if (outcome.kind !== "changed") return notChanged(id, outcome, bench, json);
    print({ customer: id, revision: outcome.revision });
    if (!json) say(`stored. A secret for its servers: postern secret add ${id}`);
  });
}

async function list({ config, after, limit, json }: ListOptions): Promise<void> {
  const most = Math.min(Math.max(limit, 1), 500);
  const records = (await withStore({ config, make: false }, ({ store }) => store.list(after, most))) ?? [];
  const customers = records.map((record) => {
    const item = record.kind === "stored" ? record.item : {};
    const count = (list: unknown): number => (Array.isArray(list) ? list.length : 0);
    const domains = Array.isArray(item.domains) ? (item.domains as string[]) : [];
    const readable = record.kind === "stored";
    return {
      id: record.id,
      revision: record.revision,
      readable,
      domains,
      secrets: count(item.secrets),
      keys: count(item.keys),
    };
  });
  const next = customers.length === most ? (customers.at(-1)?.id ?? null) : null;
  if (json) return print({ customers, next });
  for (const { id, domains, secrets, readable } of customers) {
    process.stdout.write(`${id}\t${domains.join(" ")}\t${readable ? `${secrets} secrets` : "cannot be read"}\n`);
  }
  if (next !== null) say(`more: --after ${next}`);
}

async function show(id: string, { config, json }: { config: string; json?: true }): Promise<void> {
  const { withoutSecrets } = await import("../store/item-secrets.ts");
  const made = await withStore({ config, make: false }, async (bench) => {
    const { item, revision } = await itemOf(id, bench);
    const told = { ...withoutSecrets(item), revision };
    if (json) print(told);
    else process.stdout.write(`${JSON.stringify(told, null, 2)}\n`);
    return true;
  });
  if (!made) await noStore(id, config);
}

async function remove(id: string, { config, json }: { config: string; json?: true }): Promise<void> {
  const made = await withStore({ config, make: false }, async (bench) => {
    const { removeCustomer } = await import("../manage/change.ts");
    const outcome = await removeCustomer(id, deskOf(bench), { act: () => actOf("customer.remove", id) });
    if (outcome.kind !== "changed") return notChanged(id, outcome, bench, json ?? false);
    print({ customer: id, revision: outcome.revision });
    if (!json) say("removed: its sockets are closed");
    return true;
  });
  if (!made) await noStore(id, config);
}

const another = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
