import type { FastifyRequest } from "fastify";
import { type Refused, refused } from "./asked.ts";

/** Revisions that the customer may have; undefined: any that there is. */
export type Precondition = { readonly kind: "any"; readonly revisions: readonly number[] | undefined } | Refused;

const list = /^(?:W\/)?"[\x21\x23-\x7e]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e]*")*$/;

/** RFC 9110 section 13.1.1: compared strongly, so a weak tag is nobody's. */
export function ifMatch({ raw }: FastifyRequest): Precondition {
  const text = raw.headersDistinct["if-match"]?.join(", ").trim();
  if (text === undefined || text === "*") return { kind: "any", revisions: undefined };
  if (!list.test(text)) return malformed;
  const tags = text.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return {
    kind: "any",
    revisions: tags.flatMap((tag) => (/^"[0-9]{1,15}"$/.test(tag) ? [Number(tag.slice(1, -1))] : [])),
  };
}

const malformed = refused(400, "If-Match must be the ETag of an answer, in quotes, or *", {
  code: "message-malformed",
});
