# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AERO addresses and names of a link as filters; the sidecar files document each."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.aero.link.plugins.module_utils import _model_values as values
from ansible_collections.aero.link.plugins.module_utils import _names
from ansible_collections.aero.link.plugins.module_utils import _prefixes as prefixes
from ansible_collections.aero.link.plugins.module_utils._model_values import Place
from ansible_collections.aero.link.plugins.plugin_utils._filters import checked


def aero_address(acp: str) -> str:
    return prefixes.aero_address(_prefix("aero_address", acp))


def aero_delegated_prefix(acp: str) -> str:
    return prefixes.delegated(str(_prefix("aero_delegated_prefix", acp)))


def aero_link_local(identifier: int | str) -> str:
    number = checked("aero_link_local", "id", values.aero_id, identifier)
    return prefixes.link_local(number)


def aero_capability_names(
    asps: Sequence[str],
    domain: str,
    suffix: str = _names.CAPABILITY_SUFFIX,
    others: Mapping[str, Sequence[str]] | None = None,
) -> list[dict[str, str]]:
    name = "aero_capability_names"
    check_asps = values.list_of(values.asp, "prefixes")
    own = checked(name, "domain", values.domain, domain)
    links = {checked(name, "others", values.domain, other): checked(name, "others", check_asps, theirs)
             for other, theirs in (others or {}).items()}
    links[own] = checked(name, "asps", check_asps, asps)
    records = _names.capability_names(links, checked(name, "suffix", values.domain, suffix))
    return [{"name": owner, "value": value} for owner, value in records if value == _names.absolute(own)]


def _prefix(filter_name: str, text: t.Any) -> prefixes.Prefix:
    """An ACP: IPv6 at most /64."""
    def check(value: t.Any, at: Place) -> prefixes.Prefix | None:
        try:
            prefix = prefixes.parse_prefix(value if isinstance(value, str) else "")
        except prefixes.PrefixError as error:
            return at.refuse(value, error)
        if not prefix.is_ipv4 and prefix.length > 64:
            return at.refuse(value, "IPv6 ACP longer than /64; allowed: /64 or shorter")
        return prefix
    return checked(filter_name, "ACP", check, text)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {
            "aero_address": aero_address,
            "aero_delegated_prefix": aero_delegated_prefix,
            "aero_link_local": aero_link_local,
            "aero_capability_names": aero_capability_names,
        }
