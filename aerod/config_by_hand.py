# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients whose ACPs are configured on both sides, without DHCPv6 (section 3.25)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aerod.address import LinkLayerAddress, Prefix
from aerod.state.neighbors import Link
from aerod.tables import Table


@dataclass(frozen=True, slots=True)
class ConfiguredClient:
    """``[[configured_client]]`` of a Server, with each ``[[configured_client.link]]`` of the Client."""

    name: str
    acps: tuple[Prefix, ...]
    links: tuple[Link, ...]


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
    table: Table, asps: tuple[Prefix, ...], address: Callable[[str], LinkLayerAddress]
) -> ConfiguredClient:
    """Check one ``[[configured_client]]``; ``address`` reads a link-layer address."""
    tables = table.tables("link")
    if not tables:
        table.error("link", [], "must be an array of tables, one for each link of the Client")
    client = ConfiguredClient(
        name=table.matching("name", re.compile(r"\S+"), "a host name"),
        acps=parse_acps(table, asps, least=1),
        links=tuple(_link(link, address) for link in tables),
    )
    table.refuse_rest()
    return client


def _link(table: Table, address: Callable[[str], LinkLayerAddress]) -> Link:
    link = Link(
        link_id=table.integer("link_id", 0, 255),
        preference=table.integer("preference", 1, 255, 255),
        address=table.one("address", address, "a global or private unicast address", None),
    )
    table.refuse_rest()
    return link
