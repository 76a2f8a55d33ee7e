import { z } from "zod";
import { nearest } from "./faults.ts";
import * as is from "./fields.ts";
import { parseListen } from "./listen.ts";

/** The kinds of values that the schema is made of. Sentences continue "<path> …" and never repeat the value. */

export const largest = 2 ** 31 - 1;
/** Kamailio reads stamps as unsigned 32-bit. */
const lastSecond = 2 ** 32 - 1;

/** A map whose unknown keys are faults; where a known key is near, it is named. */
export function map<Shape extends z.core.$ZodShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => unknownKey(key, known)).join("\n") : undefined,
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined ? "is not a known key" : `is not a known key: did you mean ${meant}?`;
}

export const text = (check: (text: string) => boolean, sentence: string) => z.string().refine(check, sentence);

/** Compared and kept in lower case. */
export const lower = (check: (text: string) => boolean, sentence: string) =>
  z.string().toLowerCase().refine(check, sentence);

export const list = <Entry extends z.ZodType>(entry: Entry) => z.array(entry).default([]);

export const whole = (least: number, most: number) => z.int().min(least).max(most);

/** 0: no limit. */
export const limit = (usual: number, most = largest) => whole(0, most).default(usual);

export const hash = z.enum(["sha1", "sha256", "sha384", "sha512"]);

export const id = text(is.isId, "is no id: write up to 64 letters, digits and _ . -, beginning with a letter or digit");

export const secret = text(
  (value) => Buffer.byteLength(value) >= 16,
  "has fewer than 16 bytes: make one by openssl rand -base64 32",
)
  .refine(is.isReadable, "is not UTF-8 text: make one by openssl rand -base64 32")
  .refine((value) => !is.isGuessable(value), "is one that anybody would try: make one by openssl rand -base64 32");

export const domain = lower(is.isDomain, "is no domain: write a host name like acme.example");

export const network = text(is.isNetwork, "is no network: write it like 10.0.0.0/8, a single address with /32 or /128");

export const numberPattern = text(
  is.isNumberPattern,
  'is no number pattern: write it like "+3225887000" or "+3225887*", at most 20 digits',
);

/** Whoever owned every number would get every call. */
export const ownNumberPattern = numberPattern.refine(
  (value) => is.inboundKey(value) !== "*",
  'matches every number, and a number has one owner: write the range that it has, like "+3225887*"',
);

export const address = (...schemes: readonly string[]) =>
  lower(
    (value) => schemes.includes(parseListen(value)?.scheme ?? ""),
    `is no address to listen on: write ${schemes.map((scheme) => `${scheme}://host:port`).join(" or ")}`,
  ).transform((value) => value.replace(/\/$/, ""));

export const websocketUrl = text(
  (value) => is.isUrl(value, ["ws:", "wss:"]),
  "is no WebSocket URL: write ws://host:port or wss://host:port",
);

export const collectorUrl = text(
  (value) => is.isUrl(value, ["udp:"]) && /^udp:\/\/[^/?#@]+$/.test(value),
  "is no address of a HEP collector: write udp://host:9060",
);

/** Where http:// may lead is judged by the rules, for it depends on exchange.callbackNetworks. */
export const webUrl = text(
  is.isWebUrl,
  "is no https:// URL in printable ASCII, up to 2048 characters, without user, password and fragment",
);

/** `on` and `off` are texts in YAML 1.2 and switches to everybody else. */
export const onOff = z
  .union([z.boolean(), z.enum(["on", "off"])], { error: "must be on or off" })
  .transform((value) => value === true || value === "on");

const iso =
  /^(\d{4})-(\d{2})-(\d{2})(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;

/** ISO 8601 with a zone (a date alone: its midnight UTC) or Unix seconds, undefined for anything else. */
export function parseInstant(value: unknown): number | undefined {
  const seconds = typeof value === "string" ? secondsOf(value) : value;
  const sound = typeof seconds === "number" && Number.isInteger(seconds) && seconds >= 0 && seconds <= lastSecond;
  return sound ? seconds : undefined;
}

function secondsOf(value: string): number | undefined {
  if (/^[0-9]{1,10}$/.test(value)) return Number(value);
  const found = iso.exec(value);
  if (!found) return undefined;
  const [, year, month, day] = found.map(Number);
  const lastDay = new Date(Date.UTC(year!, month!, 0)).getUTCDate();
  return day! < 1 || day! > lastDay ? undefined : Math.floor(Date.parse(value) / 1000);
}

export const instant = z.unknown().transform((value, context) => {
  const seconds = parseInstant(value);
  if (seconds !== undefined) return seconds;
  context.addIssue("is no instant: write ISO 8601 like 2026-01-31T12:00:00Z, or Unix seconds (not milliseconds)");
  return z.NEVER;
});
