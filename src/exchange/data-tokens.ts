import { isAccessToken, mintAccessToken } from "../auth/access-token.ts";
import type { EndedConferences } from "../auth/conferences.ts";
import type { Permitted } from "../auth/permission-token.ts";
import { seconds } from "../core/clock.ts";
import { type CountedName, customerName } from "../core/counted.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Identity, Permission } from "../core/identity.ts";
import { revokedOf, takenBack } from "../core/revocations.ts";
import { originRefusal } from "../policy/authorize.ts";
import { refusals, refusedBy, unavailable, unfit } from "./application-refusals.ts";
import { Applications, type ApplicationsParts } from "./applications.ts";
import { type Caller, type Denied, denied, type Granted } from "./context.ts";
import type { DataTokenAsked } from "./data-token-asked.ts";
import { carried } from "./exchange.ts";
import { later, turnedAway } from "./gate.ts";
import type { Words } from "./permission-service.ts";

/** expires_in: seconds. */
export interface DataToken {
  readonly data_token: string;
  readonly token_type: "bearer";
  readonly expires_in: number;
  readonly permissions: readonly Permission[];
}

/** words: the application's own, where it refused. */
export type DataTokenOutcome = Granted<DataToken> | (Denied & { readonly words?: Words });

export interface DataTokenParts extends ApplicationsParts {
  readonly conferences: Pick<EndedConferences, "isOver">;
}

const minute = 60;
/** Seconds: of a data token at most. */
const longest = 3_600;

/** The three-party flow: a customer's application is asked what its visitor may do, and the data token says that. */
export class DataTokens {
  readonly #parts: DataTokenParts;
  readonly #applications: Applications;

  constructor(parts: DataTokenParts) {
    this.#parts = parts;
    this.#applications = new Applications(parts);
  }

  async ask(asked: DataTokenAsked, caller: Caller): Promise<DataTokenOutcome> {
    const claimed = customerName(asked.appID);
    const outcome = await this.#judge(asked, caller, claimed);
    const about = { claimed, user: asked.userID };
    return outcome.kind === "refused" && !outcome.customer ? { ...outcome, ...about } : outcome;
  }

  async #judge(asked: DataTokenAsked, caller: Caller, claimed: CountedName): Promise<DataTokenOutcome> {
    const { context, customers } = this.#parts;
    const away = turnedAway(caller, [claimed], context);
    if (away) return away;
    if (await context.failures.isOver(caller.address, [claimed], context.settings().limits.failuresPerMinute))
      return later(refusals.tooManyFailures, minute);
    const customer = customers().byId(asked.appID);
    const counted = (refusal: Refusal, words?: Words) =>
      this.#counted({ ...denied(refusal), ...(words && { words }) }, caller, claimed);
    // Nobody has proved anything yet: who is suspended is not asked for, and it is not said of them.
    if (customer?.permissionUrl === undefined || customer.suspended !== undefined) return counted(refusals.unknown);
    if (isAccessToken(asked.token)) return counted(refusals.ours);
    const { allowMissingOrigin } = context.settings();
    const foreign = originRefusal(customer, { origin: caller.origin, allowMissingOrigin });
    if (foreign) return denied(foreign);
    const settled = await this.#applications.ask(asked, customer, caller);
    switch (settled.kind) {
      case "permitted":
        return this.#grant(settled.permitted, customer.id);
      case "denied":
        return counted(refusedBy(settled.status, settled.words), settled.words);
      case "unfit":
        return denied(unfit(settled.sentence), customer);
      case "unavailable":
        return { ...later(unavailable(settled.sentence), 5), customer };
      case "refused":
        return settled;
    }
  }

  async #counted(refused: Denied, { address }: Caller, claimed: CountedName): Promise<Denied> {
    const { failures, settings } = this.#parts.context;
    await failures.add(address, [claimed], settings().limits.failuresPerMinute);
    return refused;
  }

  #grant(permitted: Permitted, id: string): DataTokenOutcome {
    const { context, customers, conferences } = this.#parts;
    const customer = customers().byId(id);
    if (!customer) return later(refusals.changed, 1);
    const identity: Identity = { ...permitted, customer };
    const refusal = this.#refusalOf(identity, conferences);
    if (refusal) return denied(refusal, customer);
    const now = seconds(context.clock);
    const ttl = Math.max(1, Math.min(longest, permitted.expiry - now, customer.maxTtl));
    const { publicUrl: issuer } = context.settings();
    const token = carried(() => mintAccessToken({ identity, keys: context.keys(), issuer, ttl, now }));
    if (typeof token !== "string") return denied(unfit(token.sentence), customer);
    const answer: DataToken = {
      data_token: token,
      token_type: "bearer",
      expires_in: ttl,
      permissions: permitted.narrowing.permissions ?? [],
    };
    return { kind: "granted", identity, answer };
  }

  /** What may stand against whom the application let in. */
  #refusalOf(identity: Identity, conferences: DataTokenParts["conferences"]): Refusal | undefined {
    const { customer, domain } = identity;
    if (takenBack(identity, seconds(this.#parts.context.clock)) !== undefined) return revokedOf(customer);
    if (!customer.domains.includes(domain))
      return refuse(
        "identity-mismatch",
        "the userID is in no domain of the customer: write user@domain with one that it has",
      );
    return conferences.isOver(identity) ? unfit("the conferenceID that it names has ended") : undefined;
  }
}
