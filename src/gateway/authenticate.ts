import type { DigestAuthenticator } from "../auth/digest.ts";
import type { Nonces } from "../auth/nonce.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Customer, Identity } from "../core/identity.ts";
import { type DigestParse, parseAuthorization } from "../sip/digest.ts";
import type { Header, Message } from "../sip/message.ts";
import type { Request } from "../sip/request.ts";

export type Authenticated =
  /** header: what proved it, for us alone. */
  | { readonly kind: "proved"; readonly identity: Identity; readonly header: Header }
  | { readonly kind: "challenge"; readonly stale: boolean }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly customer?: Customer }
  /** Refused, and only another token will do: no digest challenge (RFC 8898 §2.2). */
  | { readonly kind: "bad-token"; readonly refusal: Refusal };

interface Credential {
  readonly header: Header;
  readonly parsed: DigestParse;
}

/** Failed proofs of this client's address under a claimed domain. */
export interface FailureCount {
  isOver(domain: string): boolean;
  add(domain: string): void;
}

/** What this step needs to know of the connection. */
export interface Asker {
  readonly failures: FailureCount;
  readonly nonces: Nonces;
  /** Of the first proof; undefined before it. */
  readonly realm: string | undefined;
}

/** The realm a request is challenged with: lower case. */
export const realmOf = (request: Request, asker: Pick<Asker, "realm">): string =>
  asker.realm ?? (request.method === "REGISTER" ? request.to.host : request.from.host);

/** Who sent this request, by the credential it carries. */
export function authenticate(request: Request, asker: Asker, digest: DigestAuthenticator): Authenticated {
  const realm = realmOf(request, asker);
  const ours = ownCredentials(request.message, realm);
  if (ours.length > 1) {
    return { kind: "refused", refusal: refuse("message-malformed", "more than one credential for this realm") };
  }
  const [credential] = ours;
  if (!credential) return { kind: "challenge", stale: false };
  const claimed = claimedDomain(credential.parsed, realm);
  if (asker.failures.isOver(claimed)) return { kind: "refused", refusal: tooManyFailures };
  const answer = judge(request, credential, realm, asker, digest);
  if ("refusal" in answer && answer.refusal.code === "credential-rejected") asker.failures.add(claimed);
  return answer;
}

const tooManyFailures = refuse("rate-limited", "too many wrong credentials from this address: wait a minute");

/** The domain whose customer the credential will be judged under. */
function claimedDomain(parsed: DigestParse, realm: string): string {
  if (parsed.kind !== "digest") return realm;
  const { username } = parsed.credentials;
  const at = username.lastIndexOf("@");
  return at < 0 ? realm : username.slice(at + 1).toLowerCase();
}

function judge(
  request: Request,
  { parsed, header }: Credential,
  realm: string,
  { nonces }: Asker,
  digest: DigestAuthenticator,
): Authenticated {
  if (parsed.kind === "other") {
    const sentence = "tokens are not available here yet: use an ephemeral credential with digest";
    return { kind: "bad-token", refusal: refuse("credential-rejected", sentence) };
  }
  if (parsed.kind === "malformed")
    return { kind: "refused", refusal: refuse("message-malformed", plain(parsed.reason)) };
  if (header.name !== (request.method === "REGISTER" ? "authorization" : "proxy-authorization")) {
    return { kind: "challenge", stale: false };
  }
  const { method, message } = request;
  const { requestUri } = message;
  const proof = digest.prove({ credentials: parsed.credentials, method, requestUri, realm, nonces });
  if (proof.kind === "proved") return { ...proof, header };
  return proof.kind === "stale" ? { kind: "challenge", stale: true } : proof;
}

const plain = (reason: string): string => `in Authorization, ${reason.replace(/["\\]/g, "'")}`;

/** Header fields that carry a credential meant for us: never forwarded, and never more than one. */
export function ownCredentials(message: Message, realm: string): Credential[] {
  const own: Credential[] = [];
  for (const header of message.headers) {
    if (header.name !== "authorization" && header.name !== "proxy-authorization") continue;
    const parsed = parseAuthorization(message.value(header));
    if (isOwn(parsed, realm)) own.push({ header, parsed });
  }
  return own;
}

function isOwn(parsed: DigestParse, realm: string): boolean {
  if (parsed.kind === "digest") return parsed.credentials.realm.toLowerCase() === realm;
  if (parsed.kind === "malformed") return parsed.realm === undefined || parsed.realm.toLowerCase() === realm;
  // JsSIP writes a token without the scheme word: three dotted parts, of which the first is a JSON object.
  return parsed.scheme.toLowerCase() === "bearer" || parsed.scheme.startsWith("eyJ");
}
