import { type DestinationStream, type Logger, pino } from "pino";
import { mask, scrub } from "./redact.ts";

export type Log = Logger;

export interface LogOptions {
  /** pino's: debug, info, warn, error, … */
  readonly level?: string;
  /** Where the lines go; stderr by default, for stdout is for data. */
  readonly destination?: DestinationStream;
}

/** Characters kept for a reader that does not read; what comes on top is dropped, so that logging cannot grow memory. */
const backlog = 4 * 1024 * 1024;

/** JSON lines, one for each event, that no secret gets into: not by a key, an error, or a text that holds one. */
export function createLog({ level = "info", destination = toStderr() }: LogOptions = {}): Log {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // An error arrives here as masked members already; pino's own would take it for one without a stack.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method) {
          method.apply(this, clean(args));
        },
      },
    },
    destination,
  );
  return withCleanBindings(log);
}

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

const toStderr = (): DestinationStream => pino.destination({ dest: 2, sync: false, maxLength: backlog });

/** An error given alone becomes what pino makes of it, `err` and its message, but masked. */
function clean([first, ...rest]: readonly unknown[]): Arguments {
  const cleaned = rest.map((value) => mask(value));
  if (first instanceof Error) {
    const [message = scrub(first.message), ...values] = cleaned;
    return [{ err: mask(first) }, message, ...values] as Arguments;
  }
  return [mask(first), ...cleaned] as Arguments;
}
