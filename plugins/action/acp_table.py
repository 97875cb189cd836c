# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the ACP table of the link, and allocate the prefixes that it asks for."""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.aero.link.plugins.module_utils import _acp_enrolment, _acp_ledger, _acp_table, _model
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import Compiled, place_of
from ansible_collections.aero.link.plugins.plugin_utils._inventory import hosts_of_link, message

_MOST_SHOWN = 200
_MAYBE_KEY = re.compile(r"[0-9A-Fa-f]{32,}")


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _options, arguments = self.validate_argument_spec({"allocate": {"type": "bool", "default": False}})
        hosts = hosts_of_link(self._templar, task_vars["groups"], task_vars["hostvars"])
        draft, source = _model.draft(hosts, task_vars["groups"])
        errors = _model.mistake_lines(draft.errors, task_vars["groups"])
        if errors:
            return {**result, "failed": True, "msg": message(errors)}
        try:
            return {**result, **self._table(source, draft.link, arguments["allocate"])}
        except _acp_enrolment.Changed as error:
            return {**result, "failed": True, "msg": str(error)}
        except OSError as error:
            why = "allowed: a table that can be read and written, in a folder that can, too, for its ledger"
            return {**result, "failed": True, "msg": f"{error.filename}: {error.strerror}; {why}"}

    def _table(self, source: _model.Source, link: dict[str, t.Any], allocate: bool) -> dict[str, t.Any]:
        if not allocate or not isinstance(source, str):
            table = _acp_table.read(source, link["asps"])
            return _failed(table.errors) or _said(source, self._compiled(source, link, table))
        check = self._task.check_mode
        with contextlib.nullcontext() if check else _acp_enrolment.alone(source):
            today = datetime.datetime.now(datetime.UTC).date()
            found = _acp_enrolment.allocate(source, link["asps"], link["acp_quarantine"], today)
            if found.errors:
                return _failed(found.errors)
            if not check:
                _acp_enrolment.write(source, found)
        return {
            **_said(source, self._compiled(source, link, found.table)),
            "changed": found.text is not None or found.ledger_text is not None,
            "allocated": [{"client_id": wish.client_id, "line": wish.line, "prefix": str(prefix)}
                          for wish, prefix in found.given],
            **({"diff": _diff(source, found)} if self._task.diff else {}),
        }

    def _compiled(self, source: _model.Source, link: dict[str, t.Any], table: _acp_table.Table) -> Compiled:
        """What the rest of the run takes for the table: also in check mode, when the file is as it was."""
        return Compiled.of(table).save(place_of(source, link["asps"], constants.DEFAULT_LOCAL_TMP))


def _failed(errors: list[str]) -> dict[str, t.Any]:
    return {"failed": True, "msg": message(errors)} if errors else {}


def _said(source: _model.Source, table: Compiled) -> dict[str, t.Any]:
    return {"changed": False, "path": source if isinstance(source, str) else "", "rows": table.rows,
            "acps": table.acps, "sha256": table.sha256, "compiled": table.folder, "allocated": []}


def _diff(path: str, found: _acp_enrolment.Allocation) -> list[dict[str, str]]:
    """The lines of the table that change, without any key, and what the ledger counts."""
    shown = [*found.lines[:_MOST_SHOWN]]
    if len(found.lines) > len(shown):
        shown.append((f"... and {len(found.lines) - len(shown)} more\n",) * 2)
    texts = ["".join(lines) for lines in zip(*shown, strict=True)] or ["", ""]
    if found.table.keys:
        texts = [_MAYBE_KEY.sub("(not shown)", text) for text in texts]
    ledgers = [_acp_ledger.summary(ledger) for ledger in found.ledgers]
    return [{"before_header": name, "after_header": name, "before": before, "after": after}
            for name, (before, after) in ((path, texts), (_acp_ledger.path_of(path), ledgers))]
