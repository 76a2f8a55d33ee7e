import type { FastifyInstance, FastifyRequest } from "fastify";
import { PosternError } from "../core/errors.ts";
import { type JsonLimits, type JsonValue, parseStrictJson } from "../core/strict-json.ts";

/** What a request carried. A JSON text is never taken for a form, nor the other way round. */
export type Body =
  | { readonly kind: "json"; readonly value: JsonValue }
  /** As it came, percent-encoded: a route that cares reads it strictly. ASCII. */
  | { readonly kind: "form"; readonly text: string }
  | { readonly kind: "none" };

/** A body that cannot be read; the sentence is for the client. */
export class UnreadableBody extends PosternError {
  readonly status: 400 | 415;
  constructor(status: 400 | 415, sentence: string) {
    super("message-malformed", sentence);
    this.status = status;
  }
}

/** No charset but UTF-8 (RFC 8259 §8.1), which forms are as well. */
const charsets = /^[^;]*(?:;\s*charset="?utf-8"?\s*)?$/i;

function body(type: string | undefined, bytes: Buffer, read: (bytes: Buffer) => Body): Body {
  if (!charsets.test(type ?? "")) throw new UnreadableBody(415, "the content type has a parameter: only UTF-8 is read");
  return read(bytes);
}

function readJson(bytes: Buffer, limits?: JsonLimits): Body {
  const parsed = parseStrictJson(bytes, limits);
  if (parsed.kind === "malformed") throw new UnreadableBody(400, parsed.sentence);
  return { kind: "json", value: parsed.value };
}

function readForm(bytes: Buffer): Body {
  const text = bytes.toString("latin1");
  if (!/^[\x21-\x7e]*$/.test(text)) throw new UnreadableBody(400, "the form is not percent-encoded ASCII");
  return { kind: "form", text };
}

/** RFC 7396 section 4. */
const mergePatch = "application/merge-patch+json";
const onlyPatch = "the content type is for PATCH alone: send application/json";

/** The content types that are read at all; every other one is 415. */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const types = {
    "application/json": (bytes: Buffer) => readJson(bytes),
    [mergePatch]: (bytes: Buffer) => readJson(bytes),
    "application/x-www-form-urlencoded": readForm,
  } as const;
  for (const [type, read] of Object.entries(types)) {
    app.addContentTypeParser(type, { parseAs: "buffer" }, async (request: FastifyRequest, bytes: Buffer) => {
      if (type === mergePatch && request.method !== "PATCH") throw new UnreadableBody(415, onlyPatch);
      return body(request.headers["content-type"], bytes, read);
    });
  }
}

/** Bytes that are read at once, as on every other route; it takes a millisecond. */
const readAtOnce = 16_384;

/** Whoever waits for it goes on in a turn of the event loop of its own. */
export function oneEachTurn(): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    last = last.then(() => new Promise((go) => setImmediate(go)));
    return last;
  };
}

/**
 * JSON alone, as pages tell of their calls: also as text/plain, which a page that is about to go may send without asking
 * first, and with numbers as getStats() has them. Nobody has proved anything yet: large ones are read one at a time.
 */
export function readReports(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const turn = oneEachTurn();
  app.addContentTypeParser(
    ["application/json", "text/plain"],
    { parseAs: "buffer" },
    async ({ headers }: FastifyRequest, bytes: Buffer) => {
      if (bytes.length > readAtOnce) await turn();
      return body(headers["content-type"], bytes, (text) => readJson(text, { large: true }));
    },
  );
}
