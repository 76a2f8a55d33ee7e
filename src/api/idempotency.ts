import { createHash, randomUUID } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { State } from "../state/port.ts";
import { type Answer, type Asked, byOf, type Done, refused, refusedBy, shownSince } from "./asked.ts";
import { bodyOf } from "./http.ts";

export interface IdempotencyOptions {
  readonly state: State;
  readonly clock: Clock;
}

/** Milliseconds. */
const keptFor = 86_400_000;
/** How long one that is being answered holds its key, should the answer never come. Milliseconds. */
const answeredIn = 60_000;

const form = /^[\x21-\x7e]{1,128}$/;

/** Idempotency-Key: a POST that is sent again under its key is answered again, and done once. */
export class Idempotency {
  readonly #options: IdempotencyOptions;

  constructor(options: IdempotencyOptions) {
    this.#options = options;
  }

  async once(asked: Asked, work: () => Promise<Answer>): Promise<Answer> {
    const [given, ...more] = asked.raw.raw.headersDistinct["idempotency-key"] ?? [];
    if (given === undefined) return work();
    if (more.length > 0 || !form.test(given)) return malformed;
    const { state, clock } = this.#options;
    const by = byOf(asked.manager);
    // What stands before the first blank has a share of the room: all keys of a customer have one. Another may have had its id.
    const key = [by.split("/", 1)[0], by, shownSince(asked), given].filter((part) => part !== undefined).join(" ");
    const print = fingerprint(asked);
    const own = `pending ${print} ${randomUUID()}`;
    const claim = await state.claim("replies", key, own, clock.now() + answeredIn);
    if (claim.kind === "full") return full;
    if (claim.holder !== own) return again(claim.holder, print);
    let answer: Answer | undefined;
    try {
      answer = await work();
      return answer;
    } finally {
      if (answer?.kind !== "done") await state.forget("replies", key);
      else await state.put("replies", key, `done ${print} ${JSON.stringify(replayOf(answer))}`, clock.now() + keptFor);
    }
  }
}

const malformed = refused(400, "Idempotency-Key must be 1 to 128 printable ASCII characters, sent once", {
  code: "message-malformed",
});
const full = refusedBy("limit-reached", "too many Idempotency-Keys are remembered now: try again later");
const other = refused(422, "this Idempotency-Key was sent with another request: take a new one");
const busy = refused(409, "the request with this Idempotency-Key is being answered: ask again");

/** What was sent: another body or path under the same key is a mistake. */
function fingerprint({ raw }: Asked): string {
  const body = bodyOf(raw);
  const hash = createHash("sha256").update(`${raw.url}\n`);
  return hash.update("bytes" in body ? (body.bytes as Uint8Array) : JSON.stringify(body)).digest("base64url");
}

function again(held: string, print: string): Answer {
  const [kind = "", known, ...rest] = held.split(" ");
  if (known !== print) return other;
  return kind === "pending" ? busy : (JSON.parse(rest.join(" ")) as Done);
}

/** Without what is told once. */
function replayOf(answer: Done): Done {
  const { once, body, ...rest } = answer;
  if (once === undefined || body === undefined) return body ? { ...rest, body } : rest;
  const { [once]: _told, ...left } = body;
  return {
    ...rest,
    body: { ...left, note: `the ${once} was shown once, in the first answer: if it is lost, make another` },
  };
}
