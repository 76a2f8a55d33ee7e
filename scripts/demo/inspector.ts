import { type Judged, openVerdict } from "../../src/cli/verdict.ts";
import type { Config } from "../../src/config.ts";
import type { Clock } from "../../src/core/clock.ts";

/** Of the whole demo: so many at once, then so many a second. */
const [burst, perSecond] = [20, 5];
/** Characters: a username and a password, or a token, as long as the gateway reads any. */
const longest = { username: 512, password: 512, token: 8_192 };

export type Inspected =
  | { readonly kind: "judged"; readonly judged: Judged }
  | { readonly kind: "malformed"; readonly sentence: string }
  | { readonly kind: "too-fast" };

/** Says of a credential or token what the gateway would, and why. It keeps nothing, and uses nothing up. */
export class Inspector {
  readonly #verdict: ReturnType<typeof openVerdict>;
  readonly #clock: Clock;
  #left = burst;
  #filled: number;

  constructor(config: Config, clock: Clock) {
    this.#verdict = openVerdict(config, clock);
    this.#clock = clock;
    this.#filled = clock.now();
  }

  async inspect(value: unknown): Promise<Inspected> {
    if (!this.#mayNow()) return { kind: "too-fast" };
    const { username, password, token } = texts(value);
    if (token !== undefined && username === undefined && password === undefined) {
      return { kind: "judged", judged: await this.#verdict.ofToken(token.trim().replace(/^bearer +/i, "")) };
    }
    if (token === undefined && username !== undefined && password !== undefined) {
      return { kind: "judged", judged: await this.#verdict.ofPassword(username.trim(), password.trim()) };
    }
    return { kind: "malformed", sentence: "give username and password, or a token: texts, and no longer than any is" };
  }

  close(): void {
    this.#verdict.close();
  }

  #mayNow(): boolean {
    const now = this.#clock.now();
    this.#left = Math.min(burst, this.#left + ((now - this.#filled) / 1000) * perSecond);
    this.#filled = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

type Texts = { readonly [name in keyof typeof longest]?: string };

/** Nothing where one is not what it should be. */
function texts(value: unknown): Texts {
  if (typeof value !== "object" || value === null) return {};
  const given = Object.entries(value).filter(([, text]) => text !== "");
  const good = given.every(
    ([name, text]) => name in longest && typeof text === "string" && text.length <= longest[name as keyof Texts],
  );
  return good ? (Object.fromEntries(given) as Texts) : {};
}
