import type { DatabaseSync } from "node:sqlite";
import { anothers, newerSchema } from "./sentences.ts";

/** Each brings the schema one version further; none is ever changed once it was released. */
const migrations: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE customers (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, item TEXT) STRICT, WITHOUT ROWID;
  CREATE INDEX customers_by_revision ON customers (revision, id);
  CREATE TABLE claims (
    kind TEXT NOT NULL, value TEXT NOT NULL, customer TEXT NOT NULL, PRIMARY KEY (kind, value)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claims_by_customer ON claims (customer);
  INSERT INTO meta VALUES ('revision', '0');
  `,
  `
  CREATE TABLE audit (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, mac TEXT NOT NULL) STRICT;
  CREATE INDEX audit_by_customer ON audit (json_extract(entry, '$.customer'), seq);
  CREATE TRIGGER audit_follows BEFORE INSERT ON audit
    WHEN new.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit follows the last one'); END;
  CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never changed'); END;
  CREATE TRIGGER audit_remains BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never removed'); END;
  CREATE TABLE audit_keys (id TEXT PRIMARY KEY, sealed TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE calls (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, user TEXT, domain TEXT, number TEXT, call_id TEXT NOT NULL,
    owner TEXT NOT NULL, standing INTEGER NOT NULL, owed INTEGER NOT NULL, record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX calls_of_customer ON calls (customer, id);
  CREATE INDEX calls_of_user ON calls (user, id) WHERE user IS NOT NULL;
  CREATE INDEX calls_of_number ON calls (number, id) WHERE number IS NOT NULL;
  CREATE INDEX calls_of_user_there ON calls (customer, user, id) WHERE user IS NOT NULL;
  CREATE INDEX calls_of_number_there ON calls (customer, number, id) WHERE number IS NOT NULL;
  CREATE INDEX calls_by_call_id ON calls (call_id, customer, id);
  CREATE INDEX calls_standing ON calls (owner) WHERE standing = 1;
  CREATE INDEX calls_owed ON calls (owner) WHERE owed = 1;
  CREATE TABLE gateways (id TEXT PRIMARY KEY, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE uses (
    customer TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, count INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (customer, kind, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE quality (
    id TEXT NOT NULL UNIQUE, customer TEXT NOT NULL, conference TEXT, bridge TEXT, piece TEXT NOT NULL
  ) STRICT;
  CREATE INDEX quality_of_customer ON quality (customer, id);
  CREATE INDEX quality_by_conference ON quality (conference, customer, id) WHERE conference IS NOT NULL;
  CREATE INDEX quality_by_bridge ON quality (bridge, customer, id) WHERE bridge IS NOT NULL;
  `,
  `
  CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY, made INTEGER NOT NULL, signs INTEGER NOT NULL, sealed TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE customers ADD COLUMN since INTEGER;
  UPDATE customers SET since = (
    SELECT max(json_extract(entry, '$.at')) FROM audit WHERE json_extract(entry, '$.customer') = id
      AND json_extract(entry, iif(item IS NULL, '$.detail.removed', '$.detail.created')) = 1
  ) WHERE EXISTS (
    SELECT 1 FROM audit WHERE json_extract(entry, '$.customer') = id AND json_extract(entry, '$.detail.removed') = 1
  );
  `,
];

/** "PSTN": a database of another program is not taken for ours. */
const application = 0x5053544e;

/** Brings a database to this version's schema. Throws a sentence where it is a newer one's, or another program's. */
export function migrate(db: DatabaseSync): void {
  if (versionOf(db) === migrations.length && applicationOf(db) === application) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    const version = versionOf(db);
    const tables = Number(db.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.count);
    if (tables > 0 && applicationOf(db) !== application) throw new Error(anothers);
    if (version > migrations.length) throw new Error(newerSchema(version, migrations.length));
    for (const step of migrations.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec(`PRAGMA application_id = ${application}`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Another process may have brought it forward meanwhile. Throws a sentence where this version does not know it. */
export function mustBeKnown(db: DatabaseSync): void {
  const version = versionOf(db);
  if (version > migrations.length) throw new Error(newerSchema(version, migrations.length));
}

const versionOf = (db: DatabaseSync): number => Number(db.prepare("PRAGMA user_version").get()?.user_version);
const applicationOf = (db: DatabaseSync): number => Number(db.prepare("PRAGMA application_id").get()?.application_id);
