import type { CallOutResult, FailureReason } from "../callout/result.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../core/strict-json.ts";

/** What an application service said, as far as it can be told without a key. */
export type ServiceSaid =
  | { readonly kind: "token"; readonly token: string }
  /** It does not let this visitor in. status: of HTTP. */
  | { readonly kind: "denied"; readonly status: number; readonly words: Words | undefined }
  /** Not what was asked for: whoever runs it has to mend it. */
  | { readonly kind: "unfit"; readonly sentence: string }
  /** Down, slow, or not where it was said to be. */
  | { readonly kind: "unavailable"; readonly sentence: string };

/** Its own words, bounded and without what a terminal or a page could obey; nothing here understands them. */
export interface Words {
  readonly error: string;
  readonly error_description?: string;
}

/** Characters of each. */
const [longestError, longestDescription] = [100, 500];

/** It did answer, but not so that it could be read: asking again does not help. */
const answered: ReadonlySet<FailureReason> = new Set(["too-big", "encoding", "redirect"]);

/** `{"permission_token"}` with 200, or `{"error","error_description"}` with 4xx. */
export function readService(result: CallOutResult): ServiceSaid {
  if (result.kind === "failed")
    return { kind: answered.has(result.reason) ? "unfit" : "unavailable", sentence: result.sentence };
  const { status, body } = result;
  if (status >= 500) return { kind: "unavailable", sentence: `its service answers with a fault of its own, ${status}` };
  if (status >= 400) return { kind: "denied", status, words: wordsOf(objectOf(body)) };
  if (status !== 200) return unfit(`its service answers ${status}: 200 or 4xx is asked for`);
  const parsed = parseStrictJson(body);
  if (parsed.kind === "malformed") return unfit(`in the answer of its service ${parsed.sentence}`);
  const token = isJsonObject(parsed.value) ? parsed.value.permission_token : undefined;
  return typeof token === "string"
    ? { kind: "token", token }
    : unfit("the answer of its service is no JSON object with a text permission_token");
}

const unfit = (sentence: string): ServiceSaid => ({ kind: "unfit", sentence });

function objectOf(body: Buffer): JsonObject | undefined {
  const parsed = parseStrictJson(body);
  return parsed.kind === "value" && isJsonObject(parsed.value) ? parsed.value : undefined;
}

function wordsOf(object: JsonObject | undefined): Words | undefined {
  const [error, description] = [object?.error, object?.error_description];
  if (typeof error !== "string") return undefined;
  return {
    error: cleaned(error, longestError),
    ...(typeof description === "string" && { error_description: cleaned(description, longestDescription) }),
  };
}

/** Control characters, and those that turn the direction of a text or end its line. */
const obeyed = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;

function cleaned(text: string, longest: number): string {
  const characters = [...text.replace(obeyed, "?")];
  return characters.length > longest ? `${characters.slice(0, longest - 1).join("")}…` : characters.join("");
}
