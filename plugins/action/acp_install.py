# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the table with the Server's by hashes, and send it the rows it lacks."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.aero.link.plugins.module_utils import _acp_install
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import Compiled

MODULE = "aero.link.acp_install"


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("phase") == "stage":
            return {**result, **self._stage(arguments, task_vars)}
        return {**result, **self._module(arguments, task_vars)}

    def _stage(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        wanted = arguments.get("sha256")
        found = self._module({**arguments, "phase": "summary"}, task_vars)
        if found.get("failed") or found.get("unreachable"):
            return found
        if found["sha256"] == wanted:
            again = found["unfinished"]
            return {"changed": again, "pending": again, "sha256": wanted, "rows": found["rows"]}
        lines = _lines(arguments, wanted)
        buckets, bits = _acp_install.differing(lines, found["buckets"])
        rows = _acp_install.pack(_acp_install.in_buckets(lines, buckets, bits))
        staged = self._module({**arguments, "bits": bits, "buckets": buckets, "rows": rows}, task_vars)
        return staged if staged.get("failed") else {**staged, "pending": True, "rows": len(lines)}

    def _module(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        done = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        # What was sent need not be said again.
        done.pop("invocation", None)
        return done


def _lines(arguments: dict[str, t.Any], wanted: str) -> list[str]:
    """The canonical lines of the table as it was validated in this run."""
    try:
        table = Compiled.load(arguments["compiled"])
    except (KeyError, OSError) as error:
        raise AnsibleActionFail(f"there is no compiled table, validate first: {error}") from error
    if table.sha256 != wanted:
        raise AnsibleActionFail(f"{arguments['compiled']} is another table, {table.sha256}")
    return table.lines()
