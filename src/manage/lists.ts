import { inboundKey } from "../config/fields.ts";
import type { Item } from "../store/port.ts";
import { absent, type Edit, fault, made, refused, textsOf, withMember } from "./edit.ts";

/** Lists of texts, and what one of them is called. */
export const listNames = {
  domains: "domain",
  origins: "origin",
  callFrom: "From address",
  numbers: "number",
  dial: "number",
  passHeaders: "header",
} as const;

export type ListName = keyof typeof listNames;

/** Adding what is there already changes nothing and is no fault. */
export const addText =
  (list: ListName, value: string): Edit<{ readonly added: boolean }> =>
  (item) => {
    const texts = textsOf(item, list);
    const added = !texts.some((text) => spelled(list, text) === spelled(list, value));
    return made(added ? { ...item, [list]: [...texts, value] } : item, { added });
  };

/** The last origin stays: without any every page may connect, which is not what removing one says. */
export const removeText =
  (list: ListName, value: string): Edit<{ readonly left: number }> =>
  (item) => {
    const texts = textsOf(item, list);
    const wanted = spelled(list, value);
    const left = texts.filter((text) => spelled(list, text) !== wanted);
    if (left.length === texts.length) return absent(listNames[list]);
    if (list === "origins" && left.length === 0) return refused(fault("origins[0]", lastOrigin));
    return made({ ...item, [list]: left }, { left: left.length });
  };

const lastOrigin = "is the last one, and without any every page may connect: where that is meant, set origins to []";

/** Domains and origins know no case. */
function spelled(list: ListName, value: string): string {
  if (list === "callFrom") return value.replace(/@[^@]*$/, (domain) => domain.toLowerCase());
  return list === "domains" || list === "origins" ? value.toLowerCase() : value;
}

const inboundOf = ({ inbound }: Item): Readonly<Record<string, unknown>> =>
  typeof inbound === "object" && inbound !== null ? (inbound as Record<string, unknown>) : {};

/** Calls from outside to the number go to the user, in whatever spelling the number stood there before. */
export const setInbound =
  (number: string, user: string): Edit<{ readonly number: string; readonly user: string }> =>
  (item) =>
    made({ ...item, inbound: { ...others(item, number), [number]: user } }, { number, user });

export const removeInbound =
  (number: string): Edit<{ readonly number: string }> =>
  (item) => {
    const left = others(item, number);
    if (Object.keys(left).length === Object.keys(inboundOf(item)).length) return absent("number");
    return made(withMember(item, "inbound", left), { number });
  };

const others = (item: Item, number: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(inboundOf(item)).filter(([key]) => inboundKey(key) !== inboundKey(number)));
