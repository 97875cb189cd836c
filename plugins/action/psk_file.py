# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take one step of a rotation in the file of the secrets, on the controller."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.vault import is_encrypted
from ansible.plugins.action import ActionBase
from ansible_collections.aero.link.plugins.module_utils import _whole_file
from ansible_collections.aero.link.plugins.plugin_utils import _psk_file


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec({
            "path": {"type": "path", "required": True},
            "step": {"type": "str", "choices": list(_psk_file.STEPS), "required": True},
            "known": {"type": "list", "elements": "dict", "required": True, "no_log": True},
        })
        path = os.path.join(task_vars.get("inventory_dir") or ".", options["path"])
        # Whatever goes wrong or right, a secret is in it.
        result["_ansible_no_log"] = True
        try:
            before, vault = self._read(path)
            _refuse_other(before, options["known"])
            after = _psk_file.STEPS[options["step"]](before)
            if after != before and not self._task.check_mode:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                _whole_file.replace(path, self._sealed(_psk_file.written(after), vault))
        except (_psk_file.PskFileError, AnsibleError, OSError) as error:
            # None of these shows a secret, and the operator must know.
            return {"failed": True, "msg": f"{path}: {_words(error)}"}
        return {**result, "changed": after != before, "secrets": after, "ids": [each["id"] for each in after]}

    def _read(self, path: str) -> tuple[_psk_file.Secrets, tuple[str, t.Any] | None]:
        """The secrets in the file, and with what it is encrypted."""
        if not os.path.exists(path):
            return [], None
        with open(path, "rb") as file:
            data = file.read()
        if not is_encrypted(data):
            return _psk_file.read(data.decode()), None
        plain, vault_id, secret = self._loader._vault.decrypt_and_get_vault_id(data)
        return _psk_file.read(plain.decode()), (vault_id, secret)

    def _sealed(self, text: str, vault: tuple[str, t.Any] | None) -> bytes:
        """The text as it was before: plain, or encrypted with the same password."""
        if vault is None:
            return text.encode()
        vault_id, secret = vault
        return self._loader._vault.encrypt(text, secret=secret, vault_id=vault_id)


def _refuse_other(held: _psk_file.Secrets, known: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    """What the Servers are given must come from this file, or the next run would take the new secret back."""
    def plain(secrets: t.Iterable[t.Mapping[str, t.Any]]) -> list[tuple[str, str]]:
        return [(str(each.get("id")), str(each.get("secret")).lower()) for each in secrets]

    if plain(held) != plain(known):
        raise _psk_file.PskFileError(
            f"does not hold the {_psk_file.VARIABLE} of the inventory: name the file that does in "
            "aero_psk_file; if none does, change them where they are and run playbooks/site.yml")


def _words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
