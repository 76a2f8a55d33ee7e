import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** Something that was written or said, and where; may: names of secrets that belong there. */
export interface Said {
  readonly where: string;
  readonly text: string;
  readonly may: readonly string[];
}

/** Characters of a secret that are enough to know it by. */
const enough = 20;

/** Every secret of one run, and all that was said in it. */
export class Secrets {
  readonly #forms = new Map<string, string[]>();
  readonly #said: Said[] = [];
  /** What a secret was used in: requests, configs, environments. */
  readonly #given: string[] = [];

  /** A fresh one, with every character that base64 has. */
  make(name: string): string {
    return this.keep(name, `+/${randomBytes(24).toString("base64")}`);
  }

  /** The ends of it tell it, in whatever way it is written; of a token its signature, and the end of what that signs. */
  keep<Text extends string>(name: string, secret: Text): Text {
    const [whole = "", payload, signature] = secret.startsWith("eyJ") ? secret.split(".") : [secret];
    const last = signature ?? whole;
    const ends = [payload?.slice(-enough) ?? "", last.slice(0, enough), last.slice(-enough)].filter(
      ({ length }) => length === enough,
    );
    if (ends.length === 0) throw new Error(`${name} is too short to be told from other texts`);
    this.#remember(name, ends.flatMap(written));
    return secret;
  }

  /** Only the whole of it tells it: its beginning is no secret. */
  keepWhole(name: string, secret: string): void {
    this.#remember(name, written(secret));
  }

  get names(): string[] {
    return [...this.#forms.keys()];
  }

  given(text: string): void {
    this.#given.push(text);
  }

  said(where: string, text: string, may: readonly string[] = []): void {
    this.#said.push({ where, text, may });
  }

  /** Where said texts come from, and how many characters of each. */
  get places(): Map<string, number> {
    const places = new Map<string, number>();
    for (const { where, text } of this.#said) places.set(where, (places.get(where) ?? 0) + text.length);
    return places;
  }

  /** Each secret that stands where it must not. */
  leaks(): string[] {
    return this.#said.flatMap(({ where, text, may }) =>
      this.names
        .filter((name) => !may.includes(name) && this.#holds(text, name))
        .map((name) => `${name} in ${where}: …${this.#around(text, name)}…`),
    );
  }

  /** Those that were used in nothing: looking for them proves nothing. */
  unused(): string[] {
    const all = this.#given.join("\n");
    return this.names.filter((name) => !this.#holds(all, name));
  }

  in(text: string): string[] {
    return this.names.filter((name) => this.#holds(text, name));
  }

  #holds(text: string, name: string): boolean {
    return (this.#forms.get(name) ?? []).some((form) => text.includes(form));
  }

  #around(text: string, name: string): string {
    const at = Math.max(...(this.#forms.get(name) ?? []).map((form) => text.indexOf(form)));
    return text.slice(Math.max(0, at - 60), at + 30).replace(/\s+/g, " ");
  }

  /** A name may have several. */
  #remember(name: string, forms: readonly string[]): void {
    this.#forms.set(name, [...(this.#forms.get(name) ?? []), ...forms]);
  }
}

/** As it is, in a URL, in JSON, in hexadecimal digits. */
const written = (text: string): string[] => [
  ...new Set([
    text,
    encodeURIComponent(text),
    JSON.stringify(text).slice(1, -1),
    text.replaceAll("/", "\\/"),
    Buffer.from(text).toString("hex"),
  ]),
];

export interface Process {
  readonly pid: number;
  readonly argv: string;
  readonly environment: string;
}

/** Every process of this machine, as anybody (argv) and its owner (environment) can read it. */
export function processes(): Process[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => ({
    pid: Number(pid),
    argv: read(`/proc/${pid}/cmdline`),
    environment: read(`/proc/${pid}/environ`),
  }));
}

/** Empty where it is gone, or another's. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
