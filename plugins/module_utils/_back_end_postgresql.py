# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kea with its hosts in a PostgreSQL of this Server: for tables too large to be read whole at each change.

The database holds the ACP table and nothing else, so it can be made anew at any time. Kea logs in over the
local socket as the system user it runs as (peer authentication) and may only read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_digest import Difference
from ansible_collections.aero.link.plugins.module_utils._back_end import (
    BackEndError,
    is_active,
    split,
    systemctl,
)
from ansible_collections.aero.link.plugins.module_utils._back_end_kea import delete_leases
from ansible_collections.aero.link.plugins.module_utils._prefixes import delegated

DATABASE = "kea_aero"
UNIT = "postgresql.service"
KEA_SCHEMA = "/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql"
PSQL = ("runuser", "-u", "postgres", "--", "psql")

# Beside Kea's tables: each prefix is one Client's, and a place for what is staged, a row for each ACP.
# What is staged need not survive a crash.
_OWN_SCHEMA = """
CREATE UNIQUE INDEX IF NOT EXISTS aero_one_owner ON ipv6_reservations (address, prefix_len);
CREATE SCHEMA IF NOT EXISTS aero;
CREATE UNLOGGED TABLE IF NOT EXISTS aero.staged (
  number integer, position smallint, client bytea,
  address text CHECK (family(address::inet) = 6), length smallint CHECK (length BETWEEN 1 AND 128)
);
CREATE UNLOGGED TABLE IF NOT EXISTS aero.leaving (client bytea);
"""

# Kea asks short questions: planning them for many cores or compiling them takes longer than answering.
_TUNING = f"""
ALTER DATABASE {DATABASE} SET jit = off;
ALTER DATABASE {DATABASE} SET random_page_cost = 1.1;
ALTER SYSTEM SET max_wal_size = '2GB';
ALTER SYSTEM SET shared_buffers = '{{shared_buffers}}MB';
"""

# The canonical lines, in the order of the Clients. reservation_id follows the order of the IAIDs.
_LINES = """
COPY (
  SELECT encode(dhcp_identifier, 'hex') || ' ' || coalesce(string_agg(
    CASE WHEN address LIKE '::ffff:%.%' THEN substr(address, 8) || '/' || prefix_len - 96
         ELSE address || '/' || prefix_len END, ' ' ORDER BY reservation_id), '')
  FROM hosts LEFT JOIN ipv6_reservations USING (host_id) GROUP BY host_id ORDER BY dhcp_identifier
) TO STDOUT;
"""

_SWITCH = """
LOCK TABLE hosts, ipv6_reservations IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM hosts WHERE dhcp_identifier IN (SELECT client FROM aero.leaving);
SELECT coalesce(max(host_id), 0) AS last FROM hosts \\gset
INSERT INTO hosts (host_id, dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id)
  SELECT :last + number, client, 1, 1 FROM aero.staged WHERE position = 1;
INSERT INTO ipv6_reservations (address, prefix_len, type, dhcp6_iaid, host_id)
  SELECT address, length, 2, position, :last + number FROM aero.staged ORDER BY number, position;
SELECT setval('hosts_host_id_seq', coalesce(max(host_id), 1)) FROM hosts;
-- Not before: an empty table would take all prefixes from their Clients.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO _kea;
"""

# Those that are no constraint: building them once is faster than keeping them up to date row by row.
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
  WHERE schemaname = 'public' AND tablename IN ('hosts', 'ipv6_reservations')
  AND indexname NOT IN (SELECT conname FROM pg_constraint);
