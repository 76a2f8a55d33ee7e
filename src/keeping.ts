import { hostname } from "node:os";
import type { Clock } from "./core/clock.ts";
import type { Customers } from "./core/customers.ts";
import { type Use, UseCounts } from "./core/uses.ts";
import type { Verdicts } from "./core/verdicts.ts";
import { AuditBudget } from "./store/audit-budget.ts";
import { Journal } from "./store/journal.ts";
import type { Act, Ports } from "./store/port.ts";
import { SignIns } from "./store/sign-ins.ts";
import { UseFlush } from "./store/use-flush.ts";
import type { Log } from "./telemetry/log.ts";
import { Refusals } from "./telemetry/refusals.ts";

export interface KeepingParts {
  /** Undefined while there is no store. */
  readonly ports: () => Ports | undefined;
  readonly customers: () => Customers;
  readonly clock: Clock;
  readonly log: Log;
}

/** id: of the operator or the API key. */
export interface SignedIn {
  readonly id: string;
  readonly customer?: string;
}

/** What a gateway remembers of what it did and said: in the store's audit and uses, and refusals in memory. */
export interface Keeping {
  readonly verdicts: Verdicts;
  /** What is written and what is not yet. Rejects where the store cannot be read. */
  usesOf(customer: string): Promise<readonly Use[]>;
  readonly refusals: Refusals;
  /** What customers' own keys may yet add to the audit. */
  readonly budget: AuditBudget;
  /** Who manages was proved: by an operator's key, or by an API key of a customer. */
  signedIn(manager: SignedIn, address: string): void;
  /** Whoever manages did something that changes no customer; above a customer's budget it is in the log alone. */
  acted(act: Act): void;
  /** The gateway's own act, as in `config.reload`. */
  note(what: string): void;
  start(): void;
  close(): Promise<void>;
}

export function composeKeeping({ ports, customers, clock, log }: KeepingParts): Keeping {
  const journal = new Journal({ audit: () => ports()?.audit, log });
  const [uses, refusals] = [new UseCounts(clock), new Refusals(clock)];
  const budget = new AuditBudget(clock);
  const signIns = new SignIns(clock, (act) => journal.note(act));
  const isThere = (use: Use): boolean => has(customers(), use);
  const flush = new UseFlush({ counts: uses, uses: () => ports()?.uses, isThere, log });
  const note = (what: string): void => journal.note({ by: "gateway", what: `${what} ${hostname()}` });
  return {
    verdicts: {
      accepted: ({ customer, provedBy }) =>
        uses.note(customer.id, "source" in provedBy ? "key" : "secret", provedBy.id),
      refused: (visit) => refusals.note(visit),
    },
    usesOf: async (customer) => {
      // Both of one moment: what is on its way to the store meanwhile is counted, and once.
      const [counted, kept] = [uses.of(customer), ports()?.uses.of(customer)];
      return together([...((await kept) ?? []), ...counted]);
    },
    refusals,
    budget,
    signedIn: ({ id, customer }, address) => {
      if (customer !== undefined) uses.note(customer, "apiKey", id);
      signIns.proved(customer === undefined ? `operator:${id}` : `customer:${customer}/${id}`, address, customer);
    },
    acted: (act) => {
      if (!act.by.startsWith("customer:") || budget.take(act.customer ?? "")) journal.note(act);
    },
    note,
    start: () => {
      journal.start();
      flush.start();
      note("gateway.start");
    },
    close: async () => {
      note("gateway.stop");
      await Promise.all([journal.close(), flush.close()]);
    },
  };
}

function together(uses: readonly Use[]): readonly Use[] {
  const sums = new Map<string, Use>();
  for (const use of uses) {
    const { count = 0, last = 0 } = sums.get(`${use.kind} ${use.id}`) ?? {};
    sums.set(`${use.kind} ${use.id}`, { ...use, count: count + use.count, last: Math.max(last, use.last) });
  }
  return [...sums.values()];
}

function has(customers: Customers, { customer: id, kind, id: used }: Use): boolean {
  const customer = customers.byId(id);
  if (!customer) return false;
  const all = { secret: customer.secrets, key: customer.keys, apiKey: customer.apiKeys }[kind];
  return all.some((one) => one.id === used);
}
