import type { Code } from "../core/errors.ts";

/** What a customer can do about a refusal, beside what its sentence says. */
export const remedies: Readonly<Record<Code, string>> = {
  "message-malformed": "mend the client: the sentence names what is wrong in what it sent",
  "message-too-big": "offer fewer codecs or candidates in the SDP, tell less of a call at once",
  "credential-malformed": "mend what mints the credential: postern verify says how it reads",
  "credential-rejected":
    "compare secret, algorithm, id and audience on your server with postern secret list and postern verify",
  "credential-expired": "let the page get a new one; where fresh ones are refused, compare the clocks",
  "credential-ttl": "mint it for a shorter time, or ask for a larger maxTtl",
  "credential-replayed": "get a new credential for each connection or call; else look who was at this address",
  "credential-revoked":
    "get a new credential, under a secret or key that is in force; of who is revoked or suspended, take that back first",
  "origin-denied": "add the page's origin, if the page is yours",
  "identity-mismatch":
    "use one connection for each user, and tell of its own calls alone; callFrom is for further From addresses",
  "method-denied": "add the method, if your pages should use it",
  "destination-denied": "add the number to dial, or have it given to you; many of one user are an attempt at fraud",
  "dialog-unknown": "place the call again",
  "permission-missing": "let your application put the permission into the token",
  "application-denied": "look into your application, which said no",
  "exchange-narrowed": "exchange without direct, or with shorter lists in the token",
  "rate-limited": "send less often; many refusals of one address are somebody who guesses",
  "limit-reached": "end what is not needed, or have the limit raised",
  "upstream-unavailable": "try again soon; where it goes on, tell the operator",
  draining: "connect again",
};
