import type { PostgresConnection } from "./postgres-connection.ts";
import { codeOf } from "./postgres-fault.ts";
import { SealKeys } from "./seal.ts";
import { anothers, newerSchema, sealedOtherwise } from "./sentences.ts";

/** Each brings the schema one version further; none is ever changed once it was released. */
const migrations: readonly string[] = [
  `
  CREATE TABLE postern.customers (id text COLLATE "C" PRIMARY KEY, revision bigint NOT NULL, item text);
  CREATE INDEX customers_by_revision ON postern.customers (revision, id);
  CREATE TABLE postern.claims (
    kind text COLLATE "C", value text COLLATE "C", customer text COLLATE "C" NOT NULL, PRIMARY KEY (kind, value)
  );
  CREATE INDEX claims_by_customer ON postern.claims (customer);
  INSERT INTO postern.meta VALUES ('revision', '0');
  `,
  `
  CREATE TABLE postern.audit (seq bigint PRIMARY KEY, entry text NOT NULL, mac text NOT NULL);
  CREATE INDEX audit_by_customer ON postern.audit (substring(entry FROM '"customer":"((?:[^"\\\\]|\\\\.)*)"'), seq);
  CREATE FUNCTION postern.audit_follows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF new.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM postern.audit) THEN
      RAISE EXCEPTION 'an entry of the audit follows the last one';
    END IF;
    RETURN new;
  END $$;
  CREATE TRIGGER audit_follows BEFORE INSERT ON postern.audit
    FOR EACH ROW EXECUTE FUNCTION postern.audit_follows();
  CREATE FUNCTION postern.audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'an entry of the audit is never changed or removed';
  END $$;
  CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON postern.audit
    FOR EACH STATEMENT EXECUTE FUNCTION postern.audit_stays();
  CREATE TABLE postern.audit_keys (id text PRIMARY KEY, sealed text NOT NULL);
  `,
  `
  CREATE TABLE postern.calls (
    id text COLLATE "C" PRIMARY KEY, customer text NOT NULL, caller text, domain text, number text, call_id text NOT NULL,
    owner text COLLATE "C" NOT NULL, standing boolean NOT NULL, owed boolean NOT NULL, record text NOT NULL
  );
  CREATE INDEX calls_of_customer ON postern.calls (customer, id);
  CREATE INDEX calls_of_caller ON postern.calls (caller, id) WHERE caller IS NOT NULL;
  CREATE INDEX calls_of_number ON postern.calls (number, id) WHERE number IS NOT NULL;
  CREATE INDEX calls_of_caller_there ON postern.calls (customer, caller, id) WHERE caller IS NOT NULL;
  CREATE INDEX calls_of_number_there ON postern.calls (customer, number, id) WHERE number IS NOT NULL;
  CREATE INDEX calls_by_call_id ON postern.calls (call_id, customer, id);
  CREATE INDEX calls_standing ON postern.calls (owner) WHERE standing;
  CREATE INDEX calls_owed ON postern.calls (owner) WHERE owed;
  CREATE TABLE postern.gateways (id text COLLATE "C" PRIMARY KEY, seen bigint NOT NULL);
  `,
  `
  CREATE TABLE postern.uses (
    customer text COLLATE "C", kind text COLLATE "C", id text COLLATE "C", count bigint NOT NULL, last bigint NOT NULL,
    PRIMARY KEY (customer, kind, id)
  );
  `,
  `
  CREATE TABLE postern.quality (
    id text COLLATE "C" PRIMARY KEY, customer text NOT NULL, conference text, bridge text, piece text NOT NULL
  );
  CREATE INDEX quality_of_customer ON postern.quality (customer, id);
  CREATE INDEX quality_by_conference ON postern.quality (conference, customer, id) WHERE conference IS NOT NULL;
  CREATE INDEX quality_by_bridge ON postern.quality (bridge, customer, id) WHERE bridge IS NOT NULL;
  `,
  `
  CREATE TABLE postern.signing_keys (
    kid text COLLATE "C" PRIMARY KEY, made bigint NOT NULL, signs bigint NOT NULL, sealed text NOT NULL
  );
  `,
  `
  ALTER TABLE postern.customers ADD COLUMN since bigint;
  UPDATE postern.customers SET since = (
    SELECT max(substring(entry FROM '"at":([0-9]+)')::bigint) FROM postern.audit
      WHERE substring(entry FROM '"customer":"((?:[^"\\\\]|\\\\.)*)"') = id COLLATE "default"
        AND entry LIKE '%"detail":{"revision":%,"' || CASE WHEN item IS NULL THEN 'removed' ELSE 'created' END || '":true%'
  ) WHERE EXISTS (
    SELECT FROM postern.audit
      WHERE substring(entry FROM '"customer":"((?:[^"\\\\]|\\\\.)*)"') = id COLLATE "default"
        AND entry LIKE '%"detail":{"revision":%,"removed":true%'
  );
  `,
];

