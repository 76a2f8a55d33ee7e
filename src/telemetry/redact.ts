/** What replaces a secret. */
const hidden = "[redacted]";

/** The end of a key, in lower case and without - and _, that holds a secret whatever stands before it. */
const secretEnds =
  /(?:password|passwd|passphrase|secrets?|tokens?|authorization|grant|cookies?|credentials?|apikeys?|privatekey|jwt)$/;
/** Keys that hold one where they are the whole word. */
const secretWords = new Set(["response", "key", "keys", "pem", "jwk", "ha1"]);

/** Deeper, more, and longer than any line of ours; a logged socket would be all three. */
const deepest = 6;
const mostNodes = 400;
const longestText = 1024;
/** An error has a stack. */
const longestOfError = 8192;

/** A copy that may be logged: at any depth, secrets by their key are hidden, texts are scrubbed, the rest is bounded. */
export function mask(value: unknown): unknown {
  return copy(value, 0, { left: mostNodes, longest: longestText });
}

interface Budget {
  left: number;
  readonly longest: number;
}

function copy(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === "string") return scrub(value, budget.longest);
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  if (typeof value === "function") return "[function]";
  if (typeof value !== "object" || value === null) return value;
  if (depth >= deepest || --budget.left < 0) return "[cut]";
  if (value instanceof Error) return ofError(value, depth, budget);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (value instanceof URL) return scrub(value.href);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return members(value, depth, budget);
  if (value instanceof Set || Array.isArray(value)) return entries(value, depth, budget);
  return members(Object.entries(value), depth, budget);
}

function entries(values: Iterable<unknown>, depth: number, budget: Budget): unknown[] {
  const result: unknown[] = [];
  for (const value of values) {
    if (--budget.left < 0) break;
    result.push(copy(value, depth + 1, budget));
  }
  return result;
}

function members(pairs: Iterable<readonly [unknown, unknown]>, depth: number, budget: Budget): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of pairs) {
    if (--budget.left < 0) break;
    const key = String(name);
    const isHidden = isSecretKey(key) && value !== undefined && value !== null && !isCount(key, value);
    result[key] = isHidden ? hidden : copy(value, depth + 1, budget);
  }
  return result;
}

function ofError(error: Error, depth: number, budget: Budget): Record<string, unknown> {
  const own = { left: budget.left, longest: longestOfError };
  const masked = members(errorMembers(error), depth, own);
  budget.left = own.left;
  return masked;
}

function errorMembers(error: Error): [string, unknown][] {
  const own = Object.entries(error).filter(([name]) => name !== "stack" && name !== "message");
  const cause = error.cause === undefined ? [] : [["cause", error.cause] as [string, unknown]];
  return [["type", error.name], ["message", error.message], ["stack", error.stack], ...cause, ...own];
}

/** How many keys, not which. */
const isCount = (key: string, value: unknown): boolean => key === "keys" && typeof value === "number";

/** The few keys that log lines have, judged once. */
const judged = new Map<string, boolean>();
const mostJudged = 256;

function isSecretKey(key: string): boolean {
  const known = judged.get(key);
  if (known !== undefined) return known;
  const plain = key.toLowerCase().replaceAll(/[-_]/g, "");
  const secret = secretEnds.test(plain) || secretWords.has(plain);
  if (judged.size < mostJudged) judged.set(key, secret);
  return secret;
}

/** Each finds the name in group 1 and the secret after it. */
const patterns: readonly RegExp[] = [
  /((?:^|[?&;\s])(?:access_token|postern_token|password|secret|token)=)[^&;\s"]+/gi,
  /(\b(?:proxy-)?authorization["']?\s*[:=]\s*)[^\r\n]+(?:\r?\n[ \t]+[^\r\n]+)*/gi,
  /(\bx-postern-(?:token|grant)["']?\s*[:=]\s*)[^\r\n]+/gi,
  /(\b(?:set-)?cookie["']?\s*[:=]\s*)[^\r\n]+/gi,
  /(\bresponse\s*=\s*\\?"?)[A-Za-z0-9+/=]{16,}/gi,
  /(\bbearer\s+)[A-Za-z0-9._~+/=-]+/gi,
  // A JWT with no name before it; begun once in each run of its characters, as in conceal.ts.
  /((?:^|[^A-Za-z0-9_-]))eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
  /(:\/\/[^\s/@:]*:)[^\s/@]+(?=@)/g,
];

/** What every pattern needs to match at all. */
const suspicious = /[=:]|bearer|eyJ/i;

/** What a terminal obeys or reads in another order, and JSON does not escape: DEL, C1, line ends and directions of Unicode. */
const unseen = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** A text without the secrets that SIP messages, URLs and HTTP headers carry, fit for a terminal. */
export function scrub(text: string, longest = longestText): string {
  const short = (text.length > longest ? `${text.slice(0, longest)}…` : text).replace(unseen, "?");
  if (!suspicious.test(short)) return short;
  return patterns.reduce((scrubbed, pattern) => scrubbed.replace(pattern, `$1${hidden}`), short);
}
