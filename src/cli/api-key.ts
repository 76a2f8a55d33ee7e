import type { Command } from "commander";
import { example } from "./examples.ts";
import { print, say, usage } from "./outcome.ts";
import { changeAt, encoded, inPlace, type PlaceOptions, readAt } from "./place.ts";
import { readSecret, secretSources } from "./secret-source.ts";

interface AddOptions extends PlaceOptions {
  readonly id: string;
  readonly secret?: string;
}

export function registerApiKey(program: Command): void {
  const key = program
    .command("api-key")
    .description("API keys of stored customers: what their servers sign management requests with");
  const command = (name: string, description: string): Command => inPlace(key.command(name).description(description));
  example(
    command("add <customer>", "another API key; its secret, made here, is printed once")
      .requiredOption("--id <id>", "its name, which no other customer's may have")
      .option("--secret <source>", `one that you bring: ${secretSources}`)
      .option("--json", "no words on stderr")
      .action(add),
    "api-key add globex --id globex-1",
  );
  example(
    command("list <customer>", "the ids of its API keys, as JSON")
      .option("--json", "print JSON, as always")
      .action(list),
    "api-key list globex",
  );
  example(
    command("remove <customer> <id>", "take an API key away: nothing is changed by it any more")
      .option("--json", "no words on stderr")
      .action(remove),
    "api-key remove globex globex-1",
  );
}

async function add(customer: string, options: AddOptions): Promise<void> {
  const { id, secret: source, json } = options;
  const brought = source === undefined ? undefined : readSecret("--secret", source, process.env);
  if (brought?.kind === "fault") return usage(brought.sentence);
  const entry = { id, ...(brought && { secret: brought.secret }) };
  const told = await changeAt(
    customer,
    {
      what: () => `apiKey.add ${id}`,
      edit: async () => (await import("../manage/keys.ts")).addApiKey(entry),
      ask: { method: "POST", part: "/api-keys", body: entry },
      into: { list: "apiKeys" },
    },
    options,
  );
  print({ customer, ...told });
  if (!json) say(brought ? "stored" : "stored: this is the only time that the secret is shown");
}

async function list(customer: string, options: PlaceOptions): Promise<void> {
  const told = await readAt(
    customer,
    "/api-keys",
    async (item) => ({ apiKeys: (await import("../manage/view.ts")).viewOf(item)?.apiKeys ?? [] }),
    options,
  );
  print({ customer, ...told });
}

async function remove(customer: string, id: string, options: PlaceOptions): Promise<void> {
  await changeAt(
    customer,
    {
      what: () => `apiKey.remove ${id}`,
      edit: async () => (await import("../manage/keys.ts")).removeApiKey(id),
      ask: { method: "DELETE", part: `/api-keys/${encoded(id)}` },
    },
    options,
  );
  print({ customer, id, removed: true });
  if (!options.json) say("removed");
}
