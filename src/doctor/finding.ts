/** What one check of the doctor came to. */
export interface Finding {
  /** What was looked at: `descriptors`, `grant ws://127.0.0.1:5080`. */
  readonly check: string;
  readonly state: "ok" | "warn" | "fail";
  /** What was found; never holds a secret. */
  readonly found: string;
  /** What to do; with warn and fail. */
  readonly advice?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, state: "ok", found });

export const warn = (check: string, found: string, advice: string): Finding => ({
  check,
  state: "warn",
  found,
  advice,
});

export const fail = (check: string, found: string, advice: string): Finding => ({
  check,
  state: "fail",
  found,
  advice,
});

/** What the checks ask of the machine. */
export interface System {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Undefined where there is no such file, or it may not be read. */
  readText(path: string): string | undefined;
  /** Permission bits; undefined as above. */
  mode(path: string): number | undefined;
  /** What a program printed on stdout; undefined where it is not there, failed, or took more than two seconds. */
  run(program: string, args: readonly string[]): Promise<string | undefined>;
}

/** Whether users beside its owner and group may do anything with it; not where it is not there. */
export const isForOthers = (file: string, system: Pick<System, "mode">): boolean =>
  ((system.mode(file) ?? 0) & 0o007) !== 0;
