import { importJwk, importPem, importSecret } from "../auth/verification-keys.ts";
import type { JwtAlgorithm } from "../core/identity.ts";
import { collect, isMapValue } from "./collect.ts";
import type { Faults } from "./faults.ts";
import { algorithms } from "./keys.ts";
import type { Value, ValueMap } from "./walk.ts";

const sources = ["jwk", "pem", "secret", "jwksUri"] as const;

/** RFC 7518: HS takes a shared secret, all others a public key of their own kind, which may also be fetched. */
export function keysRule(root: Value, faults: Faults): void {
  for (const { path, value } of collect(root, "customers[].keys[]")) {
    if (!isMapValue(value)) continue;
    const given = sources.filter((member) => value[member] !== undefined);
    const [source] = given;
    if (source === undefined || given.length > 1) faults.add(path, "needs exactly one of jwk, pem, secret, jwksUri");
    else {
      const misfit = misfitOf(value, source);
      if (misfit !== undefined) faults.add([...path, source], misfit);
    }
    if (!given.includes("jwksUri")) continue;
    for (const member of ["issuer", "audience"]) {
      if (value[member] === undefined) faults.add([...path, member], "is required with jwksUri");
    }
  }
}

function misfitOf(value: ValueMap, source: (typeof sources)[number]): string | undefined {
  const alg = algorithms.find((known) => known === value.alg);
  if (alg === undefined) return undefined;
  const shared = alg.startsWith("HS");
  if (shared !== (source === "secret")) {
    return `does not go with this alg: ${shared ? "HS… takes a secret" : "only HS… takes a secret"}`;
  }
  const imported = importOf(alg, source, value[source]);
  return imported?.kind === "unusable" ? `${imported.reason}: give a key that was made for ${alg}` : undefined;
}

/** As the proof will import it, so that a key which could never prove anything is told now. */
function importOf(alg: JwtAlgorithm, source: (typeof sources)[number], value: Value) {
  if (source === "jwk") return isMapValue(value) ? importJwk(alg, value) : undefined;
  if (typeof value !== "string" || source === "jwksUri") return undefined;
  return source === "pem" ? importPem(alg, value) : importSecret(alg, Buffer.from(value));
}
