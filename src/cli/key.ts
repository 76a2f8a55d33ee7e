import type { Command } from "commander";
import { example } from "./examples.ts";
import { readItemFile, readText } from "./item-file.ts";
import { print, say, usage } from "./outcome.ts";
import { changeAt, encoded, inPlace, type PlaceOptions, readAt } from "./place.ts";
import { secretSources } from "./secret-source.ts";
import { secretOf, urlOf } from "./url-source.ts";

interface AddOptions extends PlaceOptions {
  readonly id: string;
  readonly alg: string;
  readonly jwk?: string;
  readonly pem?: string;
  readonly secret?: string;
  readonly jwksUri?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly singleUse?: true;
}

export function registerKey(program: Command): void {
  const key = program.command("key").description("keys of stored customers: what their JWTs are verified with");
  const command = (name: string, description: string): Command => inPlace(key.command(name).description(description));
  example(
    command("add <customer>", "a key for JWTs, by one of --jwk, --pem, --secret, --jwks-uri")
      .requiredOption("--id <id>", "its name in logs, and what kid in a token says")
      .requiredOption("--alg <algorithm>", "the one that its tokens are signed with, as in ES256, RS256, HS256")
      .option("--jwk <file>", "the public key as a JWK; - for stdin")
      .option("--pem <file>", "the public key in PEM; - for stdin")
      .option("--secret <source>", `a shared secret: ${secretSources}`)
      .option("--jwks-uri <url>", `a key set to fetch; one with a token in its query by ${secretSources}`)
      .option("--issuer <iss>", "what iss in a token must be; needed with --jwks-uri")
      .option("--audience <aud>", "what aud in a token must be; needed with --jwks-uri")
      .option("--single-use", "a token serves one connection or one exchange")
      .option("--json", "no words on stderr")
      .action(add),
    "key add globex --id j1 --alg ES256 --pem globex.pem",
    "key add globex --id set --alg RS256 --jwks-uri https://id.globex.example/keys --issuer https://id.globex.example --audience postern",
  );
  example(
    command("list <customer>", "its keys as JSON, with what is public of them")
      .option("--json", "print JSON, as always")
      .action(list),
    "key list globex",
  );
  example(
    command("remove <customer> <id>", "take a key away now: what it proved is proved no more, its sockets are closed")
      .option("--json", "no words on stderr")
      .action(remove),
    "key remove globex j1",
  );
}

async function add(customer: string, options: AddOptions): Promise<void> {
  const { id, alg, issuer, audience, singleUse } = options;
  const entry = {
    ...{ id, alg },
    ...(await materialOf(options)),
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
    ...(singleUse && { singleUse }),
  };
  await changeAt(
    customer,
    {
      what: () => `key.add ${id}`,
      edit: async () => (await import("../manage/keys.ts")).addKey(entry),
      ask: { method: "POST", part: "/keys", body: entry },
      into: { list: "keys" },
    },
    options,
  );
  print({ customer, id });
  if (!options.json) say("stored");
}

/** What stands in argv is everybody's to read: a secret and a URL with a query come from elsewhere. */
async function materialOf({ jwk, pem, secret, jwksUri }: AddOptions): Promise<object> {
  if ([jwk, pem, secret, jwksUri].filter((one) => one !== undefined).length !== 1)
    return usage("give one of --jwk, --pem, --secret, --jwks-uri");
  if (jwk !== undefined) return { jwk: await readItemFile(jwk) };
  if (pem !== undefined) return { pem: readText(pem) };
  if (secret !== undefined) return { secret: secretOf("--secret", secret) };
  return { jwksUri: urlOf("--jwks-uri", jwksUri!) };
}

async function list(customer: string, options: PlaceOptions): Promise<void> {
  const told = await readAt(
    customer,
    "/keys",
    async (item) => ({ keys: (await import("../manage/view.ts")).viewOf(item)?.keys ?? [] }),
    options,
  );
  print({ customer, ...told });
}

async function remove(customer: string, id: string, options: PlaceOptions): Promise<void> {
  await changeAt(
    customer,
    {
      what: () => `key.remove ${id}`,
      edit: async () => (await import("../manage/keys.ts")).removeKey(id),
      ask: { method: "DELETE", part: `/keys/${encoded(id)}` },
    },
    options,
  );
  print({ customer, id, removed: true });
  if (!options.json) say("removed: the sockets that it proved are closed");
}
