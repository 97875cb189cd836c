# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units of a node: how they are, how they should be, and which systemctl commands lead there.

The module :mod:`node_services` is the only user; nothing here knows Ansible.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

RELOAD_TAG = "daemon-reload"  # tag of files that systemd itself reads
PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "NRestarts")
# Unit file states that `systemctl enable` cannot or need not change.
ENABLED = ("enabled", "enabled-runtime", "static", "indirect", "generated", "alias", "linked", "transient")

# run(words) -> (exit status, output, errors)
Run = Callable[[list[str]], tuple[int, str, str]]


class ServiceError(Exception):
    """A unit did not come into the wanted state; the text ends with the last lines of its journal."""


@dataclass
class Service:
    """One element of the option ``services``."""

    name: str
    enabled: bool | None
    state: str | None
    if_exists: str | None
    intact: str | None
    restart_on: list[str]
    reload_on: list[str]

    @property
    def ours(self) -> bool:
        """Whether the file that marks the unit as ours is there, if one was named."""
        return self.if_exists is None or os.path.exists(self.if_exists)


@dataclass
class Unit:
    """What systemd says about a unit."""

    LoadState: str = "not-found"
    ActiveState: str = "inactive"
    SubState: str = "dead"
    UnitFileState: str = ""
    NeedDaemonReload: str = "no"
    NRestarts: str = "0"

    @property
    def running(self) -> bool:
        return self.ActiveState in ("active", "reloading")

    @property
    def enabled(self) -> bool:
        return self.UnitFileState in ENABLED

    def __str__(self) -> str:
        return f"{self.ActiveState} ({self.SubState}), {self.UnitFileState or self.LoadState}"


def actions(service: Service, unit: Unit, tags: set[str], intact: bool = True) -> list[str]:
    """The systemctl verbs that bring ``unit`` into the state of ``service``, in order.

    ``intact`` is whether what the unit made is still there.
    """
    verbs = []
    if service.state == "stopped" and unit.ActiveState not in ("inactive", "failed"):
        verbs.append("stop")
    if service.enabled is not None and service.enabled != unit.enabled:
        if service.enabled:
            verbs.append("enable")
        elif unit.LoadState != "not-found":
            verbs.append("disable")
    if service.state == "started":
        if not unit.running:
            verbs += ["reset-failed", "start"] if unit.ActiveState == "failed" else ["start"]
        elif not intact or tags.intersection(service.restart_on):
            verbs.append("restart")
        elif tags.intersection(service.reload_on):
            verbs.append("reload")
    return verbs


class Systemd:
    """The systemd of this host, through ``run``."""

    def __init__(self, run: Run, timeout: float, settle: float, journal_lines: int) -> None:
        self.run = run
        self.timeout = timeout
        self.settle = settle
        self.journal_lines = journal_lines

    def units(self, names: list[str]) -> dict[str, Unit]:
        """The units called ``names``, which systemd need not know."""
        if not names:
            return {}
        status, output, errors = self.run(["systemctl", "show", f"--property={','.join(PROPERTIES)}", *names])
        if status != 0:
            raise ServiceError(f"systemctl show failed: {errors.strip()}")
        blocks = output.strip().split("\n\n")
        units = [Unit(**dict(line.split("=", 1) for line in block.splitlines())) for block in blocks]
        return dict(zip(names, units, strict=True))

    def intact(self, service: Service) -> bool:
        """Whether what ``service`` made is still there; without a way to tell, it is."""
        return service.intact is None or self.run(shlex.split(service.intact))[0] == 0

    def do(self, verb: str, name: str) -> None:
        """Run ``systemctl verb name``; raises ServiceError with the unit's journal."""
        status, _output, errors = self.run(["systemctl", verb, *([name] if name else [])])
        if status != 0:
            raise ServiceError(f"{name or 'systemd'}: {verb} failed: {errors.strip()}{self.journal(name)}")

    def journal(self, name: str) -> str:
        """The last lines of a unit's journal, ready to be appended to an error."""
        command = ["journalctl", "--no-pager", "--output=cat", "-n", str(self.journal_lines), "-u", name]
        _status, output, _errors = self.run(command)
        return f"\nlast lines of its journal:\n{output.rstrip()}" if output.strip() else ""

    def wait_until_active(self, names: list[str]) -> None:
        """Wait for units that should run, and look again after ``settle`` seconds: one that fails
        shortly after its start must not pass for a running one."""
        deadline = time.monotonic() + self.timeout
        before = self._wait(names, deadline)
        time.sleep(self.settle)
        after = self._wait(names, deadline)
        for name in names:
            if after[name].NRestarts != before[name].NRestarts:
                raise ServiceError(f"{name}: fails and is started again{self.journal(name)}")

    def _wait(self, names: list[str], deadline: float) -> dict[str, Unit]:
        while True:
            units = self.units(names)
            late = [name for name in names if not units[name].running]
            if not late:
                return units
            for name in late:
                if units[name].ActiveState == "failed" or time.monotonic() > deadline:
                    raise ServiceError(f"{name}: is {units[name]}, not active{self.journal(name)}")
            time.sleep(0.2)
