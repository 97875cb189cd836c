# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL of a Server's own with Kea's hosts database, on a disk that its other files do not share."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.chaos import plan
from tests.namespaces import run, wait_for

NAME = USER = "kea"
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def _programs() -> Path:
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]


def missing() -> bool:
    """Whether there is no PostgreSQL here."""
    return not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or shutil.which("kea-admin") is None


class Database:
    """The cluster in ``directory``; its socket is there, too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._data = directory / "data"
        # A killed server with fsync off loses nothing; a machine without power would.
        self.command = [
            *_AS_POSTGRES, str(_programs() / "postgres"), "-D", str(self._data), "-k", str(directory),
            "-c", "listen_addresses=", "-c", "fsync=off", "-c", "unix_socket_permissions=0777",
        ]  # fmt: skip

    def create(self, clients: Iterable[int]) -> None:
        """Make the cluster and the tables of Kea's schema, with these Clients."""
        self.directory.mkdir()
        shutil.chown(self.directory, "postgres")
        # The directory of a test is its owner's alone.
        self.directory.parents[1].chmod(0o755)
        run(*_AS_POSTGRES, str(_programs() / "initdb"), "--auth=trust", "--no-sync", "-D", str(self._data), cwd=Path("/"))
        server = subprocess.Popen(self.command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait()
            self._sql("postgres", "postgres", f"CREATE ROLE {USER} LOGIN;")
            self._sql("postgres", "postgres", f"CREATE DATABASE {NAME} OWNER {USER};")
            address = ("-h", str(self.directory), "-P", "5432")
            run("kea-admin", "db-init", "pgsql", "-u", USER, "-p", "none", "-n", NAME, *address)
            self.set_table(clients)
        finally:
            server.terminate()
            server.wait()

    def _wait(self) -> None:
        """It may just have been killed."""
        isready = (str(_programs() / "pg_isready"), "--quiet", "-h", str(self.directory))
        wait_for(lambda: not subprocess.run(isready, check=False).returncode, 20, "PostgreSQL")

    def _sql(self, user: str, database: str, text: str) -> None:
        run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory), "-U", user, "-d", database, given=text)

    def set_table(self, clients: Iterable[int]) -> None:
        """Let these Clients have their prefixes, and no others; in one transaction."""
        lines = ["BEGIN;", "DELETE FROM hosts;"]
        for number in clients:
            lines.append(
                "INSERT INTO hosts (host_id, dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id)"
                f" VALUES ({number}, '\\x{plan.duid(number)}', 1, 1);"
            )
            for prefix in map(plan.delegated, plan.acps(number)):
                address, length = prefix.split("/")
                lines.append(
                    "INSERT INTO ipv6_reservations (address, prefix_len, type, host_id)"
                    f" VALUES ('{ipaddress.IPv6Address(address)}', {length}, 2, {number});"
                )
        self._wait()
        self._sql(USER, NAME, "\n".join([*lines, "COMMIT;", ""]))

    def kea_settings(self) -> dict[str, Any]:
        """What Kea's configuration says of it."""
        return {
            "hosts-database": {
                "type": "postgresql", "host": str(self.directory), "port": 5432, "name": NAME, "user": USER,
                "password": "none", "readonly": True, "max-reconnect-tries": 1000000000,
                "reconnect-wait-time": 500, "on-fail": "stop-retry-exit",
            }
        }  # fmt: skip
