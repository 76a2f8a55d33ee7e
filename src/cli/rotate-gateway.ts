import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { besides, type ChainText, readChain } from "../config/chain-text.ts";
import { type Config, loadConfig } from "../config.ts";
import { boundedText } from "../core/bounded-text.ts";
import { targetOf, tryLeg } from "../doctor/leg.ts";
import { replaceFile, writeLike } from "./replace-file.ts";
import { done, type Outcome, until } from "./rotate-outcome.ts";

/** The config, and the gateway of this machine that has taken it up. */
export interface GatewayPlace {
  readonly file: string;
  readonly config: Config;
}

/** Why this config cannot be changed; holds nothing of it. */
export function unchangeable(file: string): string | undefined {
  const read = readChain(readFileSync(file, "utf8"), file);
  return read.kind === "fault" ? `${file} ${read.sentence}` : undefined;
}

/** From now on grants are signed with the fresh secret; what was made under the old one is still taken. */
export async function use(place: GatewayPlace, fresh: string, old: string): Promise<Outcome> {
  const { file, config } = place;
  if (config.chain.secret !== fresh) {
    const { chain, text } = chainOf(file);
    const [entry] = chain.entries;
    if (entry?.file) writeLike(entry.file.path, besides(entry.file).path, `${fresh}\n`);
    const named = entry?.file ? `file:${besides(entry.file).name}` : fresh;
    put(file, text, chain.with(`secrets: [${JSON.stringify(named)}, ${entry?.source}]`), [fresh, old]);
  }
  return takenUp(place, 2);
}

/** The old secret is taken no longer. A secret that was in a file is there again, under the same name. */
export async function forget(place: GatewayPlace, fresh: string): Promise<Outcome> {
  const { chain, text } = chainOf(place.file);
  const [first, second] = chain.entries;
  const inPlace = first?.file && second?.file && besides(second.file).path === first.file.path;
  if (inPlace && readFileSync(second.file.path, "utf8").trimEnd() !== fresh)
    replaceFile(second.file.path, `${fresh}\n`);
  if (second) put(place.file, text, chain.with(`secret: ${(inPlace ? second : first)?.source}`), [fresh]);
  const left = (inPlace ? second : first)?.file;
  if (left && existsSync(besides(left).path)) rmSync(besides(left).path);
  return takenUp(place, 1);
}

function chainOf(file: string): { readonly chain: ChainText; readonly text: string } {
  const text = readFileSync(file, "utf8");
  const read = readChain(text, file);
  if (read.kind === "fault") throw new Error(`${file} ${read.sentence}`);
  return { chain: read.chain, text };
}

/** Only if the gateway would read it as it is meant. */
function put(file: string, text: string, next: string, secrets: readonly string[]): void {
  if (next === text) return;
  replaceFile(file, next, (fresh) => {
    const loaded = loadConfig(fresh, process.env);
    const asMeant = loaded.kind === "config" && loaded.config.chain.secrets.join("\n") === secrets.join("\n");
    if (!asMeant)
      throw new Error(`${file} could not be changed: write chain: { secret: "…" } there and run this again`);
  });
}

/** It looks after its files itself. Where none runs, the next one takes the file as it is. */
async function takenUp({ config }: GatewayPlace, count: number): Promise<Outcome> {
  const url = new URL("/metrics", config.admin.listen);
  const found = await until(
    () => secretsAt(url),
    (had) => had === count || had === "nobody",
  );
  if (found === count || found === "nobody") return done;
  const what =
    found === "mute" ? "does not say how many chain secrets it takes" : `takes ${found} chain secrets, not ${count}`;
  return { kind: "failed", sentence: `the gateway at ${url.origin} ${what}: look for "reload refused" in its log` };
}

/** Bytes of all metrics: of two hundred customers one or two mebibytes. */
const largest = 16 * 1024 * 1024;

async function secretsAt(url: URL): Promise<number | "nobody" | "mute"> {
  try {
    const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(5_000) });
    const count = /^postern_chain_secrets (\d+)$/m.exec(await boundedText(answer, largest))?.[1];
    return count === undefined ? "mute" : Number(count);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED" ? "nobody" : "mute";
  }
}

/** Whether each Kamailio of the config takes a grant under this secret: else none may be signed with it. */
export async function provenAt(url: string, { config }: GatewayPlace, secret: string): Promise<Outcome> {
  const { chain, upstream } = config;
  const ask = async (): Promise<string> => {
    const target = await targetOf(url);
    if (!target) return "has a name that is not known";
    const expiry = Math.floor(Date.now() / 1000) + chain.ttl;
    const { kind } = await tryLeg(target, {
      secret,
      algorithm: chain.algorithm,
      proxyProtocol: upstream.proxyProtocol,
      expiry,
    });
    if (kind === "taken") return "";
    return kind === "refused"
      ? "does not know the new secret: announce it there first"
      : "does not answer as Kamailio does";
  };
  const fault = await until(ask, (answer) => answer === "");
  return fault === "" ? done : { kind: "failed", sentence: `Kamailio at ${url} ${fault}` };
}

/** Unix seconds since which the config is as it is: nothing that it made is older. */
export function changedAt({ file }: GatewayPlace): number {
  const read = readChain(readFileSync(file, "utf8"), file);
  const files = read.kind === "chain" ? read.chain.entries.flatMap((entry) => entry.file?.path ?? []) : [];
  return Math.max(...[file, ...files].map((one) => statSync(one).mtimeMs)) / 1000;
}
