import { usage } from "./outcome.ts";
import { readSecret, secretSources } from "./secret-source.ts";

/** A URL as it was typed, or from where a secret may come: one with a query may hold a token. Ends the command, exit 2. */
export function urlOf(option: string, given: string): string {
  if (/^(?:env:|file:|-$)/.test(given)) return secretOf(option, given);
  if (given.includes("?")) return usage(`${option} with a query may hold a token: give it by ${secretSources}`);
  return given;
}

/** Ends the command, exit 2, where it cannot be read. */
export function secretOf(option: string, source: string): string {
  const read = readSecret(option, source, process.env);
  return read.kind === "fault" ? usage(read.sentence) : read.secret;
}
