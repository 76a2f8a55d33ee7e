import type { Nonces } from "../auth/nonce.ts";
import { codes, type Refusal } from "../core/errors.ts";
import { digestChallenge } from "../sip/digest.ts";
import { type ReplyHead, reply } from "../sip/reply.ts";

const retryAfterSeconds = 5;

/** 401 to REGISTER, 407 to all else, with one digest challenge and a nonce never given before (RFC 3261 §22). */
export function challenge(head: ReplyHead, tag: string, realm: string, nonces: Nonces, stale: boolean): Buffer {
  const value = digestChallenge({ realm, nonce: nonces.issue(), stale });
  return asked(head, tag, value, []);
}

/** The challenge to a bad token names no digest: a client must come back with another token (RFC 8898 §2.2). */
export function bearerChallenge(head: ReplyHead, tag: string, realm: string, refusal: Refusal): Buffer {
  return asked(head, tag, `Bearer realm="${realm}", error="invalid_token"`, refusalHeaders(refusal));
}

function asked(head: ReplyHead, tag: string, value: string, more: readonly string[]): Buffer {
  const register = head.method === "REGISTER";
  const name = register ? "WWW-Authenticate" : "Proxy-Authenticate";
  return reply(head, register ? 401 : 407, tag, [`${name}: ${value}`, ...more]);
}

/** A refusal as the client sees it: the code for programs, the sentence for people (RFC 3261 §20.43). */
export function refusalReply(head: ReplyHead, tag: string, refusal: Refusal): Buffer {
  const { sip } = codes[refusal.code];
  const headers = refusalHeaders(refusal);
  if (sip === 503) headers.push(`Retry-After: ${retryAfterSeconds}`);
  return reply(head, sip, tag, headers);
}

/** The header lines that say why, without CRLF. */
export const refusalHeaders = ({ code, sentence }: Refusal): string[] => [
  `Postern-Code: ${code}`,
  `Warning: 399 postern "${sentence}"`,
];
