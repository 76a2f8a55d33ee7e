import { isIP } from "node:net";
import { userPattern } from "../core/identity.ts";

/** What single values of a config must look like. Each check takes lower case where the thing knows no case. */

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const hostname = `${label}(?:\\.${label})*`;
const host = new RegExp(`^${hostname}$`);
const port = "(?::[1-9][0-9]{0,4})?";

export const isDomain = (text: string): boolean => text.length <= 253 && host.test(text);

export const isCustomerId = (text: string): boolean => /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(text);

/** Ids of secrets, keys, operators: they stand in logs. */
export const isId = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text);

/** Bytes that are no UTF-8 have become U+FFFD, all of them: little would be left of a random key. */
export const isReadable = (secret: string): boolean => !secret.includes("\ufffd");

const placeholder =
  /^(?=.*[a-z])(?:[ -/:-@[-`{-~]|\d|change|replace|me|this|is|your|my|the|a|here|put|to|with|some|random|please|secret|passw(?:or)?d|key|value|string|example|sample|default|test)+$/;

/** A short piece over and over, and what stands in examples to be replaced. */
export const isGuessable = (secret: string): boolean =>
  /^(.{1,4})\1+.{0,3}$/s.test(secret) || placeholder.test(secret.toLowerCase());

/** A number, or a pattern, without what may stand before it. */
export const inboundKey = (number: string): string => number.replace(/^(?:\+|00)/, "");

export const isNumber = (text: string): boolean => /^\+?[0-9]{1,20}$/.test(text);

export const isNumberPattern = (text: string): boolean => /^\+?[0-9]{0,20}\*?$/.test(text) && /[0-9*]/.test(text);

export const isMethod = (text: string): boolean => /^[A-Z][A-Z0-9._-]{0,31}$/.test(text);

export const isUser = (text: string): boolean => userPattern.test(text);

/** RFC 3261 token, X- but not the gateway's own. */
export const isPassHeader = (text: string): boolean =>
  /^x-[a-z0-9\-.!%*_+`'~]{1,62}$/i.test(text) && !/^x-postern(-|$)/i.test(text);

/** `user@domain` or `*@domain`, the domain in lower case. */
export function isCallFrom(text: string): boolean {
  const at = text.lastIndexOf("@");
  const user = text.slice(0, at);
  return at > 0 && (user === "*" || isUser(user)) && isDomain(text.slice(at + 1));
}

const origin = new RegExp(`^([a-z][a-z0-9+.-]*)://(?:(?:\\*\\.)?${hostname}|\\[[0-9a-f:.]+\\])(${port})$`);
const defaultPorts: Readonly<Record<string, string>> = {
  "http:": ":80",
  "https:": ":443",
  "ws:": ":80",
  "wss:": ":443",
};

/** Serialized as browsers send it (RFC 6454 section 6.2): no default port, no path, and never the literal "null". */
/** With a host of 253 characters. */
const longestOrigin = 300;

export function isOrigin(text: string): boolean {
  const found = text.length <= longestOrigin && origin.exec(text);
  if (!found) return false;
  const bracket = /\[(.*)\]/.exec(text);
  if (bracket && isIP(bracket[1] ?? "") !== 6) return false;
  return validPort(found[2]) && found[2] !== defaultPorts[`${found[1]}:`];
}

function validPort(text: string | undefined): boolean {
  return !text || Number(text.slice(1)) <= 65_535;
}

export function isNetwork(text: string): boolean {
  const slash = text.lastIndexOf("/");
  const family = isIP(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  return (
    family !== 0 &&
    !text.includes("%") &&
    /^(0|[1-9][0-9]{0,2})$/.test(bits) &&
    Number(bits) <= (family === 4 ? 32 : 128)
  );
}

const sipUser = "[A-Za-z0-9\\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2}";
const parameter = "(?:[A-Za-z0-9\\-_.!~*'()\\[\\]/:&+$]|%[0-9A-Fa-f]{2})+";
const trunk = new RegExp(
  `^sips?:(?:(?:${sipUser})+@)?(?:(${hostname})|\\[([0-9a-f:.]+)\\])(${port})(?:;${parameter}(?:=${parameter})?)*$`,
  "i",
);

/** A SIP URI (RFC 3261 section 19.1.1) without password and headers: it goes into the grant, so no `|` or space. */
export function isTrunk(text: string): boolean {
  const found = text.length > 255 ? null : trunk.exec(text);
  if (!found) return false;
  return (found[2] === undefined || isIP(found[2]) === 6) && validPort(found[3]);
}

/** What stands in quotes in a digest: it is written there as it is. */
export const isQuotable = (text: string): boolean => /^[ !#-[\]-~]{1,64}$/.test(text);

/** No secret of ours: how long it is, its trunk decides. It is handed on as a line. */
export const isTrunkPassword = (text: string): boolean => /^[ -~]{1,128}$/.test(text);

/** What a call-out takes: nothing that two parsers could read as two hosts. */
export const isWebUrl = (text: string): boolean =>
  /^https?:\/\/[\x21-\x7e]{1,2040}$/.test(text) && !/[#<>"]/.test(text) && isUrl(text, ["https:", "http:"]);

/** An absolute URL of one of the schemes, with a host, without user, password and fragment. */
export function isUrl(text: string, schemes: readonly string[]): boolean {
  if (/[\s\\]/.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  const bare = url.username === "" && url.password === "" && url.hash === "" && url.hostname !== "";
  return bare && text.includes("://") && schemes.includes(url.protocol);
}
