/** A SIP or SIPS URI (RFC 3261 §19.1), a tel URI (RFC 3966), or anything else by its scheme alone. */
export interface Uri {
  /** Lower case. */
  readonly scheme: string;
  /** As written, escapes and all; undefined where there is no `@`. For tel: the number as written. */
  readonly user: string | undefined;
  /** A password or a second colon part stands before the `@`. */
  readonly hasPassword: boolean;
  /** Lower case; empty for tel. */
  readonly host: string;
  readonly port: number | undefined;
  /** Names in lower case; a parameter without value is the empty string. */
  readonly params: ReadonlyMap<string, string>;
  /** What follows `?`, undefined where there is none. */
  readonly headers: string | undefined;
}

/** A name-addr or addr-spec with its header parameters (RFC 3261 §20.10). */
export interface Address {
  /** As written. */
  readonly uri: string;
  /** Names in lower case, values unquoted. */
  readonly params: ReadonlyMap<string, string>;
  /** Offset in the parsed text just past the URI (and its `>`), where the header parameters begin. */
  readonly paramsStart: number;
}

export interface Via {
  /** Lower case. */
  readonly host: string;
  readonly branch: string;
}

export interface ViaParts {
  readonly host: string;
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string>;
}

export type ParsedAddress =
  | { readonly kind: "address"; readonly address: Address }
  | { readonly kind: "malformed"; readonly reason: string };

const none: ReadonlyMap<string, string> = new Map();
const maxUri = 2048;

const host = String.raw`(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9.])?)`;
const sipUri = new RegExp(`^(sips?):(?:([^@:]*)(:[^@]*)?@)?${host}(?::(\\d{1,5}))?(;[^?@]*)?(?:\\?([^@]*))?$`, "i");
const telUri = /^tel:([^;?@]{1,64})(;[^?@]*)?$/i;
const anyUri = /^([a-z][a-z0-9+.-]{0,31}):(.+)$/i;
const userCharacters = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})*$/;
const uriText = /^[!-~]+$/;

