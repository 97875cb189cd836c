# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Kea with reservations in a file and ISC dhcpd share: the server reads the table as one whole file."""

from __future__ import annotations

import grp
import os
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_digest import Difference
from ansible_collections.aero.link.plugins.module_utils._back_end import BackEndError, remove, run


class FileBackEnd:
    """A table in the file ``path``; a back end says how it is written, read, checked and loaded."""

    # What follows is each back end's own.
    path: str
    group: str  # who may read it, beside root
    server: str
    config: str  # of the server, which includes the table
    checker: tuple[str, ...]  # the command that checks a configuration, without its name
    needs: tuple[str, ...]  # the files without which the server is not set up yet

    def text(self, lines: list[str]) -> str:
        """The file that says what the canonical ``lines`` say."""
        raise NotImplementedError

    def parse(self, text: str) -> t.Iterator[str]:
        """The canonical lines of a file; ValueError for one that is not ours."""
        raise NotImplementedError

    def complaint(self, output: str, errors: str) -> str:
        """What of the checker's output says why it refused."""
        raise NotImplementedError

    def __init__(self, root: str = "") -> None:
        self.path = root + self.path

    @property
    def _staged(self) -> str:
        # In the same directory: renamed in one step, and the AppArmor profile lets the checker read it.
        return f"{self.path}.staged"

    def prepare(self) -> None:
        """Nothing: the first switch makes the file."""

    def lines(self) -> list[str]:
        """The lines of the file; none if it is missing or nothing that we have written."""
        try:
            with open(self.path, encoding="utf-8") as file:
                return sorted(self.parse(file.read()))
        except (FileNotFoundError, ValueError):
            return []

    def has_table(self) -> bool:
        """Whether there is a file: the server's configuration includes it."""
        return os.path.exists(self.path)

    def stage(self, lines: list[str], difference: Difference) -> list[str]:
        """Write the new file beside the old one and check it."""
        directory = os.path.dirname(self.path)
        if not os.path.isdir(directory):
            return [f"{self.path}: not checked, there is no {directory} yet"]
        descriptor = os.open(self._staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.text(lines))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.chown(self._staged, 0, grp.getgrnam(self.group).gr_gid)
            note = self.check(self._staged)
        except (BackEndError, KeyError) as error:
            self.unstage()
            why = f"there is no group {self.group}" if isinstance(error, KeyError) else str(error)
            raise BackEndError(why.replace(self._staged, self.path)) from None
        return [note] if note else []

    def check(self, path: str) -> str | None:
        """Have the server check its configuration with ``path`` as the table; a note if it cannot."""
        if not all(map(os.path.exists, self.needs)):
            return f"{self.path}: not checked, {self.server} is not set up on this host yet"
        with open(self.config, encoding="utf-8") as file:
            text = file.read().replace(self.path, path)
        copy = f"{self.config}.staged"
        try:
            with open(copy, "w", encoding="utf-8") as file:
                file.write(text)
            status, output, errors = run([*self.checker, copy])
        finally:
            remove(copy)
        if status == 127:
            return f"{self.path}: not checked, {self.server} is not installed on this host yet"
        if status != 0:
            raise BackEndError(f"{self.path}: refused by {self.server}: {self.complaint(output, errors)}")
        return None

    def unstage(self) -> None:
        """Remove the new file."""
        remove(self._staged)

    def switch(self) -> None:
        """Put the new file in the place of the old one."""
        if os.path.exists(self._staged):
            os.replace(self._staged, self.path)