"""


class Postgresql:
    """The hosts database; ``psql`` is how its superuser reaches the server."""

    def __init__(self, psql: t.Sequence[str] = PSQL) -> None:
        self._psql = psql

    def prepare(self) -> None:
        """Start PostgreSQL and make the database, if it is not the one that this Kea wants."""
        if shutil.which("psql") is None or not os.path.exists(KEA_SCHEMA):
            raise BackEndError("PostgreSQL or kea-admin is not installed; run site.yml first")
        if self._ask("SELECT 1;", "postgres")[0] != 0:
            systemctl("restart", UNIT)
        mark = f"aero.link, Kea schema {_version_of(KEA_SCHEMA)}"
        found = self._sql(
            f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{DATABASE}';",
            "postgres",
        )
        if found.strip() != mark:
            self._make(mark)
        self._sql(_OWN_SCHEMA)

    def _make(self, mark: str) -> None:
        """Make the database anew; the mark comes last, so one that was begun is made again."""
        role = self._sql("SELECT count(*) FROM pg_roles WHERE rolname = '_kea';", "postgres").strip()
        self._sql(
            ("" if role == "1" else "CREATE ROLE _kea LOGIN;\n")
            + f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE);\nCREATE DATABASE {DATABASE};\n"
            + _TUNING.format(shared_buffers=_shared_buffers()),
            "postgres",
        )
        with open(KEA_SCHEMA, encoding="utf-8") as file:
            self._sql(file.read())
        self._restart()
        self._sql(f"COMMENT ON DATABASE {DATABASE} IS '{mark}';")

    def _restart(self) -> None:
        systemctl("restart", UNIT)

    def lines(self) -> list[str]:
        """The lines of the database; none where there is none, or (in check mode) it was stopped."""
        if shutil.which("psql") is None:
            return []
        status, output, errors = self._ask(_LINES)
        if status != 0:
            if f'database "{DATABASE}" does not exist' in errors or not is_active(UNIT):
                return []
            raise BackEndError(f"PostgreSQL: {errors.strip()}")
        return output.splitlines(keepends=True)

    def has_table(self) -> bool:
        """Whether Kea may read it, which the first switch grants."""
        status, output, _errors = self._ask("SELECT has_table_privilege('_kea', 'hosts', 'SELECT');")
        return status == 0 and output.strip() == "t"

    def stage(self, lines: list[str], difference: Difference) -> list[str]:
        """Bring the differences beside the table, and try the switch without keeping it."""
        if self._ask("SELECT 1;")[0] != 0:
            return [f"the database {DATABASE} is not there yet: the table is not checked by it"]
        new = sorted([*difference.added, *(line for _old, line in difference.changed)])
        leaving = sorted([*difference.removed, *(line for line, _new in difference.changed)])
        self._sql(
            "BEGIN;\nTRUNCATE aero.staged, aero.leaving;\nCOPY aero.staged FROM STDIN;\n"
            + "".join(_staged(number, line) for number, line in enumerate(new, start=1))
            + "\\.\nCOPY aero.leaving FROM STDIN;\n"
            + "".join(f"\\\\x{split(line)[0]}\n" for line in leaving)
            + "\\.\nCOMMIT;\n"
        )
        if leaving or len(new) < len(lines):
            try:
                self._sql(f"BEGIN;\n{_SWITCH}\nROLLBACK;\n")
            except BackEndError:
                self.unstage()
                raise
        return []

    def unstage(self) -> None:
        """Forget what is staged."""
        if self._ask("SELECT 1;")[0] == 0:
            self._sql("TRUNCATE aero.staged, aero.leaving;")

    def switch(self) -> None:
        """Make the differences part of the table, in one transaction."""
        begin, end = "BEGIN;\n", "TRUNCATE aero.staged, aero.leaving;\nCOMMIT;\n"
        if self._sql("SELECT EXISTS (SELECT FROM hosts);").strip() == "f":
            indexes = [line.split("|", 1) for line in self._sql(_INDEXES).splitlines()]
            # Nothing that a constraint's trigger would look at is missing: it is all in this transaction.
            begin += "SET LOCAL session_replication_role = replica;\n"
            begin += "SET LOCAL maintenance_work_mem = '256MB';\n"
            begin += "".join(f"DROP INDEX {name};\n" for name, _definition in indexes)
            end = "".join(f"{definition};\n" for _name, definition in indexes) + end + "ANALYZE;\n"
        self._sql(begin + _SWITCH + end)

    def load(self) -> None:
        """Nothing: Kea asks the database at each message."""

    def free(self, prefixes: list[str]) -> list[str]:
        """Delete the leases, which Kea keeps in its own file as ever."""
        return delete_leases(prefixes)

    def _sql(self, script: str, database: str = DATABASE) -> str:
        """What a script prints; BackEndError with PostgreSQL's words if any part of it fails."""
        status, output, errors = self._ask(script, database)
        if status != 0:
            raise BackEndError(f"PostgreSQL: {errors.strip()}")
        return output

    def _ask(self, script: str, database: str = DATABASE) -> tuple[int, str, str]:
        options = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database]
        # In a directory that the user postgres may enter.
        done = subprocess.run(
            [*self._psql, *options], input=script, capture_output=True, text=True, check=False, cwd="/"
        )
        return done.returncode, done.stdout, done.stderr


def _staged(number: int, line: str) -> str:
    """The rows of a Client in COPY's text format."""
    client_id, acps = split(line)
    rows = []
    for position, acp in enumerate(acps, start=1):
        address, _slash, length = delegated(acp).partition("/")
        rows.append(f"{number}\t{position}\t\\\\x{client_id}\t{address}\t{length}\n")
    return "".join(rows)


def _version_of(path: str) -> str:
    """The version of the database schema that the installed Kea works with; it refuses any other."""
    with open(path, encoding="utf-8") as file:
        versions = re.findall(r"SET version = '(\d+)', minor = '(\d+)'", file.read())
    if not versions:
        raise BackEndError(f"{path}: tells no version")
    return ".".join(versions[-1])


def _shared_buffers() -> int:
    """An eighth of the memory, in MB, from PostgreSQL's default to 1 GB: what a million Clients take."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return max(128, min(1024, memory // 8))
