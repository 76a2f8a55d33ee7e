import type { Command } from "commander";
import { example } from "./examples.ts";
import { wholeSeconds } from "./options.ts";
import { print, say, usage } from "./outcome.ts";
import { changeAt, encoded, inPlace, type PlaceOptions, readAt } from "./place.ts";
import { readSecret, secretSources } from "./secret-source.ts";

interface AddOptions extends PlaceOptions {
  readonly id?: string;
  readonly algorithm?: string;
  readonly secret?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** Seconds: servers change over within a day. */
const usualGrace = 86_400;

export function registerSecret(program: Command): void {
  const secret = program
    .command("secret")
    .description("secrets of stored customers: what their servers mint credentials with");
  const command = (name: string, description: string): Command =>
    inPlace(secret.command(name).description(description));
  example(
    command("add <customer>", "another secret, beside those it has; made here it is printed, once")
      .option("--id <id>", "its name in logs (default: the next of k1, k2, …)")
      .option("--algorithm <hash>", "of the credentials' HMAC: sha1, sha256, sha384, sha512 (default: sha1)")
      .option("--secret <source>", `one that you bring: ${secretSources}`)
      .option("--not-before <time>", "valid from then on: ISO 8601 or Unix seconds")
      .option("--not-after <time>", "valid until then")
      .option("--json", "no words on stderr")
      .action(add),
    "secret add globex --algorithm sha256",
    "secret add globex --secret env:GLOBEX_SECRET",
  );
  example(
    command("list <customer>", "its secrets, newest first, as JSON; never what they are")
      .option("--json", "print JSON, as always")
      .action(list),
    "secret list globex",
  );
  example(
    command("promote <customer> <id>", "make a secret the newest, which servers are to mint with")
      .option("--json", "no words on stderr")
      .action(promote),
    "secret promote globex k2",
  );
  example(
    command("retire <customer> <id>", "let a secret end: what was minted is taken until then")
      .option("--grace <seconds>", "how long it is valid yet", wholeSeconds, usualGrace)
      .option("--json", "no words on stderr")
      .action(retire),
    "secret retire globex k1 --grace 3600",
  );
  example(
    command("revoke <customer> <id>", "take a secret away now: the sockets that it proved are closed, their calls end")
      .option("--json", "no words on stderr")
      .action(revoke),
    "secret revoke globex k1",
  );
}

async function add(customer: string, options: AddOptions): Promise<void> {
  const { secret: source, id, algorithm, notBefore, notAfter, json } = options;
  const brought = source === undefined ? undefined : readSecret("--secret", source, process.env);
  if (brought?.kind === "fault") return usage(brought.sentence);
  const entry = {
    ...(id !== undefined && { id }),
    ...(algorithm !== undefined && { algorithm }),
    ...(brought && { secret: brought.secret }),
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
  };
  const told = await changeAt(
    customer,
    {
      what: ({ id }) => `secret.add ${String(id)}`,
      edit: async () => (await import("../manage/secrets.ts")).createSecret(entry),
      ask: { method: "POST", part: "/secrets", body: entry },
      into: { list: "secrets" },
    },
    options,
  );
  print({ customer, ...told });
  if (!json) say(brought ? "stored" : "stored: this is the only time that the secret is shown");
}

async function list(customer: string, options: PlaceOptions): Promise<void> {
  const told = await readAt(
    customer,
    "/secrets",
    async (item, now, { uses }) => {
      const { listSecrets } = await import("../manage/secrets.ts");
      return { secrets: listSecrets(item, now, await uses.of(customer)) };
    },
    options,
  );
  print({ customer, ...told });
}

async function promote(customer: string, id: string, options: PlaceOptions): Promise<void> {
  await changeAt(
    customer,
    {
      what: () => `secret.promote ${id}`,
      edit: async () => (await import("../manage/secrets.ts")).promoteSecret(id),
      ask: { method: "POST", part: `/secrets/${encoded(id)}/promote` },
    },
    options,
  );
  print({ customer, id });
  if (!options.json) say("it is the newest now");
}

async function retire(customer: string, id: string, options: PlaceOptions & { readonly grace: number }): Promise<void> {
  const { grace, json } = options;
  const { notAfter } = await changeAt(
    customer,
    {
      what: () => `secret.retire ${id}`,
      edit: async () => (await import("../manage/secrets.ts")).retireSecret(id, Math.floor(Date.now() / 1000), grace),
      ask: { method: "POST", part: `/secrets/${encoded(id)}/retire`, body: { graceSeconds: grace } },
    },
    options,
  );
  print({ customer, id, notAfter });
  if (!json && notAfter !== undefined) say(`valid until ${new Date(notAfter * 1000).toISOString()}`);
}

async function revoke(customer: string, id: string, options: PlaceOptions): Promise<void> {
  const { left } = await changeAt(
    customer,
    {
      what: () => `secret.revoke ${id}`,
      edit: async () => (await import("../manage/secrets.ts")).revokeSecret(id),
      ask: { method: "DELETE", part: `/secrets/${encoded(id)}` },
    },
    options,
  );
  print({ customer, id, revoked: true });
  if (!options.json) say(`revoked: the sockets that it proved are closed${left === 0 ? "; no secret is left" : ""}`);
}
