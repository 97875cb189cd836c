# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the whole inventory and make the link model of it, without contacting any host."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.aero.link.plugins.module_utils import _model
from ansible_collections.aero.link.plugins.module_utils._model_values import Failed
from ansible_collections.aero.link.plugins.module_utils._variables import VARIABLES

# A table with a mistake on each of a million lines would drown the terminal.
_MOST_LINES = 200


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        groups = task_vars["groups"]
        hosts = {host: self._variables_of(host, task_vars["hostvars"]) for host in _model.members(groups)}
        link, errors = _model.build(hosts, groups)
        if errors:
            return {**result, "failed": True, "msg": _message(errors)}
        warnings = _model.warnings(link)
        return {**result, "changed": False, "aero_link": link, **({"warnings": warnings} if warnings else {})}

    def _variables_of(self, host: str, hostvars: t.Any) -> dict[str, t.Any]:
        """What the model needs of a host, templated; variables it does not know stand there without value."""
        # hostvars[host] would template, too, but does not let a template of one host look at another host.
        raw = hostvars.raw_get(host)
        templar = self._templar.copy_with_new_env(available_variables={**raw, "hostvars": hostvars})
        variables = {name: None for name in raw if name.startswith("aero_")}
        for name in [*(variables.keys() & VARIABLES.keys()), "inventory_dir"]:
            try:
                variables[name] = _plain(templar.template(raw.get(name)))
            except AnsibleError as error:
                why = " ".join(str(error).split())
                variables[name] = Failed(f"{why}; allowed: a value, or a template of what the inventory has")
        return variables


def _plain(value: t.Any) -> t.Any:
    """Lazily templated containers as ordinary ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _message(errors: list[str]) -> str:
    shown = errors[:_MOST_LINES]
    if len(errors) > len(shown):
        shown.append(f"... and {len(errors) - len(shown)} more")
    count = "one mistake" if len(errors) == 1 else f"{len(errors)} mistakes"
    return "\n".join([f"The inventory has {count}; nothing was contacted:", *shown])
