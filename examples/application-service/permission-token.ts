import { readFileSync } from "node:fs";
import { signJws } from "./jws.ts";
import type { PermissionRequest } from "./permission-request.ts";
import type { Settings } from "./settings.ts";

/** What everybody may who is not in the file: to call, and to report on the call. */
const usual = ["CreateConference", "SubmitConferenceEvent", "SubmitConferenceStats"];

/** Seconds that what we say here shall hold; the gateway makes no more than an hour of it. */
const life = 3000;

// --- shown in docs/three-party.md
/** The answer to one message of the gateway's, good for nothing else: nonce and aud tie it to that. */
export function permissionToken(
  { issuer, userID, id }: PermissionRequest,
  permissions: readonly string[],
  { key }: Pick<Settings, "key">,
): string {
  const header = { alg: "ES256", typ: "JWT", kid: key.id };
  const claims = { userID, permissions, aud: issuer, nonce: id, exp: Math.floor(Date.now() / 1000) + life };
  return signJws(header, claims, key.private);
}
// --- end

export function permissionsOf(name: string, { permissionsFile }: Settings): readonly string[] {
  if (permissionsFile === undefined) return usual;
  const all = JSON.parse(readFileSync(permissionsFile, "utf8")) as Readonly<Record<string, readonly string[]>>;
  return Object.hasOwn(all, name) ? (all[name] ?? []) : usual;
}
