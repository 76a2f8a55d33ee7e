import { join } from "node:path";
import { type Ended, postern } from "./cli.ts";

/** `postern <args> -c` of a folder's config, as another process; what it printed, parsed where it is JSON. */
export interface Said extends Ended {
  readonly data: Record<string, unknown>;
}

export async function onStore(folder: string, args: readonly string[], stdin = ""): Promise<Said> {
  const ended = await postern([...args, "-c", join(folder, "postern.yaml")], { cwd: folder, stdin });
  return { ...ended, data: parsed(ended.stdout) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** The same, and it must have worked. */
export async function change(folder: string, ...args: readonly string[]): Promise<Said> {
  const said = await onStore(folder, args);
  if (said.exit !== 0) throw new Error(`${args.join(" ")}: exit ${said.exit}: ${said.stderr}`);
  return said;
}

/** A customer with a domain of its own and one secret, which is returned. */
export async function storeCustomer(folder: string, id: string, ...args: readonly string[]): Promise<string> {
  await change(folder, "customer", "add", id, "--domain", `${id}.example`, ...args);
  return String((await change(folder, "secret", "add", id)).data.secret);
}
