import { userInfo } from "node:os";
import type { Act } from "../store/port.ts";

/** What a command does, by the user of the system who runs it; behind sudo both are named. */
export function actOf(what: string, customer?: string): Act {
  const { SUDO_USER: before } = process.env;
  const user = nameOf();
  const by = before && before !== user ? `cli:${user} (sudo by ${before})` : `cli:${user}`;
  return { by, what, ...(customer !== undefined && { customer }) };
}

/** A user whom the system's list does not have has a number alone. */
function nameOf(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
