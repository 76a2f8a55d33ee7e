import type { Command } from "commander";
import type { CallsThen } from "../core/identity.ts";
import { actOf } from "./act.ts";
import { configOption } from "./config-file.ts";
import { type AddOptions, addOne, changeOne } from "./customer-add.ts";
import { exportAll, type ImportOptions, importAll } from "./customer-import.ts";
import { type ListOptions, listAll, showOne } from "./customer-list.ts";
import { example } from "./examples.ts";
import { another, callsThen, wholeNumber } from "./options.ts";
import { print, say } from "./outcome.ts";
import { askFor, inPlace, isRemote, type PlaceOptions, pathOf } from "./place.ts";
import { resumeOne, suspendOne } from "./revoke.ts";
import { secretSources } from "./secret-source.ts";
import { deskOf, noStore, notChanged, withStore } from "./with-store.ts";

export function registerCustomer(program: Command): void {
  const customer = program
    .command("customer")
    .description("customers kept in the store, beside those of the config file");
  const command = (name: string, description: string): Command =>
    inPlace(customer.command(name).description(description));
  registerAdd(command);
  example(
    command("list", "the customers of store and config by id, without secrets")
      .option("--after <id>", "those after this one", "")
      .option("--limit <count>", "at most so many, up to 500", wholeNumber, 100)
      .option("--json", "print {customers, next}")
      .action((options: ListOptions) => listAll(options)),
    "customer list --after globex --json",
  );
  example(
    command("show <id>", "a customer, without secrets, as JSON; declared: whether the config has it")
      .option("--json", "on one line")
      .action((id: string, options: PlaceOptions) => showOne(id, options)),
    "customer show globex",
  );
  registerStates(command);
  registerMany(customer, command);
}

type Make = (name: string, description: string) => Command;

function registerAdd(command: Make): void {
  example(
    withItem(command("add <id>", "store a customer; refused with every fault at once"))
      .option("--file <file>", "its item as JSON, as under customers: in the config; - for stdin")
      .action((id: string, options: AddOptions) => addOne(id, options)),
    "customer add globex --domain globex.example --number '+4930*' --trunk sip:pbx.globex.example",
  );
  example(
    withItem(
      command("change <id>", "change a customer; what is not said stays, a list takes the place of the one before"),
    )
      .option("--file <file>", "a merge patch as JSON (RFC 7396): null takes a key away; - for stdin")
      .action((id: string, options: AddOptions) => changeOne(id, options)),
    "customer change globex --trunk sip:pbx2.globex.example --max-ttl 600",
    "customer change globex --file limits.json",
    "customer change globex --trunk-user globex-trunk --trunk-password env:TRUNK_PASSWORD",
  );
}

const withItem = (command: Command): Command =>
  command
    .option("--domain <domain>", "a SIP domain of its users; again for more", another)
    .option("--origin <origin>", "a page that may connect; again for more", another)
    .option("--number <pattern>", "a number it owns; again for more", another)
    .option("--dial <pattern>", "a further number its pages may call; again for more", another)
    .option("--trunk <uri>", "where calls to its numbers go")
    .option("--trunk-user <name>", "what its trunk knows it by, where that challenges")
    .option("--trunk-password <source>", `the password of that: ${secretSources}`)
    .option("--caller-id <number>", "what its calls show to a trunk")
    .option("--max-ttl <seconds>", "longest life of a credential", wholeNumber)
    .option("--permission-url <url>", `its application, asked what visitors may do; with a query by ${secretSources}`)
    .option("--json", "print {ok, faults} where it is refused, no words on stderr");

function registerStates(command: Make): void {
  example(
    command("remove <id>", "take a customer out of the store: its sockets are closed, its calls end")
      .option("--json", "no words on stderr")
      .action(remove),
    "customer remove globex",
  );
  example(
    command("suspend <id>", "take nothing more from a customer's users, until it is resumed")
      .option("--calls <then>", "finish: calls may end by themselves; end: they are ended now (default)", callsThen)
      .option("--json", "no words on stderr")
      .action((id: string, options: PlaceOptions & { readonly calls?: CallsThen }) => suspendOne(id, options)),
    "customer suspend globex --calls finish",
  );
  example(
    command("resume <id>", "serve a suspended customer again")
      .option("--json", "no words on stderr")
      .action((id: string, options: PlaceOptions) => resumeOne(id, options)),
    "customer resume globex",
  );
}

function registerMany(customer: Command, command: Make): void {
  example(
    command("import <file>", "store many: JSON lines or CSV, all of them or, where one is faulty, none; - for stdin")
      .option("--csv", "it is CSV, whatever its name")
      .option(
        "--replace",
        "those that are there already are replaced; what a line does not say of secrets, keys, apiKeys stays",
      )
      .option("--check", "only say what would be refused")
      .option("--json", "print {ok, imported, replaced, refused, faults}")
      .action((file: string, options: ImportOptions) => importAll(file, options)),
    "customer import customers.csv --check",
  );
  example(
    customer
      .command("export")
      .description(
        "all of the store as JSON lines, secrets sealed: a backup that import takes where the store has the same key",
      )
      .option(...configOption)
      .option("--json", "print JSON lines, as always")
      .action((options: { config: string }) => exportAll(options.config)),
    "customer export > customers.jsonl",
  );
}

async function remove(id: string, options: PlaceOptions): Promise<void> {
  if (isRemote(options)) {
    await askFor({ method: "DELETE", path: pathOf(id) }, options);
    print({ customer: id, removed: true });
  } else if (!(await removeStored(id, options))) await noStore(id, options.config);
  if (!options.json) say("removed: its sockets are closed");
}

const removeStored = (id: string, { config, json = false }: PlaceOptions): Promise<true | undefined> =>
  withStore({ config, make: false }, async (bench): Promise<true> => {
    const { removeCustomer } = await import("../manage/change.ts");
    const outcome = await removeCustomer(id, deskOf(bench), { act: () => actOf("customer.remove", id) });
    if (outcome.kind !== "changed") return notChanged(id, outcome, bench, json);
    print({ customer: id, removed: true, revision: outcome.revision });
    return true;
  });
