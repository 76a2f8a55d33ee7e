import type { Config } from "../config.ts";
import { checkKeys, checkPublicUrl } from "./advice.ts";
import { checkClock } from "./clock.ts";
import { checkFamilies } from "./family.ts";
import { type Finding, isForOthers, ok, type System, warn } from "./finding.ts";
import { checkDescriptors, checkPorts } from "./limits.ts";
import { checkListen } from "./listen.ts";
import { checkMedia } from "./media.ts";
import { checkRotation } from "./rotation.ts";
import { checkStore, checkStoreFiles, customersIn, type StoredRead } from "./store.ts";
import { checkTls } from "./tls.ts";
import { checkUpstream } from "./upstream.ts";

export interface Patient {
  /** Of the config, as it was named. */
  readonly file: string;
  readonly config: Config;
  readonly stored: StoredRead;
  /** The config file itself, and what it names: secrets, certificate and key. */
  readonly files: readonly string[];
  /** Keys that are set and do nothing yet. */
  readonly notAvailable: readonly string[];
  /** The files that the Kamailios of this machine start from, as far as they are named. */
  readonly localCfgs: readonly string[];
}

/** Everything that can be looked at from outside, in the order of the list; the urls each for itself, at once. */
export async function examine(
  { file, files, config: declared, stored, notAvailable, localCfgs }: Patient,
  system: System,
): Promise<Finding[]> {
  const config = { ...declared, customers: [...declared.customers, ...customersIn(stored)] };
  const urls = [...new Set(config.upstream.urls)];
  const [clock, ports, media, ...upstreams] = await Promise.all([
    checkClock(system),
    checkListen(config),
    checkMedia(config, localCfgs, system),
    ...urls.map((url) => checkUpstream(url, config, system)),
  ]);
  return [
    ...checkConfig(file, notAvailable, system),
    ...checkFiles(files.slice(1), system),
    checkStore(declared, stored),
    ...checkStoreFiles(declared, system),
    checkDescriptors(config, system),
    checkPorts(config, system),
    clock,
    ...checkTls(config, system),
    ...ports,
    ...checkFamilies(config),
    ...checkKeys(config),
    ...checkPublicUrl(config),
    ...checkRotation(config, localCfgs, system),
    ...upstreams.flat(),
    ...media,
  ];
}

function checkConfig(file: string, notAvailable: readonly string[], system: System): Finding[] {
  const others = isForOthers(file, system);
  return [
    ok("config", "has no faults"),
    ...(others ? [warn("config file", "may be read by every user, with the secrets in it", `chmod o= ${file}`)] : []),
    ...notAvailable.map((key) => warn(`config ${key}`, "is set and does nothing in this version", "count on it not")),
  ];
}

/** Secrets and private keys; certificates and public keys are everybody's. */
export function checkFiles(files: readonly string[], system: System): Finding[] {
  const open = files.filter((file) => isForOthers(file, system) && !isPublic(system.readText(file) ?? ""));
  return open.map((file) => warn("secret file", `${file} may be read by every user`, `chmod o= ${file}`));
}

const isPublic = (text: string): boolean =>
  /-----BEGIN (?:[A-Z ]*PUBLIC KEY|CERTIFICATE)-----/.test(text) && !text.includes("PRIVATE KEY-----");
