/** What an operator's local.cfg says of the chain, read and written line by line; all else in it stays as it is. */

export interface LocalCfg {
  /** CHAIN_SECRET, then CHAIN_SECRET_OLD. */
  readonly secrets: readonly string[];
  /** RPC_SOCKET: a path. */
  readonly socket: string | undefined;
}

export type ReadLocalCfg =
  | { readonly kind: "read"; readonly local: LocalCfg }
  /** What is wrong with it; holds nothing of it. */
  | { readonly kind: "fault"; readonly sentence: string };

const define = (name: string): RegExp => new RegExp(`^#!(?:define|def)[ \\t]+${name}[ \\t]+(.*)$`, "gm");
const quoted = /^"((?:[^"\\]|\\["\\])*)"[ \t\r]*$/;

export function readLocalCfg(text: string): ReadLocalCfg {
  const [secret, old, socket] = ["CHAIN_SECRET", "CHAIN_SECRET_OLD", "RPC_SOCKET"].map((name) => one(text, name));
  for (const found of [secret, old, socket]) if (found?.kind === "fault") return found;
  const value = (found: Found | undefined): string | undefined => (found?.kind === "value" ? found.value : undefined);
  const newest = value(secret);
  if (newest === undefined) return { kind: "fault", sentence: "has no line #!define CHAIN_SECRET" };
  const former = value(old);
  const secrets = former === undefined || former === newest ? [newest] : [newest, former];
  return { kind: "read", local: { secrets, socket: value(socket) } };
}

type Found =
  | { readonly kind: "none" }
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "fault"; readonly sentence: string };

function one(text: string, name: string): Found {
  const found = [...text.matchAll(define(name))];
  if (found.length === 0) return { kind: "none" };
  if (found.length > 1) return { kind: "fault", sentence: `defines ${name} more than once: leave one line` };
  const value = quoted.exec(found[0]?.[1] ?? "")?.[1];
  if (!value) return { kind: "fault", sentence: `defines ${name} as what is no text in double quotes on one line` };
  return { kind: "value", value: value.replace(/\\(.)/g, "$1") };
}

/** RTPENGINE: where media relays take commands, `udp:127.0.0.1:22222`, without weights. */
export function relaysOf(text: string): readonly string[] {
  const found = one(text, "RTPENGINE");
  return found.kind === "value" ? found.value.split(/\s+/).map((relay) => relay.replace(/=\d*$/, "")) : [];
}

/** The same text with these secrets, one or two, newest first. The text was read before. */
export function withSecrets(text: string, secrets: readonly string[]): string {
  const [newest = "", former] = secrets;
  const without = text.replace(new RegExp(`${define("CHAIN_SECRET_OLD").source}\\r?\\n?`, "m"), "");
  const lines = [line("CHAIN_SECRET", newest), ...(former === undefined ? [] : [line("CHAIN_SECRET_OLD", former)])];
  return without.replace(new RegExp(define("CHAIN_SECRET").source, "m"), () => lines.join("\n"));
}

const line = (name: string, value: string): string => `#!define ${name} "${value.replace(/["\\]/g, "\\$&")}"`;

/** Whether Kamailio's configuration and its table can hold it: one line of text. */
export const isOneLine = (secret: string): boolean => !/[\x00-\x1f\x7f]/.test(secret);
