# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbors and look-ups in the form the control socket shows them."""

from __future__ import annotations

from typing import Any

from aerod.address import address_text, embedded
from aerod.state.correspondents import Correspondent
from aerod.state.forwarding import Forwarding, Verdict
from aerod.state.neighbors import Neighbor
from aerod.state.prefix_map import is_aero_link_local, unembed


def describe_neighbor(neighbor: Neighbor, now: float) -> dict[str, Any]:
    """Return a neighbor; ``expires_in`` and ``since_ago`` are seconds.

    A dynamic one has AcceptTime, ForwardTime and MaxRetry as well, and the path in use.
    """
    family, value = embedded(neighbor.link_local)
    described = {
        "kind": neighbor.kind,
        "name": neighbor.name,
        "link_local": address_text(neighbor.link_local),
        "id": value if family == "id" else None,
        "prefixes": [str(prefix) for prefix in neighbor.prefixes],
        "links": [
            {
                "link_id": link.link_id,
                "preference": link.preference,
                "address": link.address.text,
                "port": link.address.port,
            }
            for link in neighbor.links.values()
        ],
        "expires_in": None if neighbor.expires is None else neighbor.expires - now,
        "since_ago": now - neighbor.since,
    }
    if isinstance(neighbor, Correspondent):
        described |= {
            "accept_in": max(0.0, neighbor.accept_until - now),
            "forward_in": max(0.0, neighbor.forward_until - now),
            "max_retry": neighbor.retries,
            "sent_to": str(neighbor.path.remote) if neighbor.forward_until and neighbor.path else None,
        }
    return described


def describe_target(forwarding: Forwarding, address: bytes, now: float) -> dict[str, Any]:
    """Return what the forwarding entries say about a 16-byte address.

    ``target`` is neighbor, local, unreachable or none; ``prefix`` is the entry that matched.
    """
    number = int.from_bytes(address, "big")
    target = forwarding.target(number)
    key = unembed(number) if is_aero_link_local(number) else number
    prefix = forwarding.routes.longest(key)
    if isinstance(target, Neighbor):
        kind = "neighbor"
    else:
        kind = target.value if isinstance(target, Verdict) else "none"
    return {
        "address": address_text(address),
        "target": kind,
        "prefix": None if prefix is None else str(prefix),
        "neighbor": describe_neighbor(target, now) if isinstance(target, Neighbor) else None,
    }
