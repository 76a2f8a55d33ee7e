import type { AuthenticatorChain, Presented } from "../auth/authenticator.ts";
import type { Nonces } from "../auth/nonce.ts";
import { type Awaitable, after } from "../core/awaitable.ts";
import { type CountedName, domainName } from "../core/counted.ts";
import { type Refusal, refuse } from "../core/errors.ts";
import type { Customer, Identity } from "../core/identity.ts";
import { bearerToken, type DigestParse, parseAuthorization } from "../sip/digest.ts";
import type { Header, Message } from "../sip/message.ts";
import type { Request } from "../sip/request.ts";
import { type FailureCount, tooManyProofs } from "./failures.ts";

export type Authenticated =
  /** header: what proved it, for us alone. shown: what tells that credential from others. */
  | { readonly kind: "proved"; readonly identity: Identity; readonly header: Header; readonly shown: string }
  | { readonly kind: "challenge"; readonly stale: boolean }
  /** No credential at all: a challenge, unless something else speaks for the request. */
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly customer?: Customer }
  /** Refused, and only another token will do: no digest challenge (RFC 8898 §2.2). */
  | { readonly kind: "bad-token"; readonly refusal: Refusal; readonly customer?: Customer };

interface Credential {
  readonly header: Header;
  readonly value: string;
  readonly parsed: DigestParse;
}

/** What this step needs to know of the connection. */
export interface Asker {
  readonly connection: string;
  readonly failures: FailureCount;
  readonly nonces: Nonces;
  /** Of the first proof; undefined before it. */
  readonly realm: string | undefined;
  /** The credential that this connection was accepted with: wrong ones of its neighbours behind one address do not stop it. */
  readonly accepted?: string | undefined;
}

/** The realm a request is challenged with: lower case. */
export const realmOf = (request: Request, asker: Pick<Asker, "realm">): string =>
  asker.realm ?? (request.method === "REGISTER" ? request.to.host : request.from.host);

/** Who sent this request, by the credential it carries. */
export function authenticate(request: Request, asker: Asker, chain: AuthenticatorChain): Awaitable<Authenticated> {
  const realm = realmOf(request, asker);
  const ours = ownCredentials(request.message, realm);
  if (ours.length > 1) {
    return { kind: "refused", refusal: refuse("message-malformed", "more than one credential for this realm") };
  }
  const [credential] = ours;
  if (!credential) return { kind: "none" };
  const presented = present(request, credential, realm, asker);
  if ("refusal" in presented || presented.kind === "challenge") return presented;
  const claimed = claimedDomain(credential.parsed, realm);
  const { failures } = asker;
  const shown = nameOf(presented);
  const prove = (): Awaitable<Authenticated> =>
    after(shown !== asker.accepted && failures.isOver(claimed), (over): Awaitable<Authenticated> => {
      if (over) return { kind: "refused", refusal: tooManyFailures };
      return after(chain.prove(presented), (proof): Awaitable<Authenticated> => {
        if (proof.kind === "proved") return { ...proof, header: credential.header, shown };
        if (proof.kind === "stale") return { kind: "challenge", stale: true };
        const refused = presented.kind === "token" && isCredentials(proof.refusal) ? badToken(proof) : proof;
        if (proof.refusal.code !== "credential-rejected") return refused;
        return after(failures.add(claimed), () => refused);
      });
    });
  return failures.inTurn(presented.kind, prove, () => ({ kind: "refused", refusal: tooManyProofs }));
}

function nameOf(presented: Presented): string {
  if (presented.kind === "token") return presented.token;
  return presented.kind === "digest" ? presented.credentials.username : presented.username;
}

const tooManyFailures = refuse("rate-limited", "too many wrong credentials from this address: wait a minute");

const isCredentials = ({ code }: Refusal): boolean => code.startsWith("credential-");

const badToken = (proof: { refusal: Refusal; customer?: Customer }): Authenticated => ({ ...proof, kind: "bad-token" });

/** The domain whose customer the credential will be judged under. */
function claimedDomain(parsed: DigestParse, realm: string): CountedName {
  if (parsed.kind !== "digest") return domainName(realm);
  const username = parsed.credentials.username.split(";", 1)[0]!;
  const at = username.lastIndexOf("@");
  return domainName(at < 0 ? realm : username.slice(at + 1));
}

type Answer = Extract<Authenticated, { kind: "challenge" | "refused" | "bad-token" }>;

/** What the request shows, as the authenticators take it; what is no credential at all is answered here. */
function present(
  request: Request,
  { header, value, parsed }: Credential,
  realm: string,
  { nonces, connection }: Asker,
): Presented | Answer {
  if (parsed.kind === "other") {
    const token = bearerToken(value);
    if (token === undefined) return { kind: "bad-token", refusal: noToken };
    return { kind: "token", token, domain: request.from.host, holder: connection };
  }
  if (parsed.kind === "malformed")
    return { kind: "refused", refusal: refuse("message-malformed", plain(parsed.reason)) };
  if (header.name !== (request.method === "REGISTER" ? "authorization" : "proxy-authorization")) {
    return { kind: "challenge", stale: false };
  }
  const { method, message } = request;
  return { kind: "digest", credentials: parsed.credentials, method, requestUri: message.requestUri, realm, nonces };
}

const noToken = refuse(
  "credential-malformed",
  "what follows Bearer is no JWT: three parts of base64url with dots between",
);

const plain = (reason: string): string => `in Authorization, ${reason.replace(/["\\]/g, "'")}`;

/** Header fields that carry a credential meant for us: never forwarded, and never more than one. */
export function ownCredentials(message: Message, realm: string): Credential[] {
  const own: Credential[] = [];
  for (const header of message.headers) {
    if (header.name !== "authorization" && header.name !== "proxy-authorization") continue;
    const value = message.value(header);
    const parsed = parseAuthorization(value);
    if (isOwn(parsed, value, realm)) own.push({ header, value, parsed });
  }
  return own;
}

function isOwn(parsed: DigestParse, value: string, realm: string): boolean {
  if (parsed.kind === "digest") return parsed.credentials.realm.toLowerCase() === realm;
  if (parsed.kind === "malformed") return parsed.realm === undefined || parsed.realm.toLowerCase() === realm;
  // JsSIP writes a token without the scheme word: three dotted parts; one that begins like a JSON object is spoilt.
  return (
    parsed.scheme.toLowerCase() === "bearer" || parsed.scheme.startsWith("eyJ") || bearerToken(value) !== undefined
  );
}
