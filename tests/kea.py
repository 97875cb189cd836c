# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea as the role ``server`` has it, in a directory of a test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.aero.link.plugins.module_utils._acp_digest import difference
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEnd
from ansible_collections.aero.link.plugins.module_utils._back_end_kea import SOCKET, Kea, ask_kea, exchange

from tests.role_templates import ROLE, render

# As the user that its unit runs it as: PostgreSQL knows it by that.
_AS_KEA = ("setpriv", "--reuid=_kea", "--regid=_kea", "--clear-groups", "--inh-caps=+net_bind_service",
           "--ambient-caps=+net_bind_service")  # fmt: skip
_RELOAD = 600.0  # seconds; a million reservations took Kea more than a minute
_TIMEOUT = 10.0


class OwnKea(Kea):
    """The role's back end, and how its Kea is configured, started and asked.

    Everything is in ``directory``, but for the table if it is in ``place``.
    """

    def __init__(self, directory: Path | str, place: Path | str = "") -> None:
        super().__init__()
        self.directory = Path(directory)
        self.path, self.config = f"{place or directory}/reservations.json", f"{directory}/kea.conf"
        self.socket = f"{directory}/kea.sock"
        self.checker, self.needs = ("sh", str(ROLE / "files" / "kea-check")), (self.config,)
        # As the unit's drop-in control.conf has it.
        first = f"umask 007; rm -f {directory}/kea.kea-dhcp6.pid"
        variables = (f"KEA_PIDFILE_DIR={directory}", "KEA_LOCKFILE_DIR=none")
        daemon = ("env", *variables, *_AS_KEA, "kea-dhcp6", "-c", self.config)
        self.command = ("sh", "-c", f'{first}; exec "$@"', "kea", *daemon)

    def configure(
        self, back_end: str = "kea", aero_id: int = 11, leases: Path | None = None, database: Path | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        """Write what the role writes; ``leases`` and ``database`` are other directories, ``more`` is of the link."""
        text = render("kea-dhcp6.conf.j2", back_end, aero_id, **more)
        leases = leases or self.directory
        places = {SOCKET: self.socket, "/var/lib/kea": leases, Kea.path: self.path, "/run/postgresql": database}
        for path, own in places.items():
            text = text.replace(path, str(own))
        Path(self.config).write_text(text)
        for directory in (self.directory, leases):
            shutil.chown(directory, group="_kea")
            directory.chmod(0o775)

    def load(self) -> None:
        """Have it read its configuration again, if it runs."""
        if Path(self.socket).exists():
            ask_kea(self.socket, "config-reload", _RELOAD)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The answer on the control socket, be it a refusal; KeaError if there is none."""
        request = {"command": command, **({"arguments": arguments} if arguments else {})}
        return exchange(self.socket, request, _TIMEOUT)[1]


def bring(back_end: BackEnd, lines: Iterable[str]) -> None:
    """Let the table be these canonical lines, as the role does it."""
    table = sorted(lines)
    back_end.stage(table, difference(table, back_end.lines()))
    back_end.switch()
    back_end.load()
