# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the whole inventory and make the link model of it, without contacting any host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.aero.link.plugins.module_utils import _model
from ansible_collections.aero.link.plugins.plugin_utils._inventory import hosts_of_link, message, open_table


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        groups = task_vars["groups"]
        hosts = hosts_of_link(self._templar, groups, task_vars["hostvars"])
        link, errors = _model.build(hosts, groups, open_table)
        if errors:
            return {**result, "failed": True, "msg": message(errors)}
        warnings = _model.warnings(link)
        return {**result, "changed": False, "aero_link": link, **({"warnings": warnings} if warnings else {})}
