# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the DHCPv6 back ends of a Server have in common: each holds the link's ACP table in its own form.

Whatever the form, a table is seen as canonical lines (:mod:`_acp_digest`). A new one is first staged, which
changes nothing that Clients could notice and lets the back end's own checker refuse it, and then switched to.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

from ansible_collections.aero.link.plugins.module_utils._acp_digest import Difference


class BackEndError(Exception):
    """The back end refused a table, or does not do what it should; the text says why."""


class BackEnd(t.Protocol):
    """One Server's store of the ACP table."""

    def prepare(self) -> None:
        """Have the store run, empty if it is new. Not called in check mode."""

    def lines(self) -> list[str]:
        """The canonical lines it really has, none where it is not set up yet."""

    def has_table(self) -> bool:
        """Whether the server may answer by it: not before the first switch, be it to an empty table."""

    def stage(self, lines: list[str], difference: Difference) -> list[str]:
        """Keep the whole new table, which is by ``difference`` another than the one it has, ready.

        Returns notes on checks that could not be made; raises BackEndError if the table is refused.
        """

    def unstage(self) -> None:
        """Forget what was staged."""

    def switch(self) -> None:
        """Make what is staged the table, in one step; with nothing staged do nothing."""

    def load(self) -> None:
        """Have a running server answer by the table it was switched to."""

    def free(self, prefixes: list[str]) -> list[str]:
        """End the leases of these ACPs; returns what went wrong, one line each."""


def run(words: list[str], text: str = "") -> tuple[int, str, str]:
    """Run a command: its exit status, output and errors; status 127 where there is no such command."""
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return 127, "", f"{words[0]}: no such command"
    return done.returncode, done.stdout, done.stderr


def is_active(unit: str) -> bool:
    """Whether systemd has the unit running."""
    return run(["systemctl", "is-active", "--quiet", unit])[0] == 0


def systemctl(verb: str, unit: str) -> None:
    """Run ``systemctl verb unit``; BackEndError with the end of the unit's journal if it fails."""
    status, _output, errors = run(["systemctl", verb, unit])
    if status != 0:
        journal = run(["journalctl", "--no-pager", "--output=cat", "-n", "20", "-u", unit])[1]
        raise BackEndError(f"{unit}: {verb} failed: {errors.strip()}\n{journal.rstrip()}")


def split(line: str) -> tuple[str, list[str]]:
    """Client ID and ACPs of a canonical line."""
    client_id, *acps = line.split()
    return client_id, acps


def remove(path: str) -> None:
    """Remove a file that may have gone already."""
    if os.path.exists(path):
        os.unlink(path)
