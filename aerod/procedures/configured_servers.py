# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client without DHCPv6: its ACPs and Servers are in its configuration, and never end (section 3.25)."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from aerod.address import LinkLayerAddress, Prefix, link_local
from aerod.config import NeighborConfig
from aerod.procedures.association import BOUND, Association
from aerod.procedures.delegation import Delegation
from aerod.procedures.known_links import KnownLinks
from aerod.procedures.leases import Lease
from aerod.procedures.requests import Identity
from aerod.state.underlays import Underlays, address_toward

# RFC 8415 section 7.7: a lifetime of so many seconds does not end.
_FOREVER = 0xFFFFFFFF


class ConfiguredAssociation(Association):
    """A tie to a Server whose operator told it this Client's prefixes and links: nothing to negotiate."""

    def __init__(
        self, server: NeighborConfig, acps: tuple[Prefix, ...], underlays: Underlays, random: Random
    ) -> None:
        nobody = Identity(b"", 0, "")
        super().__init__(nobody, server.addresses[0], underlays, random, lambda *_nothing: None)
        self._addresses = server.addresses
        self.link_local = link_local(server.id)
        self.state = BOUND
        self.leases = {n: Lease(acp, _FOREVER, _FOREVER) for n, acp in enumerate(acps, start=1)}
        self.renew_at = self.rebind_at = _FOREVER

    def underlays_changed(self, now: float) -> None:
        """Use the first address of the Server that can be reached; it knows all our links there."""
        reachable = (address for address in self._addresses if self._underlays.toward(address))
        self.server = next(reachable, self._addresses[0])
        usable = self._underlays.toward(self.server)
        self.links = KnownLinks()
        for underlay in usable:
            self.links.note(underlay.link_id, address_toward(underlay, self.server), underlay.preference)

    def renew(self, now: float) -> None:
        """There is nothing to renew."""

    def set_silent(self, silent: bool, now: float) -> None:
        self.silent = silent

    def tell_again(self, now: float) -> None:
        """The Server takes no word of ours for it."""

    def due(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> bool:
        return False


class ConfiguredServers(Delegation):
    """Stands in for the requesting router; the first Server that is alive is the primary one."""

    def start(self, now: float) -> None:
        """Be associated at once."""
        acps = self._config.client.acps
        self._seeking.stop()
        self.associations += [
            ConfiguredAssociation(server, acps, self._underlays, self._random)
            for server in self._config.neighbors
        ]
        self.underlays_changed(now)

    def servers_found(self, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        """No Server is looked for."""

    def release(self, now: float) -> int:
        raise ValueError("the prefixes of this Client are configured, it has no leases to release")

    def asked_to_leave(self, link_local: bytes, now: float) -> None:
        """Moving to another Server is for the operators of both (section 3.25)."""

    def abandon(self, link_local: bytes, now: float) -> None:
        """A Server that has fallen silent may come back."""

    def _destination(self, old: Association, address: bytes | None, now: float) -> Association:
        others = [a for a in self.associations if a is not old or address is not None]
        fitting = (a for a in others if address in (None, a.link_local, a.server.ip))
        found = next(fitting, None)
        if found is None:
            raise ValueError("no such Server is configured")
        return found

    def _leave(self, now: float) -> bool:
        """Nothing is released: the old Server stays the second choice."""
        done = self._moves.proceed(self.associations, now)
        for association in self.associations:
            association.leaving = False
        return done

    def saved_state(self, now: float) -> dict:
        return {}

    def restore(self, saved: dict, now: float) -> None:
        """What DHCPv6 left behind is of no use."""
