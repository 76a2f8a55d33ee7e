import type { Config } from "../config.ts";
import { readLocalCfg } from "../kamailio/local-cfg.ts";
import { type Finding, fail, ok, type System, warn } from "./finding.ts";

const again = "run postern rotate-chain again: it goes on where it stopped";

/** Whether a rotation of the chain secret is half done: by the config, and by each local.cfg that is named. */
export function checkRotation({ chain }: Config, files: readonly string[], system: System): Finding[] {
  const secrets = [...new Set(chain.secrets)];
  const own = chain.secrets.length > 1 ? [warn("chain rotation", begun(secrets), again)] : [];
  return [...own, ...files.flatMap((file) => checkFile(file, secrets, system))];
}

/** One secret twice: what a rotation leaves that was killed at its end. A config that is so is taken, or nobody could go on. */
const begun = (secrets: readonly string[]): string =>
  secrets.length > 1
    ? "is half done: the gateway still takes what it made under the old secret"
    : "is half done: chain.secrets of the config has one secret more than once";

function checkFile(file: string, [used = "", ...others]: readonly string[], system: System): Finding[] {
  const check = `chain rotation ${file}`;
  const text = system.readText(file);
  if (text === undefined)
    return [fail(check, "cannot be read", "name Kamailio's local.cfg; run this as who may read it")];
  const read = readLocalCfg(text);
  if (read.kind === "fault") return [fail(check, read.sentence, "mend its lines for CHAIN_SECRET and RPC_SOCKET")];
  const open = ((system.mode(file) ?? 0) & 0o007) !== 0;
  const mode = open ? [warn(check, "may be read by every user, with the chain secret in it", `chmod o= ${file}`)] : [];
  return [...mode, standing(check, read.local.secrets, used, others)];
}

function standing(check: string, secrets: readonly string[], used: string, others: readonly string[]): Finding {
  const at = secrets.indexOf(used);
  if (at < 0) {
    const advice = "make CHAIN_SECRET there the first chain secret of the gateway, before Kamailio starts anew";
    return fail(
      check,
      "does not have the secret that the gateway signs with: a restart of Kamailio ends all calls",
      advice,
    );
  }
  if (at > 0) return warn(check, "is half done: it has a new secret that the gateway does not sign with yet", again);
  if (secrets.length === 1) return ok(check, "has the secret that the gateway signs with, and no other");
  const found =
    others.length > 0 ? "both know both secrets" : "the gateway knows the new one alone, Kamailio the old one too";
  return warn(check, `is half done: ${found}`, again);
}
