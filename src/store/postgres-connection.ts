import { connect, isIP, type Socket } from "node:net";
import { isAbsolute } from "node:path";
import postgres from "postgres";
import type { PostgresTarget } from "../config/store-url.ts";
import { codeOf, fault } from "./postgres-fault.ts";

/** Milliseconds that the server lets a statement, a lock and a client that says nothing inside a transaction wait. */
const serverPatience = { statement_timeout: 5_000, lock_timeout: 2_000, idle_in_transaction_session_timeout: 5_000 };

/** certificates: of those who are believed to sign the server's, as PEM, instead of the system's. */
export interface PostgresServer extends PostgresTarget {
  readonly certificates?: string;
}

export type Value = string | number | null;
export type Row = Readonly<Record<string, unknown>>;

/**
 * One connection to the server and one only: when it is lost, so is what was asked of it, and nothing is asked again. The
 * driver would connect anew by itself, in the middle of a transaction too; so it is given one socket and no second.
 */
export class PostgresConnection {
  readonly #sql: postgres.Sql;
  readonly #lost: Promise<never>;
  readonly #lose: (error: unknown) => void;
  readonly #server: PostgresServer;
  #socket: Socket | undefined;
  #over = false;
  #answered = false;

  /** notified: the server has told what was listened for. lost: it is over, by whomever. */
  constructor(server: PostgresServer, { notified, lost }: { notified?: () => void; lost?: () => void } = {}) {
    this.#server = server;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => lost?.());
    [this.#lost, this.#lose] = [promise, reject];
    const { host, port, user, password, database } = server;
    this.#sql = postgres({
      ...{ host, port, user, database, ...(password !== undefined && { pass: password }) },
      ...{ max: 1, debug: false, fetch_types: false, max_lifetime: null, idle_timeout: undefined, backoff: () => 0 },
      ...{ connect_timeout: 0, keep_alive: 30, ssl: tlsOf(server), socket: () => this.#open() },
      connection: { application_name: "postern", search_path: "pg_catalog", ...serverPatience },
      onnotice: () => undefined,
      onnotify: () => notified?.(),
      // What was asked fails by what the driver says of it, which tells more.
      onclose: () => setImmediate(() => this.destroy()),
    } as postgres.Options<Record<string, never>>);
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Values stand as $1, $2, … in the text, and are never a part of it. Without values there may be several statements. */
  async query(text: string, values: readonly Value[] = []): Promise<readonly Row[]> {
    if (this.#over) throw fault("CONNECTION_CLOSED");
    const asked = this.#sql.unsafe<Row[]>(text, [...values], { prepare: values.length > 0 });
    const rows = await Promise.race([asked, this.#lost]).catch((error: unknown) =>
      Promise.reject(this.#explained(error)),
    );
    this.#answered = true;
    return rows;
  }

  /** At once; what is under way fails. */
  destroy(code = "CONNECTION_CLOSED"): void {
    if (this.#over) return;
    this.#over = true;
    this.#lose(fault(code));
    void this.#sql.end({ timeout: 0 });
    this.#socket?.destroy();
  }

  /** With the protocol's own word. */
  async end(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#sql.end({ timeout: 1 });
    this.#socket?.destroy();
  }

  /** Who knows no TLS closes the connection when it begins. */
  #explained(error: unknown): unknown {
    const closed = ["CONNECTION_CLOSED", "ECONNRESET"].includes(codeOf(error) ?? "");
    return closed && !this.#answered && this.#server.tls !== "off" ? fault("EPROTO") : error;
  }

  #open(): Socket {
    const { host, port } = this.#server;
    const socket = connect(isAbsolute(host) ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    if (this.#socket || this.#over) {
      socket.destroy();
      this.destroy();
      return socket;
    }
    this.#socket = socket.setNoDelay(true);
    return socket;
  }
}

/** The driver would not hold the certificate against a host that is an address. */
function tlsOf({ tls, host, certificates }: PostgresServer): boolean | object {
  if (tls === "off") return false;
  const named = { host, servername: isIP(host) === 0 ? host : "", minVersion: "TLSv1.2" };
  return { ...named, rejectUnauthorized: tls === "verified", ...(certificates !== undefined && { ca: certificates }) };
}

/** A list as a value of type text[]. */
export const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? "NULL" : `"${value.replaceAll(/[\\"]/g, "\\$&")}"`)).join()}}`;

/** Rows of one statement. */
const rowsAtOnce = 1_000;

export function* inChunks<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += rowsAtOnce) yield all.slice(at, at + rowsAtOnce);
}

/** PostgreSQL keeps any text but one with NUL; another for every other. */
export const keepable = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0");

export const kept = (text: string): string =>
  text.replaceAll(/\\(.)/g, (_all, escaped: string) => (escaped === "0" ? "\0" : escaped));
