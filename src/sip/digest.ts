import { hash } from "node:crypto";

/** The digest answer of RFC 3261 §22.4 with `qop=auth`; every value unquoted and unescaped, text as latin1. */
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** 32 lower-case hex digits. */
  readonly response: string;
  /** 8 lower-case hex digits, never 00000000. */
  readonly nc: string;
  readonly cnonce: string;
  readonly qop: string;
  readonly algorithm?: string;
  readonly opaque?: string;
}

export type DigestParse =
  | { readonly kind: "digest"; readonly credentials: DigestCredentials }
  /** scheme: as written, to be compared without case. It may be a bare token (JsSIP's `authorization_jwt`): never log it. */
  | { readonly kind: "other"; readonly scheme: string }
  /**
   * reason: printable ASCII without `"` and `\`, nothing of the value in it. realm: only where the value follows the
   * grammar and names one realm; without it nobody can tell whose credential it is, so treat it as ours.
   */
  | { readonly kind: "malformed"; readonly reason: string; readonly realm?: string };

const maxValue = 5_000;
const maxParameters = 24;
const maxText = 255;
/** An ephemeral username at its longest (10 digits, colon, user of 64, `@`, domain of 253), a semicolon, a handle of 3,000. */
const maxUsername = 3_330;

interface Parameter {
  readonly value: string;
  readonly quoted: boolean;
  readonly escaped: boolean;
}

interface Parameters {
  readonly byName: ReadonlyMap<string, Parameter>;
  /** First name that occurred twice, lower case. */
  readonly duplicate?: string;
}

/**
 * One unfolded header value of Authorization or Proxy-Authorization, read strictly by the `credentials` grammar of
 * RFC 3261 §25.1 and the quoting rules of RFC 7616 §3.4; never throws. Characters are bytes (latin1).
 */
export function parseAuthorization(value: string): DigestParse {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return malformed("the credential holds control characters");
  const scheme = /^[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)(?:[ \t]+|$)/.exec(value);
  if (scheme === null) return malformed("the credential does not begin with a scheme");
  if (scheme[1]!.toLowerCase() !== "digest") return { kind: "other", scheme: scheme[1]! };
  if (value.length > maxValue) return malformed(`the credential is longer than ${maxValue} characters`);
  const parameters = readParameters(value, scheme[0].length);
  if (typeof parameters === "string") return malformed(parameters);
  const reason = faultOf(parameters);
  if (reason === undefined) return { kind: "digest", credentials: credentialsOf(parameters.byName) };
  return malformed(reason, parameters.duplicate === "realm" ? undefined : parameters.byName.get("realm")?.value);
}

const malformed = (reason: string, realm?: string): DigestParse =>
  realm === undefined ? { kind: "malformed", reason } : { kind: "malformed", reason, realm };

