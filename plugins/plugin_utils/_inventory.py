# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What action plugins take out of the inventory: the variables of the link's hosts, and the ACP table."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping, Sequence

from ansible import constants
from ansible.errors import AnsibleError
from ansible_collections.aero.link.plugins.module_utils import _acp_compiled, _model
from ansible_collections.aero.link.plugins.module_utils._model_values import Failed, Rows
from ansible_collections.aero.link.plugins.module_utils._variables import OF_ANY_HOST, VARIABLES

Template = t.Callable[[t.Any], t.Any]

_TABLE = "aero_acp_table"

# A table with a mistake on each of a million lines would drown the terminal.
MOST_LINES = 50


def open_table(source: _model.Source, asps: t.Any) -> tuple[_acp_compiled.Compiled | None, list[str]]:
    """The compiled ACP table, read once in a run, or the mistakes in it."""
    return _acp_compiled.compiled(source, asps, constants.DEFAULT_LOCAL_TMP)


def hosts_of_link(templar: t.Any, groups: t.Any, hostvars: t.Any) -> dict[str, dict[str, t.Any]]:
    """What the model needs of each host, templated; other aero_* variables of the link's hosts stand there
    without value."""
    table = functools.partial(_table, seen=[])
    inside = {host: _variables_of(host, templar, hostvars, table) for host in _model.members(groups)}
    others = set(groups.get("all", ())) - inside.keys()
    return inside | {host: _variables_of_other(host, templar, hostvars) for host in sorted(others)}


def _variables_of(host: str, templar: t.Any, hostvars: t.Any, table: t.Any) -> dict[str, t.Any]:
    raw, template = _raw_of(host, templar, hostvars)
    variables = {name: None for name in raw if name.startswith("aero_")}
    for name in [*(variables.keys() & (VARIABLES | OF_ANY_HOST).keys()), "inventory_dir"]:
        variables[name] = table(template, raw[name]) if name == _TABLE else template(raw.get(name))
    return variables


def _variables_of_other(host: str, templar: t.Any, hostvars: t.Any) -> dict[str, t.Any]:
    """Of a host outside the link."""
    raw, template = _raw_of(host, templar, hostvars)
    return {name: template(raw[name]) for name in raw.keys() & OF_ANY_HOST.keys()}


def _raw_of(host: str, templar: t.Any, hostvars: t.Any) -> tuple[dict[str, t.Any], Template]:
    """The variables of a host as they are written, and what templates one of them."""
    # hostvars[host] would template, too, but does not let a template of one host look at another host.
    raw = hostvars.raw_get(host)
    own = templar.copy_with_new_env(available_variables={**raw, "hostvars": hostvars})
    return raw, functools.partial(_templated, own)


def _templated(templar: t.Any, raw: t.Any) -> t.Any:
    try:
        return _plain(templar.template(raw))
    except AnsibleError as error:
        why = " ".join(str(error).split())
        return Failed(f"{why}; allowed: a value, or a template of what the inventory has")


def _table(template: Template, raw: t.Any, seen: list[tuple[t.Any, t.Any]]) -> t.Any:
    """The ACP table, which may be large, or a query: had once for all hosts that write it the same."""
    for known, value in seen:
        if known == raw:
            return value
    value = template(raw)
    seen.append((raw, Rows(value) if isinstance(value, list) else value))
    return seen[-1][1]


def _plain(value: t.Any) -> t.Any:
    """Lazily templated containers as ordinary ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def message(errors: list[str]) -> str:
    """The mistakes as one text."""
    shown = errors[:MOST_LINES]
    if len(errors) > len(shown):
        shown.append(f"... and {len(errors) - len(shown)} more")
    count = "one mistake" if len(errors) == 1 else f"{len(errors)} mistakes"
    return "\n".join([f"The inventory has {count}; nothing was contacted:", *shown])
