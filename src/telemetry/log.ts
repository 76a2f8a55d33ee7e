import { type DestinationStream, type Logger, pino } from "pino";
import { type Clock, systemClock } from "../core/clock.ts";
import { Outlet } from "./outlet.ts";
import { mask, scrub } from "./redact.ts";
import { type LeftOut, Repeats } from "./repeats.ts";

export type Log = Logger;

export interface LogOptions {
  /** pino's: debug, info, warn, error, … */
  readonly level?: string;
  /** Where the lines go; stderr by default, for stdout is for data. */
  readonly destination?: DestinationStream;
  readonly clock?: Clock;
}

/** Characters kept for a reader that does not read; what comes on top is dropped, so that logging cannot grow memory. */
const backlog = 4 * 1024 * 1024;

/** Milliseconds until what was left out is told. */
const tellAfter = 10_000;
/** pino's number of info; who asks for debug wants all of it. */
const bounded = 30;

/**
 * JSON lines, one for each event, that no secret gets into: not by a key, an error, or a text that holds one; and that
 * nobody can make endless.
 */
export function createLog({ level = "info", destination = toStderr(), clock = systemClock }: LogOptions = {}): Log {
  const admits = bounding(clock, (leftOut) => log.warn(leftOut, "left out: more of the same"));
  const log: Log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // An error arrives here as masked members already; pino's own would take it for one without a stack.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method, lineLevel) {
          if (admits(args, lineLevel)) method.apply(this, clean(args));
        },
      },
    },
    destination,
  );
  return withCleanBindings(log);
}

/** Whether a line may be written. tell: says, a while later, what was not. */
function bounding(
  clock: Clock,
  tell: (leftOut: LeftOut) => void,
): (args: readonly unknown[], level: number) => boolean {
  const repeats = new Repeats(clock);
  let telling: NodeJS.Timeout | undefined;
  const tellAll = (): void => {
    telling = undefined;
    for (const leftOut of repeats.leftOut()) tell(leftOut);
  };
  return ([fields, line], level) => {
    if (level < bounded || typeof line !== "string" || !isRecord(fields) || repeats.admits(line, fields)) return true;
    if (!telling) telling = setTimeout(tellAll, tellAfter).unref();
    return false;
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

type Bindings = Record<string, unknown>;
type Arguments = Parameters<Log["info"]>;

/** pino formats the bindings of the first logger only; children inherit these two, at any depth. */
function withCleanBindings(log: Log): Log {
  const { child, setBindings } = log;
  log.child = function (this: Log, bindings: Bindings, options?: Parameters<typeof child>[1]) {
    return child.call(this, mask(bindings) as Bindings, options);
  } as typeof child;
  log.setBindings = function (this: Log, bindings: Bindings) {
    setBindings.call(this, mask(bindings) as Bindings);
  };
  return log;
}

const toStderr = (): DestinationStream => new Outlet(2, backlog);

/** An error given alone becomes what pino makes of it, `err` and its message, but masked. */
function clean([first, ...rest]: readonly unknown[]): Arguments {
  const cleaned = rest.map((value) => mask(value));
  if (first instanceof Error) {
    const [message = scrub(first.message), ...values] = cleaned;
    return [{ err: mask(first) }, message, ...values] as Arguments;
  }
  return [mask(first), ...cleaned] as Arguments;
}
