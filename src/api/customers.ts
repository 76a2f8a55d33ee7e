import type { Manager } from "../auth/management.ts";
import type { Clock } from "../core/clock.ts";
import type { Customers } from "../core/customers.ts";
import type { ApiKey, Customer } from "../core/identity.ts";
import type { Use } from "../core/uses.ts";
import { changeCustomer, type Desk, type Outcome, type Wish } from "../manage/change.ts";
import type { Edit } from "../manage/edit.ts";
import type { Imported } from "../manage/import.ts";
import type { ImportJob } from "../manage/import-messages.ts";
import { customerRights, operatorRights, type Rights, saidSecrets } from "../manage/rights.ts";
import { customerRoom } from "../manage/room.ts";
import { itemOf } from "../manage/view.ts";
import type { State } from "../state/port.ts";
import type { Item, Store } from "../store/port.ts";
import type { Log } from "../telemetry/log.ts";
import { type Answer, type Asked, noCustomer, type Refused } from "./asked.ts";
import { asUnavailable, hasty, isDeclared, noStore, refusalOf, spent, unreadable } from "./customer-refusals.ts";
import { ifMatch } from "./etag.ts";

/** A customer of the config. */
export interface Declared {
  readonly customer: Customer;
  readonly connectionsPerUser: number;
}

export interface CustomersOptions {
  /** All that are in force. */
  readonly customers: () => Customers;
  /** Those of the config, by id. */
  readonly declared: () => ReadonlyMap<string, Declared>;
  readonly stored: StoredAtHand;
  /** How often its secrets and keys proved somebody. */
  readonly uses: (customer: string) => Promise<readonly Use[]>;
  /** Imports apart from what this thread has to do. */
  readonly bring: (job: Omit<ImportJob, "store" | "surroundings">) => Promise<Imported>;
  readonly surroundings: () => Desk["surroundings"];
  /** What its own keys may yet add to the audit. */
  readonly budget: { take(customer: string): boolean; giveBack(customer: string): void };
  readonly state: State;
  readonly clock: Clock;
  readonly log: Log;
}

export interface StoredAtHand {
  /** Undefined where there is none yet. */
  readonly opened: { readonly store: Store } | undefined;
  /** Resolves when what was written with that revision is in force in this process, or cannot be read. */
  inForce(revision: number): Promise<void>;
}

/** What there is of a customer. revision: of a stored one. */
export type Found =
  | { readonly kind: "found"; readonly item: Item; readonly revision?: number }
  | { readonly kind: "refused"; readonly answer: Refused };

export interface Changed<Told> {
  readonly item: Item;
  readonly revision: number;
  readonly told: Told;
}

/** How a change over HTTP is to be made and answered. */
export interface Change<Told> {
  readonly what: (told: Told) => string;
  readonly answer: (changed: Changed<Told>) => Answer | Promise<Answer>;
  /** How a path in the item is called in what was sent. */
  readonly path?: (path: string) => string;
  /** What was sent, where it may say anything of a customer. */
  readonly said?: Item;
}

/** Of a customer by its own keys, within a minute. */
const mostChanges = 240;

/** Reads and changes customers for who manages them. */
export class ManagedCustomers {
  readonly options: CustomersOptions;
  /** The last change of each customer that is under way. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: CustomersOptions) {
    this.options = options;
  }

  async find({ id }: Pick<Asked, "id">): Promise<Found> {
    const declared = this.options.declared().get(id);
    if (declared) return { kind: "found", item: itemOf(declared.customer, declared.connectionsPerUser) };
    const record = await this.options.stored.opened?.store.get(id).catch(asUnavailable);
    if (record?.kind === "refused") return { kind: "refused", answer: record };
    if (record?.kind === "unreadable") return { kind: "refused", answer: unreadable(record.sentence) };
    if (record?.kind !== "stored") return { kind: "refused", answer: noCustomer };
    return { kind: "found", item: record.item, revision: record.revision };
  }

  /** One edit within the manager's rights; in force when it is answered. */
  async change<Told>(asked: Asked, edit: Edit<Told>, change: Change<Told>): Promise<Answer> {
    return this.write(asked, change, (desk, wish) => changeCustomer(asked.id, edit, desk, wish));
  }

