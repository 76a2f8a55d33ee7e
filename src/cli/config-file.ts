import type { Loaded } from "../config/types.ts";
import { faulty } from "./outcome.ts";

export const configOption = ["-c, --config <file>", "the config file", "postern.yaml"] as const;

/** Loads what `-c` names; loaded here, for YAML and the schema take longer than most commands. */
export async function load(file: string): Promise<Loaded> {
  const { loadConfig } = await import("../config.ts");
  return loadConfig(file, process.env);
}

/** The same for commands that cannot go on without: every fault on stderr, exit 2. */
export async function need(file: string): Promise<Extract<Loaded, { kind: "config" }>> {
  const loaded = await load(file);
  if (loaded.kind === "config") return loaded;
  return faulty(file, loaded.faults);
}