/** "PSTN": so that of several that start at once one makes what is to be made. */
const lock = "SELECT pg_advisory_xact_lock(1347638350)";

/** A change of the schema, or of all secrets, may take minutes; a gateway that starts waits for another that does it. */
const patiently = "SET LOCAL statement_timeout = '600s'; SET LOCAL lock_timeout = '600s'";

/** All of it or nothing, and no other that does the same meanwhile. */
export async function alone<T>(connection: PostgresConnection, work: () => Promise<T>): Promise<T> {
  await connection.query(`BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${patiently}; ${lock}`);
  try {
    const result = await work();
    await connection.query("COMMIT");
    return result;
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => connection.destroy());
    throw error;
  }
}

/**
 * Brings the database to this version's schema. False where there is none and none is to be made. Throws a sentence where
 * it is a newer one's, or another program's.
 */
export async function migrate(connection: PostgresConnection, make: boolean): Promise<boolean> {
  const version = await readVersion(connection);
  if (version === migrations.length) return true;
  if (version === 0 && !make) return false;
  await mustKeepAnyText(connection);
  await alone(connection, () => bringUp(connection));
  return true;
}

async function bringUp(connection: PostgresConnection): Promise<void> {
  const version = await readVersion(connection);
  if (version === 0) await begin(connection);
  for (const step of migrations.slice(version)) await connection.query(step);
  await connection.query("UPDATE postern.meta SET value = $1 WHERE name = 'schema'", [String(migrations.length)]);
}

async function begin(connection: PostgresConnection): Promise<void> {
  const [row] = await connection.query("SELECT to_regnamespace('postern') IS NULL AS wanted");
  // IF NOT EXISTS would ask for the right to make it where it is there already.
  if (row?.wanted === true) await connection.query("CREATE SCHEMA postern");
  await connection.query(
    `CREATE TABLE postern.meta (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);
     INSERT INTO postern.meta VALUES ('application', 'postern'), ('schema', '0')`,
  );
}

/** 0 where there is nothing yet. Throws a sentence where it is a newer one's, or another program's. */
async function readVersion(connection: PostgresConnection): Promise<number> {
  const [found] = await connection.query(
    `SELECT to_regclass('postern.meta') IS NOT NULL AS ours,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('postern')) AS used`,
  );
  if (found?.used !== true) return 0;
  if (found.ours !== true) throw new Error(anothers);
  return mustBeKnown(await readMeta(connection));
}

/** What the database says of itself. Throws a sentence where this version does not know it. */
export function mustBeKnown(meta: ReadonlyMap<string, string>): number {
  if (meta.get("application") !== "postern") throw new Error(anothers);
  const version = Number(meta.get("schema"));
  if (version > migrations.length) throw new Error(newerSchema(version, migrations.length));
  return version;
}

export async function readMeta(connection: PostgresConnection): Promise<Map<string, string>> {
  const rows = await connection.query("SELECT name, value FROM postern.meta").catch((error: unknown) => {
    throw codeOf(error) === "42703" ? new Error(anothers) : error; // no such column
  });
  return new Map(rows.map(({ name, value }) => [String(name), String(value)]));
}

/** Where the database says another key by now. Throws a sentence where it is none of these. */
export function keysFor(
  texts: readonly string[],
  before: SealKeys,
  current: string | undefined,
  none = sealedOtherwise,
): SealKeys {
  if (current === undefined || current === before.id) return before;
  if (!before.has(current)) throw new Error(none);
  return new SealKeys(texts, current);
}

async function mustKeepAnyText(connection: PostgresConnection): Promise<void> {
  const [row] = await connection.query("SHOW server_encoding");
  if (row?.server_encoding === "UTF8") return;
  throw new Error("cannot keep every text: make its database with ENCODING 'UTF8' TEMPLATE template0");
}
