type Environment = Readonly<Record<string, string | undefined>>;

export type Expanded =
  | {
      readonly kind: "text";
      readonly text: string /** The scalar was one expansion and nothing else. */;
      readonly whole: boolean;
    }
  | { readonly kind: "fault"; readonly message: string };

const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
/** Characters: room for a PEM, none for a scalar that multiplies a large variable. */
const longest = 65_536;

/**
 * `${NAME}` and `${NAME:-default}` in one scalar; the default stands in for an empty variable too, as in a shell.
 * What was put in is not looked at again.
 */
export function expand(text: string, env: Environment): Expanded {
  if (!text.includes("${")) return { kind: "text", text, whole: false };
  if (text.replace(reference, " ").includes("${")) {
    return { kind: "fault", message: `holds a \${ that is neither \${NAME} nor \${NAME:-default}` };
  }
  const missing = [...text.matchAll(reference)].filter(
    ([, name, fallback]) => value(env, name, fallback) === undefined,
  );
  if (missing.length > 0) return { kind: "fault", message: unset(missing.map(([, name]) => name ?? "")) };
  let room = longest;
  const expanded = text.replace(reference, (_all, name: string, fallback: string | undefined) => {
    const inserted = value(env, name, fallback) ?? "";
    room -= inserted.length;
    return room < 0 ? "" : inserted;
  });
  if (room < 0) return { kind: "fault", message: `is longer than ${longest} characters once expanded` };
  return { kind: "text", text: expanded, whole: text.replace(reference, "") === "" };
}

/** Own variables only: every object has a `constructor`. */
function value(env: Environment, name: string | undefined, fallback: string | undefined): string | undefined {
  const set = name !== undefined && Object.hasOwn(env, name) ? env[name] : undefined;
  return set || (fallback ?? set);
}

const unset = (names: readonly string[]): string =>
  `needs the environment variable ${[...new Set(names)].join(", ")}, which is not set: set it, or write \${NAME:-default}`;
