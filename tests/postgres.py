# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a test's own, reached over a socket."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from ansible_collections.aero.link.plugins.module_utils import _back_end_postgresql as postgresql

from tests.namespaces import run, wait_for

# runuser(1) would stay as its parent, and not pass a kill -9 on.
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


class Server:
    """A cluster in a new directory ``socket`` within one that everybody may enter."""

    def __init__(self, within: Path = Path("/var/tmp")) -> None:
        self.socket = Path(tempfile.mkdtemp(prefix="aero-postgresql-", dir=within))
        self.socket.chmod(0o755)
        shutil.chown(self.socket, "postgres")
        data = str(self.socket / "data")
        self._bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        run(*_AS_POSTGRES, str(self._bin / "initdb"), "--auth=peer", "--no-sync", "-D", data, cwd=Path("/"))
        # A killed server with fsync off loses nothing; a machine without power would.
        self.command = [
            *_AS_POSTGRES, str(self._bin / "postgres"), "-D", data, "-k", str(self.socket),
            "-c", "listen_addresses=", "-c", "fsync=off",
        ]  # fmt: skip
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.socket / "log").open("a") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd="/")
        self.wait()

    def wait(self) -> None:
        """Wait until it answers, whoever started it."""
        command = (str(self._bin / "pg_isready"), "--quiet", "-h", str(self.socket))
        wait_for(lambda: not subprocess.run(command, check=False).returncode, 20, "PostgreSQL")

    def stop(self) -> None:
        """Stop it at once, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def destroy(self) -> None:
        """Stop it and remove all of it."""
        self.stop()
        shutil.rmtree(self.socket)


class BackEnd(postgresql.Postgresql):
    """The back end at a server of a test's own."""

    def __init__(self, server: Server) -> None:
        super().__init__([*postgresql.PSQL, "-h", str(server.socket)])
        self._server = server

    def _restart(self) -> None:
        self._server.stop()
        self._server.start()
