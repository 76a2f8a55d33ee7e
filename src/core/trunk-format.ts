type Rules = Readonly<Record<string, string>>;

/**
 * A number of E.164, with its `+`, as a trunk writes it: the longest rule that it begins with puts another beginning in the
 * place of that. As it is where no rule fits; undefined where the trunk would read another number in what comes out.
 */
export function asTrunkWrites(rules: Rules, number: string): string | undefined {
  for (let length = number.length; length > 0; length--) {
    const begun = number.slice(0, length);
    const put = Object.hasOwn(rules, begun) ? rules[begun] : undefined;
    if (put === undefined) continue;
    const written = put + number.slice(length);
    return isAnother(rules, begun, put, written) ? undefined : written;
  }
  return number;
}

/** What is dialled before a number of another country, everywhere and from some. */
const abroad: readonly (readonly [from: string, prefix: string])[] = [
  ["+", "00"],
  ["+1", "011"],
  ["+7", "810"],
  ["+81", "010"],
];

/**
 * `+32044…` by `{ "+32": "0" }` is `0044…`, in Britain: another rule's beginning is longer there, or what was dialled makes an
 * international prefix together with what was put before it.
 */
function isAnother(rules: Rules, begun: string, put: string, written: string): boolean {
  if (Object.values(rules).some((other) => other.length > put.length && written.startsWith(other))) return true;
  const across = (prefix: string): boolean => {
    const first = Math.max(0, put.length - prefix.length + 1);
    return Array.from({ length: put.length - first + 1 }, (_, at) => first + at).some((at) =>
      written.startsWith(prefix, at),
    );
  };
  return abroad.some(([from, prefix]) => begun.startsWith(from) && across(prefix));
}

/**
 * A dialled number that is known to be one of E.164, with its `+`: it is written so, or the pattern that says most of it is. What begins
 * with 0 is of no country, and what a pattern without `+` has means to its trunk what it means there.
 */
export function asE164(number: string, patterns: readonly string[]): string | undefined {
  if (number.startsWith("+")) return number;
  if (number.startsWith("0")) return undefined;
  const whole = `+${number}`;
  const international = patterns.filter((pattern) => pattern.startsWith("+"));
  const plain = patterns.filter((pattern) => !pattern.startsWith("+"));
  return most(international, whole) - 1 > most(plain, number) ? whole : undefined;
}

/** Characters of the longest pattern that has it; -1 for none. */
const most = (patterns: readonly string[], number: string): number =>
  Math.max(-1, ...patterns.filter((pattern) => has(pattern, number)).map((pattern) => pattern.replace("*", "").length));

const has = (pattern: string, number: string): boolean =>
  pattern.endsWith("*") ? number.startsWith(pattern.slice(0, -1)) : number === pattern;
