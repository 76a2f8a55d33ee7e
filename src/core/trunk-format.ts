type Rules = Readonly<Record<string, string>>;

/**
 * A number of E.164, with its `+`, as a trunk writes it: the longest rule that it begins with puts another beginning in the
 * place of that. As it is where no rule fits.
 */
export function asTrunkWrites(rules: Rules, number: string): string {
  for (let length = number.length; length > 0; length--) {
    const begun = number.slice(0, length);
    if (Object.hasOwn(rules, begun)) return `${rules[begun]}${number.slice(length)}`;
  }
  return number;
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
