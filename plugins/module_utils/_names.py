# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The names a link publishes: capability names of its ASPs and the addresses of its Servers.

All names are absolute, with a final dot. They come out in a fixed order.
"""

from __future__ import annotations

import typing as t

from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix

CAPABILITY_SUFFIX = "aero.linkupnetworks.net"
_NIBBLES = 16  # a look-up always is for the 16 nibbles of a /64


def capability_names(links: t.Mapping[str, t.Iterable[Prefix]], suffix: str) -> list[tuple[str, str]]:
    """The wildcard PTR records (owner name, domain) of the ASPs of one or more links.

    ``links`` maps the domain of each link to its ASPs. IPv4 ASPs have no names
    (draft-templin-aerolink-52, sections 3.5 and 3.22: IPv6 only).

    By RFC 4592 a wildcard serves a query only if it sits directly below the longest existing ancestor
    of the queried name. Each ASP inside another makes the levels between the two exist, so each of
    these levels gets a wildcard too, pointing where the nearest ASP above points (our choice O-49).
    """
    domain_at: dict[str, str] = {}
    every = [(asp.length, asp, domain) for domain, asps in links.items() for asp in asps if not asp.is_ipv4]
    # Shortest first: where two ASPs round up to the same name, the longer one is the one meant.
    for _length, asp, domain in sorted(every):
        domain_at.update(dict.fromkeys(_paths(asp), domain))
    existing = {path[:depth] for path in domain_at for depth in range(1, len(path) + 1)}
    records = []
    for path in sorted(existing):
        nearest = next((path[:n] for n in range(len(path), -1, -1) if path[:n] in domain_at), None)
        if nearest is not None:
            records.append((_owner(path, suffix), absolute(domain_at[nearest])))
    return records


def _paths(asp: Prefix) -> list[str]:
    """The ASP as nibbles from the top; one that ends within a nibble needs 2, 4 or 8 of them."""
    depth = -(-asp.length // 4)
    base = asp.value >> (128 - 4 * depth)
    return [f"{base + i:0{depth}x}" for i in range(1 << (4 * depth - asp.length))]


def _owner(path: str, suffix: str) -> str:
    """A wildcard never matches its own parent, so a whole /64 stands without an asterisk."""
    labels = list(reversed(path)) if len(path) == _NIBBLES else ["*", *reversed(path)]
    return absolute(".".join([*labels, suffix]))


def server_names(
    servers: t.Iterable[tuple[int, t.Sequence[str]]], domain: str
) -> list[tuple[str, str, list[str]]]:
    """The (name, type, values) of the Servers' underlay addresses, given (ID, addresses) of each Server.

    All together under linkupnetworks.<domain>, where Clients look (section 3.15.2), and each by itself
    under <ID in hexadecimal>._server.linkupnetworks.<domain>, where a Server looks for another.
    """
    common = f"linkupnetworks.{domain}"
    addresses_of: dict[str, list[str]] = {common: []}
    for identifier, addresses in sorted(servers):
        addresses_of[common].extend(addresses)
        addresses_of[f"{identifier:x}._server.{common}"] = list(addresses)
    records = []
    for name, addresses in addresses_of.items():
        for record_type, is_type in (("A", False), ("AAAA", True)):
            values = sorted({address for address in addresses if (":" in address) is is_type})
            if values:
                records.append((absolute(name), record_type, values))
    return records


def absolute(name: str) -> str:
    return name.rstrip(".") + "."