/** name EQUAL ( token / quoted-string ), then a comma or the end. */
const parameterGrammar =
  /[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=[ \t]*(?:([A-Za-z0-9\-.!%*_+`'~]+)|"([^"\\]*(?:\\[\x00-\x7f][^"\\]*)*)")[ \t]*(,|$)/y;

/** The parameters, or what is wrong with the text. */
function readParameters(value: string, start: number): Parameters | string {
  const byName = new Map<string, Parameter>();
  let duplicate: string | undefined;
  for (let at = start, count = 1; ; count++) {
    if (count > maxParameters) return `the credential has more than ${maxParameters} parameters`;
    parameterGrammar.lastIndex = at;
    const found = parameterGrammar.exec(value);
    if (found === null) return "the credential is not a comma-separated list of name=value";
    const name = found[1]!.toLowerCase();
    if (byName.has(name)) duplicate ??= name;
    else byName.set(name, parameterOf(found[2], found[3]));
    if (found[4] === "") return duplicate === undefined ? { byName } : { byName, duplicate };
    at = parameterGrammar.lastIndex;
  }
}

function parameterOf(token: string | undefined, quoted = ""): Parameter {
  if (token !== undefined) return { value: token, quoted: false, escaped: false };
  const escaped = quoted.includes("\\");
  return { value: escaped ? quoted.replace(/\\(.)/g, "$1") : quoted, quoted: true, escaped };
}

const mustBeQuoted = ["username", "realm", "nonce", "uri", "response", "cnonce", "opaque"];

/** What is wrong with an answer that follows the grammar; undefined: nothing. */
function faultOf({ byName, duplicate }: Parameters): string | undefined {
  const text = (name: string): string | undefined => byName.get(name)?.value;
  if (duplicate !== undefined) return "a parameter of the credential occurs twice";
  for (const name of ["username", "realm", "nonce", "uri", "response"]) {
    if (!text(name)) return `the credential has no ${name}`;
  }
  if (mustBeQuoted.some((name) => byName.get(name)?.quoted === false)) return "a value of the credential is not quoted";
  if (!text("qop")) return "the answer has no qop: answer the challenge with qop=auth";
  if (text("qop") !== "auth") return "the answer has another qop than auth, the one that was offered";
  if ((text("algorithm") ?? "MD5").toUpperCase() !== "MD5") return "the answer has another algorithm than MD5";
  if (byName.has("username*") || /^true$/i.test(text("userhash") ?? "")) return "the username is not in plain text";
  if (ambiguous(byName.get("username")!)) return "the username holds characters that two readers read differently";
  if (text("username")!.length > maxUsername) return `the username is longer than ${maxUsername} characters`;
  if (["realm", "nonce", "cnonce"].some((name) => (text(name)?.length ?? 0) > maxText)) {
    return `a value of the credential is longer than ${maxText} characters`;
  }
  if (!/^[0-9a-f]{32}$/.test(text("response")!)) return "the response is not 32 lower-case hex digits";
  if (byName.get("nc")?.quoted !== false || !/^[0-9a-f]{8}$/.test(text("nc")!)) {
    return "nc is not 8 lower-case hex digits";
  }
  if (text("nc") === "00000000") return "nc is 0: it counts from 1";
  if (!text("cnonce")) return "the answer has no cnonce";
  return undefined;
}

/** Readers disagree on whether an escape is undone before hashing, so a username has none. */
const ambiguous = ({ value, escaped }: Parameter): boolean => escaped || /["\\\t]/.test(value);

function credentialsOf(byName: ReadonlyMap<string, Parameter>): DigestCredentials {
  const text = (name: string): string => byName.get(name)!.value;
  const algorithm = byName.get("algorithm")?.value;
  const opaque = byName.get("opaque")?.value;
  return {
    username: text("username"),
    realm: text("realm"),
    nonce: text("nonce"),
    uri: text("uri"),
    response: text("response"),
    nc: text("nc"),
    cnonce: text("cnonce"),
    qop: text("qop"),
    ...(algorithm !== undefined && { algorithm }),
    ...(opaque !== undefined && { opaque }),
  };
}

/**
 * The value of WWW-Authenticate or Proxy-Authenticate, one line. MD5 and `qop="auth"` alone are offered, for JsSIP and
 * SIP.js know no more. realm: a host; whatever could end the quoted string or the line is defused all the same.
 */
export function digestChallenge(challenge: {
  readonly realm: string;
  readonly nonce: string;
  readonly stale: boolean;
}): string {
  const stale = challenge.stale ? ", stale=true" : "";
  return `Digest realm=${quote(challenge.realm)}, nonce=${quote(challenge.nonce)}, algorithm=MD5, qop="auth"${stale}`;
}

const quote = (text: string): string => `"${text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&")}"`;

/** H(username:realm:password) of RFC 2617 §3.2.2.2, 32 hex digits. */
export const ha1 = (username: string, realm: string, password: string): string =>
  md5(`${username}:${realm}:${password}`);

/** The request-digest of RFC 2617 §3.2.2.1 for a qop of `auth`, 32 hex digits. ha1: see above. */
export function digestResponse(answer: {
  readonly ha1: string;
  readonly nonce: string;
  readonly nc: string;
  readonly cnonce: string;
  readonly qop: string;
  readonly method: string;
  readonly uri: string;
}): string {
  const ha2 = md5(`${answer.method}:${answer.uri}`);
  return md5(`${answer.ha1}:${answer.nonce}:${answer.nc}:${answer.cnonce}:${answer.qop}:${ha2}`);
}

/** Over the bytes as they stood on the wire: header text is latin1, one character a byte. */
const md5 = (text: string): string => hash("md5", Buffer.from(text, "latin1"), "hex");

/** The token of `Bearer <token>` (RFC 8898 §2.1.1), or of a bare token as JsSIP writes it. The value is known to be no digest. */
export function bearerToken(value: string): string | undefined {
  return /^[ \t]*(?:bearer[ \t]+)?([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)[ \t]*$/i.exec(value)?.[1];
}
