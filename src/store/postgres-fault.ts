/** What the driver, the server (SQLSTATE) and the system say, as a sentence that follows "the store …". */
const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: "cannot be reached: nothing listens there",
  ENOENT: "cannot be reached: there is no socket",
  EACCES: "cannot be reached: this user may not use its socket",
  EHOSTUNREACH: "cannot be reached: there is no way to its host",
  ENETUNREACH: "cannot be reached: there is no way to its network",
  ENOTFOUND: "cannot be reached: its host has no address",
  EAI_AGAIN: "cannot be reached: nobody says which address its host has",
  CONNECTION_CLOSED: "closed the connection: it was stopped or restarted",
  CONNECTION_DESTROYED: "closed the connection: it was stopped or restarted",
  ECONNRESET: "closed the connection: it was stopped or restarted",
  EPIPE: "closed the connection: it was stopped or restarted",
  TOO_LATE: "does not answer in time: try again",
  ERR_TLS_CERT_ALTNAME_INVALID: "shows a certificate for another host",
  CERT_HAS_EXPIRED: "shows a certificate that has expired",
  SASL_SIGNATURE_MISMATCH: "does not know this user's password itself: it is not the server that it says",
  "08P01": "does not speak the protocol as it should: name the server itself, no pooler of transactions",
  "25006": "may only be read: name the primary server",
  "28000": "lets this user not in: look at its pg_hba.conf",
  "28P01": "refuses this user or its password",
  "3D000": "is not there: createdb makes it",
  "3F000": "has lost its schema postern: restore it from a backup, and restart",
  "42P01": "has lost a table of its schema postern: restore it from a backup, and restart",
  "42501": "may not be used by this user: the schema postern must be its own, or it must be allowed to make it",
  "53100": "has no room left on its disk",
  "53200": "has no memory left",
  "53300": "has no connection left: raise max_connections",
  "55P03": "is locked by another change: try again",
  "57014": "takes too long: try again",
  "57P01": "closed the connection: it was stopped or restarted",
  "57P02": "closed the connection: it was stopped or restarted",
  "57P03": "is starting or stopping: try again",
  "57P05": "closed the connection: it was stopped or restarted",
  "25P03": "takes too long: try again",
  "40001": "is locked by another change: try again",
  "40P01": "is locked by another change: try again",
};

/** Codes of OpenSSL and of the system are many of a kind. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/SELF_SIGNED|UNABLE_TO_|CERT_/, "shows a certificate of nobody who is believed: set sslrootcert, or sslmode"],
  [/SSL|^EPROTO$/, "does not speak TLS as it should: turn ssl on there, or set sslmode"],
  [/^ETIMEDOUT$|TIMEOUT/, "cannot be reached: nobody answers there"],
];

/** What to tell of a fault of the database; what the server says of it may quote values, so nothing of it is told. */
export function postgresSentence(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  const code = codeOf(error);
  if (code === undefined) return error.message;
  return sentences[code] ?? kinds.find(([pattern]) => pattern.test(code))?.[1] ?? `failed (PostgreSQL: ${code})`;
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** The server itself refuses, and the connection goes on. */
export const isServers = (error: unknown): boolean => error instanceof Error && "severity" in error;

/** In the driver's own form. */
export const fault = (code: string): Error => Object.assign(new Error(code), { code });
