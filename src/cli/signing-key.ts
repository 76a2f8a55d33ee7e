import type { Command } from "commander";
import { intervals } from "../core/signing-keys.ts";
import { actOf } from "./act.ts";
import { configOption } from "./config-file.ts";
import { example } from "./examples.ts";
import { failure, print, say } from "./outcome.ts";
import { withStore } from "./with-store.ts";

interface Options {
  readonly config: string;
  readonly now?: true;
  readonly json?: true;
}

const noStore = "there is no store: the gateway's signing keys are in its memory, and a restart makes others";

export function registerSigningKey(program: Command): void {
  const key = program
    .command("signing-key")
    .description("the gateway's own keys, which sign what it asks applications, and which /.well-known/jwks.json has");
  example(
    key
      .command("list")
      .description("the keys that are published, by when they sign; nothing private")
      .option(...configOption)
      .option("--json", "print JSON, as always")
      .action(list),
    "signing-key list",
  );
  example(
    key
      .command("rotate")
      .description(
        `publish another key, which signs after ${intervals.ahead / 60_000} minutes; the old one stays published for ${intervals.after / 60_000} more`,
      )
      .option(...configOption)
      .option(
        "--now",
        "it signs at once and is the only one: for a key that somebody else may have; services that have not seen it refuse",
      )
      .option("--json", "no words on stderr")
      .action(rotate),
    "signing-key rotate",
  );
}

async function list({ config }: Options): Promise<void> {
  const keys = await withStore({ config, make: false }, async ({ signingKeys }) => {
    const { viewKeys } = await import("../manage/signing-keys.ts");
    return viewKeys(await signingKeys.all().catch(failed), Date.now());
  });
  print({ keys: keys ?? failure(noStore) });
}

async function rotate({ config, now, json }: Options): Promise<void> {
  const rotated = await withStore({ config, make: false }, async ({ signingKeys }) => {
    const { rotateKeys } = await import("../manage/signing-keys.ts");
    const options = { now: Date.now(), atOnce: now === true, act: (what: string) => actOf(what) };
    return rotateKeys(signingKeys, options).catch(failed);
  });
  if (!rotated) return failure(noStore);
  if (rotated.kind === "refused") return failure(rotated.sentence);
  const { kid, signs } = rotated;
  print({ kid, signs });
  if (!json) say(`published within a minute; it signs from ${signs} on`);
}

const failed = (error: unknown): never => failure(error instanceof Error ? error.message : "the store failed");