/** As clients and Kamailio write nearly all of them: no escape, no port, no headers, nothing in upper case but the user. */
const usualUri =
  /^sip:(?:([A-Za-z0-9\-_.!~*'()+]{1,64})@)?([a-z0-9](?:[a-z0-9.-]{0,253}[a-z0-9.])?)(;[a-z0-9;=-]{1,256})?$/;

/** Parse a URI, undefined where it is none that we are sure to read as others do. */
export function parseUri(text: string): Uri | undefined {
  const usual = usualUri.exec(text);
  if (usual) return usualFrom(usual);
  if (text.length > maxUri || !uriText.test(text) || /[<>"`\\^{}|]/.test(text)) return undefined;
  const sip = sipUri.exec(text);
  if (sip) return sipFrom(sip);
  const tel = telUri.exec(text);
  if (tel) return telFrom(tel);
  const any = anyUri.exec(text);
  if (!any || /^(sips?|tel)$/i.test(any[1]!)) return undefined;
  const scheme = any[1]!.toLowerCase();
  return { scheme, user: undefined, hasPassword: false, host: "", port: undefined, params: none, headers: undefined };
}

function usualFrom([, user, host = "", paramText]: RegExpExecArray): Uri | undefined {
  const params = uriParams(paramText);
  return params && { scheme: "sip", user, hasPassword: false, host, port: undefined, params, headers: undefined };
}

function sipFrom(match: RegExpExecArray): Uri | undefined {
  const [, scheme, user, password, hostPart, portText, paramText, headers] = match;
  if (user !== undefined && (user === "" || !userCharacters.test(user))) return undefined;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port === 0 || port > 65535)) return undefined;
  const params = uriParams(paramText);
  if (params === undefined) return undefined;
  return {
    scheme: scheme!.toLowerCase(),
    user,
    hasPassword: password !== undefined,
    host: hostPart!.toLowerCase(),
    port,
    params,
    headers,
  };
}

function telFrom(match: RegExpExecArray): Uri | undefined {
  const params = uriParams(match[2]);
  if (params === undefined || !userCharacters.test(match[1]!)) return undefined;
  return { scheme: "tel", user: match[1], hasPassword: false, host: "", port: undefined, params, headers: undefined };
}

/** Kamailio's parse_uri() has no end of a URI within `maddr`: what begins like it, without a value, is no URI as the last parameter. */
const maddrBegun = /^ma(?:d(?:dr?)?)?$/;
const paramText = /^[A-Za-z0-9\-_.!~*'()[\]/:&+$%]+$/;

function uriParams(text: string | undefined): ReadonlyMap<string, string> | undefined {
  if (text === undefined) return none;
  const params = new Map<string, string>();
  for (const part of text.slice(1).split(";")) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? "" : part.slice(equals + 1);
    if (!paramText.test(name) || params.has(name) || (equals >= 0 && !/^[!-~]+$/.test(value))) return undefined;
    if (value === "" && maddrBegun.test(name)) return undefined;
    params.set(name, value);
  }
  return params;
}

const token = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
const displayTokens = /^[A-Za-z0-9\-.!%*_+`'~ \t]*$/;

/**
 * Parse one name-addr or addr-spec and its parameters. A display name that is neither tokens nor one whole quoted
 * string is malformed, so that no URI inside quotes is ever taken for the real one.
 */
export function parseAddress(text: string): ParsedAddress {
  const malformed = (reason: string): ParsedAddress => ({ kind: "malformed", reason });
  const display = displayEnd(text);
  if (display === undefined) return malformed("the display name's quotes do not match");
  const open = text.indexOf("<", display);
  if (open < 0) return display > 0 ? malformed("no <URI> after the display name") : bareAddress(text);
  const between = text.slice(display, open);
  if (display > 0 ? /[^ \t]/.test(between) : !displayTokens.test(between)) {
    return malformed("the display name must stand in quotes, with a backslash before a quote inside it");
  }
  const close = text.indexOf(">", open);
  if (close < 0) return malformed("no > after the URI");
  const uri = text.slice(open + 1, close);
  if (!uriText.test(uri)) return malformed("white space or other characters inside the URI");
  return withParams(text, uri, close + 1);
}

/** Past the quoted display name, 0 where there is none, undefined where it does not end. */
function displayEnd(text: string): number | undefined {
  if (text[0] !== '"') return 0;
  for (let at = 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

function bareAddress(text: string): ParsedAddress {
  const end = text.search(/[; \t]/);
  const uri = end < 0 ? text : text.slice(0, end);
  if (!uriText.test(uri) || /[?,<>"]/.test(uri)) {
    return { kind: "malformed", reason: "a URI with ? or , must stand in <>" };
  }
  return withParams(text, uri, uri.length);
}

function withParams(text: string, uri: string, paramsStart: number): ParsedAddress {
  const params = headerParams(text, paramsStart);
  if (params === undefined) return { kind: "malformed", reason: "the parameters after the URI cannot be read" };
  return { kind: "address", address: { uri, params, paramsStart } };
}

/** To Kamailio an apostrophe before a value is a quotation mark. */
const param =
  /[ \t]*;[ \t]*([A-Za-z0-9\-.!%*_+`'~]{1,64})(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|(?!')[A-Za-z0-9\-.!%*_+`'~[\]:]{1,512}))?[ \t]*/y;

/** `;name=value` … from an offset to the end (RFC 3261 generic-param); undefined where that is not what stands there. */
export function headerParams(text: string, from: number): ReadonlyMap<string, string> | undefined {
  if (from === text.length) return none;
  const params = new Map<string, string>();
  param.lastIndex = from;
  while (param.lastIndex < text.length) {
    const match = param.exec(text);
    if (!match) return undefined;
    const name = match[1]!.toLowerCase();
    if (params.has(name) || params.size === 32) return undefined;
    params.set(name, unquote(match[2] ?? ""));
  }
  return params;
}

/** Where the value of one parameter stands in the text, so that it can be replaced. */
export function paramSpan(text: string, from: number, name: string): { start: number; end: number } | undefined {
  param.lastIndex = from;
  while (param.lastIndex < text.length) {
    const match = param.exec(text);
    if (!match) return undefined;
    if (match[1]!.toLowerCase() !== name || match[2] === undefined) continue;
    const start = match.index + match[0].lastIndexOf(match[2]);
    return { start, end: start + match[2].length };
  }
  return undefined;
}

export const unquote = (value: string): string =>
  value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;

const viaStart = new RegExp(
  `^SIP[ \\t]*/[ \\t]*2\\.0[ \\t]*/[ \\t]*[A-Za-z0-9\\-]{1,16}[ \\t]+${host}(?:[ \\t]*:[ \\t]*(\\d{1,5}))?(?=[ \\t]*(?:;|$))`,
);

/** The sent-by host and the branch of one Via value; undefined without an RFC 3261 branch (magic cookie and more). */
export function parseVia(text: string): Via | undefined {
  const found = viaParts(text);
  const branch = found?.params.get("branch");
  if (branch === undefined || !branch.startsWith("z9hG4bK") || branch.length < 8 || branch.length > 256)
    return undefined;
  return token.test(branch) ? { host: found!.host, branch } : undefined;
}

/** Any Via value, with whatever parameters; undefined where it is none. host: lower case. */
export function viaParts(text: string): ViaParts | undefined {
  const match = viaStart.exec(text);
  const params = match ? headerParams(text, match[0].length) : undefined;
  if (!match || !params) return undefined;
  return { host: match[1]!.toLowerCase(), port: match[2] === undefined ? undefined : Number(match[2]), params };
}

/** Percent-escapes resolved once; undefined where one is broken or hides a control character. */
export function unescapeUser(text: string): string | undefined {
  if (!text.includes("%")) return text;
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const plain = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return /[\x00-\x1f\x7f]/.test(plain) ? undefined : plain;
}

/**
 * One spelling for URIs that clients write anew from what they were sent (RFC 3261 §19.1.4): host and parameters in
 * lower case and sorted, user unescaped. Undefined where the URI cannot be read.
 */
export function uriKey(text: string): string | undefined {
  const uri = parseUri(text);
  if (!uri || (uri.scheme !== "sip" && uri.scheme !== "sips")) return undefined;
  const user = uri.user === undefined ? "" : unescapeUser(uri.user);
  if (user === undefined) return undefined;
  const params = [...uri.params].map(([name, value]) => `${name}=${value.toLowerCase()}`).sort();
  return JSON.stringify([uri.scheme, user, uri.hasPassword, uri.host, uri.port ?? 0, params, uri.headers ?? ""]);
}
