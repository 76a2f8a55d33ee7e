import { show } from "../config/faults.ts";
import type { Fault } from "../config/types.ts";
import { fault } from "./edit.ts";
import { mostInbound, mostOrigins, mostSecrets, type Rights } from "./rights.ts";

/** Members of a customer, and of what it has no other bound for. */
const mostMembers = 40;
/** Above it the schema refuses, in its own words. */
const mostRevoked = 1_100;
/** Characters of a text: a public key as PEM has a thousand or two. */
const longestText = 8_192;

const own: Readonly<Record<string, number>> = {
  secrets: mostSecrets,
  keys: mostSecrets,
  origins: mostOrigins,
  callFrom: mostOrigins,
  inbound: mostInbound,
  revoked: mostRevoked,
};

/**
 * What is too much to be judged by the thread that carries the calls: each fault of tens of thousands that fit into a
 * body costs it something. What an operator gave beyond it may stay.
 */
export const customerRoom: Rights = (before, after) => {
  const names = Object.keys(after);
  if (names.length > mostMembers) return [fault("", "has more members than a customer has: leave out what is none")];
  return names.flatMap((name) => crowded(name, before[name], after[name]));
};

function crowded(name: string, before: unknown, after: unknown): readonly Fault[] {
  if (after === before) return [];
  const most = Math.max(own[name] ?? mostMembers, membersOf(before).length);
  const members = membersOf(after);
  if (members.length > most)
    return [fault(show([name]), `has more than ${most} entries: remove some, or ask the operator`)];
  const isLarge = isLong(after) || members.some((member) => sizeOf(member) > mostMembers);
  return isLarge ? [fault(show([name]), "holds more than anybody needs: make it smaller, or ask the operator")] : [];
}

const membersOf = (value: unknown): readonly unknown[] =>
  typeof value === "object" && value !== null ? Object.values(value) : [];

const isLong = (value: unknown): boolean => typeof value === "string" && value.length > longestText;

/** Values in it, itself among them; of a text that is too long more than anything may have. */
const sizeOf = (value: unknown): number =>
  isLong(value) ? Number.POSITIVE_INFINITY : membersOf(value).reduce((sum: number, one) => sum + sizeOf(one), 1);
