import { isReadable } from "../config/fields.ts";
import { readBounded } from "../config/file.ts";

/** Where a secret comes from on the command line, never the secret itself: argv is everybody's to read. */
export const secretSources = "env:NAME, file:PATH or - for stdin";

export type SecretRead =
  | { readonly kind: "secret"; readonly secret: string }
  | { readonly kind: "fault"; readonly sentence: string };

/** Bytes. */
const largest = 65_536;

/** option: its name, for the sentence; the sentence never holds what was given. */
export function readSecret(option: string, source: string, env: NodeJS.ProcessEnv): SecretRead {
  const read = readFrom(option, source, env);
  if (read.kind === "fault" || isReadable(read.secret)) return read;
  return fault(`${option}: what it names is not UTF-8 text: make a secret by openssl rand -base64 32`);
}

function readFrom(option: string, source: string, env: NodeJS.ProcessEnv): SecretRead {
  if (source === "-") return fromFile(option, 0);
  if (source.startsWith("file:")) return fromFile(option, source.slice("file:".length));
  const name = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(source)?.[1];
  if (name === undefined) return fault(`${option} takes ${secretSources}, never the secret itself`);
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (!value) return fault(`${option} names an environment variable that is not set or empty`);
  return { kind: "secret", secret: value };
}

/** One trailing newline is dropped: editors and echo add it. */
function fromFile(option: string, file: string | 0): SecretRead {
  const place = file === 0 ? "stdin" : "the file";
  try {
    const secret = readBounded(file, largest)
      .toString("utf8")
      .replace(/\r?\n$/, "");
    return secret === "" ? fault(`${option}: ${place} is empty`) : { kind: "secret", secret };
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "it is too large";
    return fault(`${option}: ${place} cannot be read (${reason})`);
  }
}

const fault = (sentence: string): SecretRead => ({ kind: "fault", sentence });
