# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of a Client as filters; the sidecar files document each."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.aero.link.plugins.module_utils import _model_values as values
from ansible_collections.aero.link.plugins.module_utils import _psk
from ansible_collections.aero.link.plugins.module_utils._client_keys import dhcp_key, signature_key
from ansible_collections.aero.link.plugins.module_utils._prefixes import PrefixError
from ansible_collections.aero.link.plugins.plugin_utils._filters import checked


def psk_of_client(secrets: Sequence[Mapping[str, t.Any]], client_id: str) -> dict[str, t.Any]:
    ids = checked("psk_of_client", "secrets", _psk.secrets, secrets)
    if not ids:
        raise AnsibleFilterError("psk_of_client: there is no secret to make a key from")
    duid = checked("psk_of_client", "client_id", values.client_id, client_id)
    return {"id": ids[0], "secret": dhcp_key(secrets[0]["secret"], duid)}


def aero_signature_keys(secrets: Sequence[Mapping[str, t.Any]], owner: str) -> list[dict[str, t.Any]]:
    checked("aero_signature_keys", "secrets", _psk.secrets, secrets)
    try:
        return [{"id": int(each["id"]), "key": signature_key(each["secret"], owner)} for each in secrets]
    except PrefixError as error:
        raise AnsibleFilterError(f"aero_signature_keys: owner = {owner}: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"psk_of_client": psk_of_client, "aero_signature_keys": aero_signature_keys}
