# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients whose ACPs are configured on both sides, without DHCPv6 (section 3.25)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aerod.address import LinkLayerAddress, Prefix
from aerod.tables import Table


@dataclass(frozen=True, slots=True)
class ConfiguredClient:
    """``[[configured_client]]`` of a Server: ``addresses`` are of the Client's links, from Link ID 0 on."""

    name: str
    acps: tuple[Prefix, ...]
    addresses: tuple[LinkLayerAddress, ...]


def parse_acps(table: Table, asps: tuple[Prefix, ...], least: int) -> tuple[Prefix, ...]:
    """Return the prefixes under ``acps``, each with an AERO address and within an ASP."""

    def acp(text: str) -> Prefix:
        prefix = Prefix.parse(text)
        if not any(asp.covers(prefix) for asp in asps) or (not prefix.is_ipv4 and prefix.length > 64):
            raise ValueError("no ACP of this link")
        return prefix

    allowed = "a prefix within link.asps, of IPv6 not longer than /64"
    return table.each("acps", acp, allowed, least=least)


def parse_configured_client(
    table: Table, asps: tuple[Prefix, ...], addresses: tuple[LinkLayerAddress, ...]
) -> ConfiguredClient:
    """Check one ``[[configured_client]]``, whose ``addresses`` have been read already."""
    client = ConfiguredClient(
        name=table.matching("name", re.compile(r"\S+"), "a host name"),
        acps=parse_acps(table, asps, least=1),
        addresses=addresses,
    )
    table.refuse_rest()
    return client
