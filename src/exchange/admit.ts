import type { PresentedPassword, PresentedToken, Proof } from "../auth/authenticator.ts";
import type { CountedName } from "../core/counted.ts";
import { refuse } from "../core/errors.ts";
import { address, type Identity } from "../core/identity.ts";
import { originRefusal } from "../policy/authorize.ts";
import { claimedBy } from "./claimed.ts";
import { type Caller, type Context, type Denied, denied } from "./context.ts";
import { later, turnedAway } from "./gate.ts";

export type Shown = PresentedPassword | PresentedToken;

export type Admission = { readonly kind: "admitted"; readonly identity: Identity } | Denied;

const minute = 60;

const refusals = {
  tooManyFailures: refuse("rate-limited", "too many wrong credentials from this address: wait a minute"),
  crowded: refuse("rate-limited", "too many credentials of this address are being proved now: ask again soon"),
};

/** Who shows this credential, and whether a page of this origin may: limits, proof, origin, in this order. */
export async function admit(shown: Shown, caller: Caller, context: Context): Promise<Admission> {
  const { failuresPerMinute } = context.settings().limits;
  const claimed = claimedBy(shown);
  const away = turnedAway(caller, claimed, context);
  if (away) return away;
  const counted = (): Promise<Proved | Denied> => proveCounted(shown, caller.address, claimed, context);
  const crowded = (): Denied => later(refusals.crowded, 5);
  const proof = await context.failures.inTurn(caller.address, shown.kind, failuresPerMinute, counted, crowded);
  if (proof.kind !== "proved")
    return { ...proof, claimed: claimed.find((name) => name !== "unnamed"), user: userOf(shown) };
  return judgeOrigin(proof.identity, caller, context);
}

/** As the username has it: expiry, user and domain, handle. */
const userOf = (shown: Shown): string | undefined =>
  shown.kind === "password" ? /^[0-9]*:([^;]*)/.exec(shown.username)?.[1] : undefined;

type Proved = Extract<Proof, { kind: "proved" }>;

async function proveCounted(
  shown: Shown,
  address: string,
  claimed: readonly CountedName[],
  context: Context,
): Promise<Proved | Denied> {
  const { failuresPerMinute } = context.settings().limits;
  if (await context.failures.isOver(address, claimed, failuresPerMinute))
    return later(refusals.tooManyFailures, minute);
  const proof = await prove(shown, context);
  if (proof.kind === "proved") return proof;
  const { refusal, customer } = proof;
  if (refusal.code === "credential-rejected") await context.failures.add(address, claimed, failuresPerMinute);
  return denied(refusal, customer);
}

async function prove(shown: Shown, { chain, proved }: Context): Promise<Exclude<Proof, { kind: "stale" }>> {
  const began = performance.now();
  const proof = await chain.prove(shown);
  proved(performance.now() - began);
  if (proof.kind === "stale") throw new Error("only a digest answer can be stale");
  return proof;
}

function judgeOrigin(identity: Identity, { origin }: Caller, { settings }: Context): Admission {
  const refusal = originRefusal(identity.customer, { origin, allowMissingOrigin: settings().allowMissingOrigin });
  return refusal ? { ...denied(refusal, identity.customer), user: address(identity) } : { kind: "admitted", identity };
}
