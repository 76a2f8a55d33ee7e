export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** Without prototype, so that no name in it means anything but itself. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

export type ParsedJson =
  | { readonly kind: "value"; readonly value: JsonValue }
  /** Where it is wrong and how; holds nothing of the text. */
  | { readonly kind: "malformed"; readonly sentence: string };

export interface JsonLimits {
  /** Objects and arrays inside each other. */
  readonly depth?: number;
  /** Whole numbers beyond 2⁵³ are taken as the double that is nearest: where nobody needs them to the last digit. */
  readonly large?: boolean;
}

const deepest = 8;

/**
 * RFC 8259, and what two readers could take differently is refused: a name twice in an object however it is spelled,
 * `__proto__`, whole numbers beyond 2⁵³ and numbers beyond a double, lone surrogates, bytes that are no UTF-8, a byte
 * order mark. The length is the caller's to bound.
 */
export function parseStrictJson(
  text: string | Uint8Array,
  { depth = deepest, large = false }: JsonLimits = {},
): ParsedJson {
  const decoded = typeof text === "string" ? text : decode(text);
  if (decoded === undefined) return { kind: "malformed", sentence: "the JSON is not UTF-8" };
  const reader = new Reader(decoded, depth, large);
  try {
    return { kind: "value", value: reader.document() };
  } catch (error) {
    if (error instanceof Malformed) return { kind: "malformed", sentence: error.message };
    throw error;
  }
}

/** Whether a value is an object, not an array and not null. */
export const isJsonObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Never leaves this file: it unwinds the recursion. */
class Malformed extends Error {}

const space = /[ \t\n\r]*/y;
const literal = /true|false|null/y;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Every character from space on but `"` and `\` stands for itself (RFC 8259 §7). */
const string = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;

const literals: Readonly<Record<string, null | boolean>> = { true: true, false: false, null: null };

class Reader {
  readonly #text: string;
  readonly #deepest: number;
  readonly #large: boolean;
  #at = 0;

  constructor(text: string, deepest: number, large: boolean) {
    this.#text = text;
    this.#deepest = deepest;
    this.#large = large;
  }

  document(): JsonValue {
    const value = this.#value(0);
    if (this.#at < this.#text.length) throw this.#fault("something stands after the end");
    return value;
  }

  /** White space on both sides goes with it. */
  #value(depth: number): JsonValue {
    this.#token(space);
    const value = this.#bare(depth);
    this.#token(space);
    return value;
  }

  #bare(depth: number): JsonValue {
    const first = this.#text[this.#at];
    if (first === "{" || first === "[") {
      if (depth === this.#deepest) throw this.#fault(`it is nested deeper than ${this.#deepest}`);
      return first === "{" ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (first === '"') return this.#string();
    const word = this.#token(literal);
    return word === undefined ? this.#number() : (literals[word] ?? null);
  }

  #object(depth: number): JsonObject {
    const object: Record<string, JsonValue> = Object.create(null);
    this.#at++;
    this.#token(space);
    if (this.#skip("}")) return object;
    do {
      this.#token(space);
      const name = this.#string();
      this.#token(space);
      if (!this.#skip(":")) throw this.#fault("a colon is missing");
      if (name === "__proto__" || name in object) throw this.#fault("an object has a member twice, or __proto__");
      object[name] = this.#value(depth);
    } while (this.#skip(","));
    if (!this.#skip("}")) throw this.#fault("a comma or } is missing");
    return object;
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#at++;
    this.#token(space);
    if (this.#skip("]")) return array;
    do array.push(this.#value(depth));
    while (this.#skip(","));
    if (!this.#skip("]")) throw this.#fault("a comma or ] is missing");
    return array;
  }

  #string(): string {
    const token = this.#token(string);
    if (token === undefined) throw this.#fault("a string is missing or malformed");
    const value = token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
    if (!value.isWellFormed()) throw this.#fault("a string holds half a surrogate pair");
    return value;
  }

  #number(): number {
    const token = this.#token(number);
    if (token === undefined) throw this.#fault("a value is missing or malformed");
    const value = Number(token);
    const isWhole = /^-?[0-9]+$/.test(token);
    if (!Number.isFinite(value) || (isWhole && !this.#large && !Number.isSafeInteger(value))) {
      throw this.#fault("a number is too large to be read by everybody alike");
    }
    return value;
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #token(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #fault(what: string): Malformed {
    return new Malformed(`the JSON is malformed at character ${this.#at + 1}: ${what}`);
  }
}
