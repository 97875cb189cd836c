# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client's place on the link, as its correspondents have to know it: prefixes, Servers, links."""

from __future__ import annotations

from collections.abc import Iterable

from aerod.address import MAPPED_PREFIX, Prefix
from aerod.procedures.association import Association
from aerod.procedures.delegation import Delegation
from aerod.state.neighbors import Link, Neighbor, best_first
from aerod.state.prefix_map import is_aero_link_local, unembed
from aerod.state.underlays import Path, Underlays, address_toward

# Link ID, Preference and own 16-byte address of each of our links that a Server knows, best first.
ToldLinks = tuple[tuple[int, int, bytes], ...]


class Attachment:
    """Answers from what the Client's delegation and underlays are now."""

    def __init__(self, delegation: Delegation, underlays: Underlays) -> None:
        self._delegation = delegation
        self._underlays = underlays
        self._own: tuple[Prefix, ...] = ()

    def hold(self, prefixes: Iterable[Prefix]) -> None:
        """Note the ACPs that are ours from now on."""
        self._own = tuple(prefixes)

    @property
    def own_prefixes(self) -> tuple[Prefix, ...]:
        return self._own

    def own_prefix(self, address: int) -> Prefix | None:
        """Return the own ACP that holds a 128-bit address, or the AERO address of one in it."""
        key = unembed(address) if is_aero_link_local(address) else address
        return next((prefix for prefix in self._own if prefix.contains(key)), None)

    @property
    def asps(self) -> tuple[Prefix, ...]:
        return self._delegation.asps

    def told(self, server: Neighbor) -> ToldLinks:
        """Return our links that the Server has confirmed to know, as they are now."""
        association = self._association(server)
        if association is None:
            return ()
        usable = self._underlays.toward(association.server)
        own = ((u, address_toward(u, association.server)) for u in usable)
        return tuple(
            (underlay.link_id, underlay.preference, address)
            for underlay, address in own
            if association.links.addresses.get(underlay.link_id) == address
        )

    def _association(self, server: Neighbor) -> Association | None:
        usable = (a for a in self._delegation.associations if a.usable)
        return next((a for a in usable if a.link_local == server.link_local), None)

    def direct_path(self, links: Iterable[Link], told: ToldLinks) -> Path | None:
        """Return the path to the best of a peer's links that one of ours, which it was told of, reaches."""
        for link in best_first(links):
            for underlay in self._underlays.toward(link.address):
                for link_id, _preference, address in told:
                    same_family = address.startswith(MAPPED_PREFIX) == link.address.is_ipv4
                    if link_id == underlay.link_id and same_family and address in underlay.addresses:
                        return self._underlays.path_over(underlay, link.address, address)
        return None
