# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that makes the signature keys of one Client."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.aero.link.plugins.module_utils import _psk
from ansible_collections.aero.link.plugins.module_utils._model_values import Place
from ansible_collections.aero.link.plugins.module_utils._prefixes import PrefixError
from ansible_collections.aero.link.plugins.module_utils._signature_keys import derived_key


def aero_signature_keys(secrets: Sequence[Mapping[str, t.Any]], owner: str) -> list[dict[str, t.Any]]:
    errors: list[tuple[str, str]] = []
    _psk.secrets(secrets, Place(errors, "", "secrets"))
    if errors:
        raise AnsibleFilterError(f"aero_signature_keys: {errors[0][1]}")
    try:
        return [{"id": int(secret["id"]), "key": derived_key(secret["secret"], owner)} for secret in secrets]
    except PrefixError as error:
        raise AnsibleFilterError(f"aero_signature_keys: owner = {owner}: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"aero_signature_keys": aero_signature_keys}
