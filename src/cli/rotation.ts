/** Where a rotation of the chain secret stands, told from what the files say alone: a killed command leaves nothing else. */

export type Step = "announce" | "use" | "retire";

export interface Standing {
  /** Of the gateway's config, newest first; undefined where none is looked at. */
  readonly gateway: readonly string[] | undefined;
  /** Of each local.cfg, newest first, by its path. */
  readonly kamailios: ReadonlyMap<string, readonly string[]>;
}

export type Rotation =
  | {
      readonly kind: "rotation";
      readonly fresh: string;
      /** Undefined where nothing is left to go out. */
      readonly old: string | undefined;
      /** Begun before: by a command that was killed, or by another step. */
      readonly begun: boolean;
    }
  /** Nothing may be done; the sentence holds no secret. */
  | { readonly kind: "fault"; readonly sentence: string };

/**
 * The two secrets of the rotation that is under way, else of a new one. given: the secret that the operator wants; make: a new
 * one. The gateway's first one is in use; what Kamailio has before it is to come, what it has behind it is to go.
 */
export function rotationOf(
  { gateway, kamailios }: Standing,
  { given, make }: { readonly given: string | undefined; readonly make: () => string },
): Rotation {
  const used = gateway?.[0] ?? given;
  if (used === undefined) return blind(kamailios);
  const coming = new Set([...kamailios.values()].filter(([, second]) => second === used).map(([first]) => first ?? ""));
  const going = new Set([
    ...(gateway?.slice(1) ?? []),
    ...[...kamailios.values()].filter(([first]) => first === used).flatMap(([, second]) => second ?? []),
  ]);
  going.delete(used);
  if (going.size + (gateway ? coming.size : 0) > 1) return { kind: "fault", sentence: several };
  const [next] = gateway ? coming : [];
  const [old] = going;
  if (next !== undefined) return mine({ kind: "rotation", fresh: next, old: used, begun: true }, given);
  if (old !== undefined) return mine({ kind: "rotation", fresh: used, old, begun: true }, given);
  if (!gateway) return unannounced(used, kamailios);
  const stranger = [...kamailios].find(([, secrets]) => !secrets.includes(used) && secrets[0] !== given);
  if (stranger) return { kind: "fault", sentence: `${stranger[0]} does not have the secret that the gateway uses` };
  // Killed when the old one was gone and its place in the config was not.
  if (gateway.length > 1) return mine({ kind: "rotation", fresh: used, old: used, begun: true }, given);
  if (given === used) return { kind: "rotation", fresh: used, old: undefined, begun: true };
  return { kind: "rotation", fresh: given ?? make(), old: used, begun: false };
}

const several = "two rotations are half done at once: make chain.secrets and the local.cfg files agree by hand";

/** A given secret and none of a gateway's: all that is there goes out. */
function unannounced(given: string, kamailios: Standing["kamailios"]): Rotation {
  const there = [...kamailios.values()];
  if (there.some((secrets) => secrets.length > 1)) return { kind: "fault", sentence: several };
  const old = there.flat().find((secret) => secret !== given);
  return { kind: "rotation", fresh: given, old, begun: old === undefined };
}

/** Neither a gateway nor a given secret: only what the files of Kamailio have half done can be ended. */
function blind(kamailios: Standing["kamailios"]): Rotation {
  const half = [...kamailios.values()].filter((secrets) => secrets.length > 1);
  const [fresh, old] = half[0] ?? [];
  if (fresh === undefined || old === undefined) {
    const [only] = [...kamailios.values()].flat();
    return { kind: "rotation", fresh: only ?? "", old: undefined, begun: true };
  }
  if (half.some((secrets) => secrets[0] !== fresh || secrets[1] !== old)) return { kind: "fault", sentence: several };
  return { kind: "rotation", fresh, old, begun: true };
}

function mine(rotation: Extract<Rotation, { kind: "rotation" }>, given: string | undefined): Rotation {
  if (given === undefined || given === rotation.fresh) return rotation;
  return { kind: "fault", sentence: "another rotation is half done: end it first, without --secret" };
}
