import type { Customer, TrunkAuth } from "../core/identity.ts";
import { asE164, asTrunkWrites } from "../core/trunk-format.ts";

/** What a judged number adds to a request: where it goes, and how. All but trunk may be empty or absent. */
export interface Outward {
  readonly trunk: string;
  /** The next targets where trunk fails, apart by `>`. */
  readonly trunk2: string;
  readonly caller: string;
  /** What is dialled there, where that is not the number as it was judged. */
  readonly dial?: string;
  readonly auth?: TrunkAuth;
  /** false: the trunk is not told who calls where the caller wants that hidden. */
  readonly trusted?: boolean;
}

export const nowhere: Outward = { trunk: "", trunk2: "", caller: "" };

/**
 * To whose trunk a number goes. of: its owner, else the caller's customer, whose own credential and format they are; patterns: of numbers, by which it was
 * allowed. Undefined where what its trunk would dial is another number than was judged.
 */
export function outwardTo(
  of: Customer & { trunk: string },
  number: string,
  patterns: readonly string[],
  caller: string,
): Outward | undefined {
  const { trunk, trunk2 = [], trunkAuth, trunkFormat, trunkTrusted } = of;
  const whole = trunkFormat && asE164(number, patterns);
  const dial = whole === undefined ? number : asTrunkWrites(trunkFormat ?? {}, whole);
  if (dial === undefined) return undefined;
  return {
    trunk,
    trunk2: trunk2.join(">"),
    caller,
    ...(dial !== number && { dial }),
    ...(trunkAuth && { auth: trunkAuth }),
    ...(trunkTrusted === false && { trusted: false }),
  };
}
