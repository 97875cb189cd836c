# SPDX-License-Identifier: GPL-3.0-or-later
"""An association as JSON: what survives a restart, and what the operator sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aerod.address import LinkLayerAddress, Prefix, address_text, parse_address
from aerod.config import ClientConfig
from aerod.procedures.association import BOUND, Association
from aerod.procedures.known_links import KnownLinks
from aerod.procedures.leases import Lease


def save(association: Association, now: float) -> dict[str, Any]:
    """Return what makes the association go on after a restart; times are seconds from ``now``."""
    links = association.links
    return {
        "server": [association.server.text, association.server.port],
        "link_local": address_text(association.link_local),
        "server_id": association.server_id.hex(),
        "renew_in": association.renew_at - now,
        "rebind_in": association.rebind_at - now,
        "leases": [
            {
                "iaid": iaid,
                "prefix": str(lease.prefix),
                "preferred_in": lease.preferred - now,
                "valid_in": lease.valid - now,
            }
            for iaid, lease in association.leases.items()
        ],
        "leaving": association.leaving,
        "gone": sorted(links.gone),
        "preferences": {str(link_id): value for link_id, value in links.preferences.items()},
        "links": {str(link_id): address_text(local) for link_id, local in links.addresses.items()},
        "seen": {str(link_id): [seen.text, seen.port] for link_id, seen in links.seen.items()},
        "asps": [str(asp) for asp in association.asps],
        "longest_wait": association.longest_wait,
    }


def restored(
    saved: dict[str, Any],
    client: ClientConfig,
    make: Callable[[LinkLayerAddress], Association],
    now: float,
) -> list[Association]:
    """Return those of ``saved["associations"]``, ``saved["age"]`` seconds old, that have not ended.

    Servers that the configuration no longer has, and more than are wanted now, are left in order, as those
    that were being left: dropped, they would go on announcing us until the lease ends.
    """
    found = []
    for entry in saved.get("associations", ()):
        association = restore(entry, make, now - saved.get("age", 0.0))
        for iaid in [iaid for iaid in association.leases if iaid > client.prefixes]:
            del association.leases[iaid]
        if len(association.leases) < client.prefixes:
            # The table gives more by now, and nobody would ask before T1.
            association.renew_at = now
        if client.server_addresses and association.server not in client.server_addresses:
            association.leaving = True
        if association.valid_until > now:
            found.append(association)
    return sorted(found, key=lambda association: association.leaving)


def restore(
    entry: dict[str, Any], make: Callable[[LinkLayerAddress], Association], then: float
) -> Association:
    """Return the association that :func:`save` wrote at the time ``then``."""
    association = make(LinkLayerAddress.parse(*entry["server"]))
    association.link_local = parse_address(entry["link_local"])
    association.server_id = bytes.fromhex(entry["server_id"])
    association.renew_at = then + entry["renew_in"]
    association.rebind_at = then + entry["rebind_in"]
    association.since = then
    for lease in entry["leases"]:
        association.leases[lease["iaid"]] = Lease(
            Prefix.parse(lease["prefix"]), then + lease["preferred_in"], then + lease["valid_in"]
        )
    association.links = KnownLinks(
        {int(link_id): parse_address(text) for link_id, text in entry["links"].items()},
        {int(link_id): n for link_id, n in entry.get("preferences", {}).items()},
        {int(link_id): LinkLayerAddress.parse(*seen) for link_id, seen in entry["seen"].items()},
        set(entry.get("gone", ())),
    )
    association.leaving = entry.get("leaving", False)
    association.asps = tuple(map(Prefix.parse, entry["asps"]))
    association.longest_wait = entry.get("longest_wait", association.longest_wait)
    association.state = BOUND
    return association


def describe(association: Association, now: float) -> dict[str, Any]:
    """Return the association as ``aeroctl leases`` shows it."""
    underlay = association.best_underlay()
    seen = association.links.seen.get(underlay.link_id) if underlay else None
    path = association.path()
    bound = bool(association.leases)
    return {
        "server": address_text(association.link_local) if association.link_local else None,
        "server_address": association.server.text,
        "server_port": association.server.port,
        "state": association.state,
        "silent": association.silent,
        "leaving": association.leaving,
        "status": association.status,
        "prefixes": [
            {
                "prefix": str(lease.prefix),
                "iaid": iaid,
                "preferred_in": max(0.0, lease.preferred - now),
                "valid_in": lease.valid - now,
            }
            for iaid, lease in sorted(association.leases.items())
        ],
        "renew_in": max(0.0, association.renew_at - now) if bound else None,
        "rebind_in": max(0.0, association.rebind_at - now) if bound else None,
        "seen_as": {"address": seen.text, "port": seen.port} if seen else None,
        "behind_nat": seen is not None and path is not None and seen != path.local,
        "asps": [str(asp) for asp in association.asps],
    }