  async write<Told>(
    asked: Asked,
    { what, answer, path, said }: Change<Told>,
    work: (desk: Desk, wish: Wish<Told>) => Promise<Outcome<Told>>,
  ): Promise<Answer> {
    const { stored, declared, log } = this.options;
    const expected = ifMatch(asked.raw);
    if (expected.kind === "refused") return expected;
    if (asked.id !== "" && declared().has(asked.id)) return isDeclared;
    if (await this.#isHasty(asked)) return hasty;
    const desk = this.desk(asked);
    if (!desk) return asked.id === "" ? noStore : noCustomer;
    const wish = {
      act: (told: Told) => asked.act(what(told)),
      expected: expected.revisions,
      rights: this.#rights(asked, said),
      room: asked.manager.kind === "customer" ? customerRoom : undefined,
    };
    const outcome = await this.#inTurn(asked.id, () => this.#withinBudget(asked, () => work(desk, wish)));
    if (outcome === undefined) return spent;
    if (outcome.kind !== "changed") return refusalOf(outcome, path);
    await stored.inForce(outcome.revision);
    const { by, what: named, customer, address } = asked.act(what(outcome.told));
    log.info(
      { by, what: named, customer: customer ?? outcome.item.id, revision: outcome.revision, address },
      "customer changed",
    );
    return answer(outcome);
  }

  /** Of one customer one after the other: at once they would only undo each other's attempts. */
  async #inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work, work);
    this.#turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }

  /** Each change is looked at by every gateway and for every socket there; an operator's need no limit. */
  async #isHasty({ manager }: Asked): Promise<boolean> {
    if (manager.kind === "operator") return false;
    const { state, clock } = this.options;
    const key = `customer:${manager.customer.id} changes`;
    return (await state.add("replies", key, clock.now() + 60_000)) > mostChanges;
  }

  /** Undefined where a customer's own keys have changed it too often. */
  async #withinBudget<Told>(
    { manager, id }: Asked,
    work: () => Promise<Outcome<Told>>,
  ): Promise<Outcome<Told> | undefined> {
    const { budget } = this.options;
    if (manager.kind === "operator") return work();
    if (!budget.take(id)) return undefined;
    const outcome = await work();
    if (outcome.kind !== "changed") budget.giveBack(id);
    return outcome;
  }

  /** Undefined where there is no store. */
  desk({ manager }: Pick<Asked, "manager">): Desk | undefined {
    const { stored, surroundings, clock } = this.options;
    if (!stored.opened) return undefined;
    return {
      store: stored.opened.store,
      surroundings: { ...surroundings(), discreet: manager.kind === "customer" },
      now: () => Math.floor(clock.now() / 1000),
    };
  }

  #rights({ manager }: Asked, said: Item = {}): Rights {
    if (manager.kind === "operator") return operatorRights;
    const { id } = manager.customer;
    const may = customerRights((number) => this.options.customers().ownerOf(number)?.id === id);
    return (before, after) => (isStill(manager, before) ? [...saidSecrets(said), ...may(before, after)] : [keyGone]);
  }
}

/** Changes wait for their turn, and before it the key may be removed or the customer suspended. */
function isStill({ customer, apiKey }: Manager & { readonly kind: "customer" }, { apiKeys, suspended }: Item): boolean {
  const proved = customer.apiKeys.find(({ id }) => id === apiKey);
  const isProved = (one: Partial<ApiKey>): boolean => one.id === apiKey && one.secret === proved?.secret;
  return suspended === undefined && Array.isArray(apiKeys) && apiKeys.some(isProved);
}

const keyGone = { path: "", line: 1, message: "the API key, or the whole customer, was revoked just now" };
