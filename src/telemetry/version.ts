import { readFileSync } from "node:fs";

/** Of package.json. */
export function version(): string {
  const about: { version: string } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return about.version;
}
