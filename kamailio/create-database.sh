#!/bin/sh
# Creates the SQLite file for bindings and dialogs, from the schema that Debian ships in kamailio-sqlite-modules.
# Usage: create-database.sh /var/lib/kamailio/postern.sqlite
# Run it as the user that Kamailio runs as: SQLite writes beside the file too.
set -eu
file=${1:?"which file?"}
schemas=${KAMAILIO_SCHEMAS:-/usr/share/kamailio/db_sqlite}

if [ -e "$file" ]; then
	echo "$file is there already" >&2
	exit 1
fi
if ! command -v sqlite3 >/dev/null; then
	echo "sqlite3 is missing: apt install sqlite3" >&2
	exit 1
fi
for schema in standard usrloc dialog; do
	if [ ! -r "$schemas/$schema-create.sql" ]; then
		echo "$schemas/$schema-create.sql is missing: apt install kamailio-sqlite-modules, or name its folder in KAMAILIO_SCHEMAS" >&2
		exit 1
	fi
done
umask 077
# Write-ahead logging: readers and the several processes of Kamailio do not wait for each other.
{
	echo "PRAGMA journal_mode = WAL;"
	cat "$schemas/standard-create.sql" "$schemas/usrloc-create.sql" "$schemas/dialog-create.sql"
} | sqlite3 -bail "$file" >/dev/null
