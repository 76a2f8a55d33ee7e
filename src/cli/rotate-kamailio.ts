import { readFileSync } from "node:fs";
import { readLocalCfg, withSecrets } from "../kamailio/local-cfg.ts";
import { type Called, setChainSecrets } from "../kamailio/rpc.ts";
import { replaceFile } from "./replace-file.ts";
import { type Outcome, until } from "./rotate-outcome.ts";

/** A Kamailio of this machine: the file that it starts from, and where it listens for RPC. */
export interface Kamailio {
  readonly file: string;
  readonly socket: string;
  readonly secrets: readonly string[];
}

export type KamailioRead =
  | { readonly kind: "kamailio"; readonly kamailio: Kamailio }
  | { readonly kind: "fault"; readonly sentence: string };

/** file: its local.cfg. */
export function readKamailio(file: string): KamailioRead {
  const text = textOf(file);
  if (text === undefined) return { kind: "fault", sentence: `${file} cannot be read` };
  const read = readLocalCfg(text);
  if (read.kind === "fault") return { kind: "fault", sentence: `${file} ${read.sentence}` };
  const { secrets, socket } = read.local;
  if (socket?.startsWith("/")) return { kind: "kamailio", kamailio: { file, socket, secrets } };
  const remedy = "define it as the path of a unix socket, and restart that Kamailio once";
  return { kind: "fault", sentence: `${file} has no RPC_SOCKET, so nothing can be told to its Kamailio: ${remedy}` };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

/** First the file: a Kamailio that starts meanwhile takes all of them from there. */
export async function announce({ file, socket }: Kamailio, secrets: readonly string[]): Promise<Outcome> {
  write(file, secrets);
  return tell(file, socket, secrets);
}

/**
 * First the running one: while the old secret stands in the file, whoever comes back to it sees what is left to do. And once
 * more after the file, for a Kamailio that was started in between had read the old one there.
 */
export async function retire({ file, socket }: Kamailio, secret: string): Promise<Outcome> {
  const told = await tell(file, socket, [secret]);
  if (told.kind === "failed") return told;
  write(file, [secret]);
  return tell(file, socket, [secret]);
}

function write(file: string, secrets: readonly string[]): void {
  const text = readFileSync(file, "utf8");
  const next = withSecrets(text, secrets);
  if (next === text) return;
  replaceFile(file, next, (fresh) => {
    const read = readLocalCfg(readFileSync(fresh, "utf8"));
    const asMeant = read.kind === "read" && read.local.secrets.join("\n") === secrets.join("\n");
    if (!asMeant) throw new Error(`${file} could not be changed: its lines for CHAIN_SECRET are not as expected`);
  });
}

/** It may just be starting anew. */
async function tell(file: string, socket: string, secrets: readonly string[]): Promise<Outcome> {
  const called = await until(
    () => setChainSecrets(socket, secrets),
    ({ kind }) => kind !== "unreachable",
  );
  return called.kind === "done"
    ? { kind: "done" }
    : { kind: "failed", sentence: `the Kamailio of ${file} ${why(called)}` };
}

function why(called: Exclude<Called, { kind: "done" }>): string {
  if (called.kind === "refused") return `refused the new secrets (${called.code}): does it run kamailio/kamailio.cfg?`;
  if (called.code === "EACCES") return "may not be told anything by this user: run this as root, or as Kamailio's user";
  return `cannot be reached at its RPC_SOCKET (${called.code}): start it, and run this again`;
}
