import { isIP } from "node:net";
import { isAbsolute } from "node:path";

/** What a `postgres://…` means. */
export interface PostgresTarget {
  /** As it may be shown: no password. */
  readonly name: string;
  /** Of a name; of an address without brackets; of a unix socket the folder that it lies in. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  /** verified: the server must show a certificate for its host. encrypted: any certificate. */
  readonly tls: "off" | "encrypted" | "verified";
  /** File of the certificates that the server's is held against, instead of the system's. */
  readonly authorities?: string;
}

export type PostgresUrl =
  | { readonly kind: "target"; readonly target: PostgresTarget }
  /** The sentence repeats nothing of the URL. */
  | { readonly kind: "fault"; readonly sentence: string };

const modes: ReadonlyMap<string, PostgresTarget["tls"]> = new Map([
  ["disable", "off"],
  ["require", "encrypted"],
  ["verify-full", "verified"],
]);

const example = "write postgres://user:password@host:5432/database";

/** A connection URI as PostgreSQL's own programs take it, of one server; of its parameters sslmode, sslrootcert and host. */
export function readPostgresUrl(text: string): PostgresUrl {
  const url = URL.canParse(text) && !/[\s\\#]/.test(text) ? new URL(text) : undefined;
  if (!url) return fault(`is no URL of a PostgreSQL server: ${example}, with %40 for @ and the like in a password`);
  const parts = decoded([url.username, url.password, url.pathname.slice(1), url.hostname.replace(/^\[(.*)\]$/, "$1")]);
  if (!parts) return fault("has a % that begins no character: write %25 for %");
  const [user = "", password = "", database = "", named = ""] = parts;
  const socket = url.searchParams.get("host") ?? "";
  if (user === "") return fault(`names no user: ${example}`);
  if (database === "" || database.includes("/")) return fault(`names no database: ${example}`);
  const host = socket || named;
  if (socket ? !isAbsolute(socket) || named !== "localhost" : !isHost(named)) return fault(hostWanted);
  const wrong = wrongParameter(url.searchParams);
  if (wrong !== undefined) return fault(wrong);
  const port = Number(url.port || 5432);
  const authorities = url.searchParams.get("sslrootcert") ?? undefined;
  const target = { host, port, user, database, tls: tlsOf(url.searchParams.get("sslmode"), host) };
  return {
    kind: "target",
    target: {
      ...target,
      name: nameOf(target),
      ...(password !== "" && { password }),
      ...(authorities !== undefined && { authorities }),
    },
  };
}

const hostWanted =
  "names no host: write one host name or address, or localhost and ?host= with the absolute path of a socket's folder";

/** What of a `store` may be logged and shown; of a URL that is none nothing. */
export function storeName(store: string): string {
  if (!isPostgres(store)) return store;
  const read = readPostgresUrl(store);
  return read.kind === "target" ? read.target.name : "postgres://…";
}

/** What is wrong with how a store beyond this machine is reached; undefined where nothing is. */
export function storeTls(store: string): string | undefined {
  const read = isPostgres(store) ? readPostgresUrl(store) : undefined;
  if (read?.kind !== "target" || isHere(read.target.host) || read.target.tls === "verified") return undefined;
  return read.target.tls === "off" ? "its server is reached in the clear" : "any server is believed to be its server";
}

export const isPostgres = (store: string): boolean => /^postgres(ql)?:\/\//.test(store);

const fault = (sentence: string): PostgresUrl => ({ kind: "fault", sentence });

function decoded(texts: readonly string[]): string[] | undefined {
  try {
    return texts.map(decodeURIComponent);
  } catch {
    return undefined; // a % that begins no character is the one way to fail
  }
}

const isHost = (text: string): boolean => isIP(text) !== 0 || /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/.test(text);

function wrongParameter(given: URLSearchParams): string | undefined {
  const names = [...given.keys()];
  const unknown = names.some((name) => !["sslmode", "sslrootcert", "host"].includes(name));
  if (unknown) return "has a parameter that is not known: sslmode, sslrootcert and host are";
  if (new Set(names).size < names.length) return "has a parameter twice";
  const mode = given.get("sslmode");
  if (mode !== null && !modes.has(mode)) {
    return "has an sslmode that cannot be relied on: verify-full, require (any certificate) or disable";
  }
  const authorities = given.get("sslrootcert");
  if (authorities === null) return undefined;
  if (mode !== null && mode !== "verify-full") return "has sslrootcert without sslmode=verify-full";
  return isAbsolute(authorities) ? undefined : "has an sslrootcert that is no absolute path";
}

/** Beyond this machine nobody is believed without a certificate, and nothing goes in the clear, unless it is said. */
function tlsOf(mode: string | null, host: string): PostgresTarget["tls"] {
  if (mode !== null) return modes.get(mode) ?? "verified";
  return isHere(host) ? "off" : "verified";
}

const isHere = (host: string): boolean =>
  isAbsolute(host) || host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

function nameOf({ host, port, user, database }: Pick<PostgresTarget, "host" | "port" | "user" | "database">): string {
  const where = isIP(host) === 6 ? `[${host}]` : host;
  return `postgres://${encodeURIComponent(user)}@${where}:${port}/${encodeURIComponent(database)}`;
}
