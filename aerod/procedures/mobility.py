# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Client does about its way to the Servers: watch it, and tell correspondents when it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from aerod.address import LinkLayerAddress
from aerod.engines.plain import Arrival
from aerod.procedures.advertisement import Advertisement
from aerod.procedures.association import Association
from aerod.procedures.attachment import Attachment
from aerod.procedures.delegation import Delegation
from aerod.procedures.dynamic_entries import DynamicEntries
from aerod.procedures.liveness import RETRANS_TIMER, Liveness
from aerod.procedures.redirection import NONCE_LENGTH, empty_link
from aerod.procedures.timestamps import WallClock
from aerod.state.correspondents import Correspondent
from aerod.state.neighbors import STATIC, Neighbor
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.nd_options import SOURCE_LINK_LAYER_ADDRESS, Nonce


class Mobility:
    """``servers`` are the neighbors of our Servers by link-local address, the live ones.

    ``primary()`` is the one data goes to, ``send(packet, path)`` encapsulates a message of ours,
    ``rechoose(now)`` lets the paths to correspondents be chosen anew.
    """

    def __init__(
        self,
        keepalive: float,
        delegation: Delegation,
        attachment: Attachment,
        entries: DynamicEntries,
        servers: Mapping[bytes, Neighbor],
        clock: WallClock,
        random: Random,
        send: Callable[[bytes, Path], None],
        primary: Callable[[], Neighbor | None],
        rechoose: Callable[[float], None],
    ) -> None:
        self._delegation = delegation
        self._attachment = attachment
        self._entries = entries
        self._servers = servers
        self._random = random
        self._send = send
        self._primary = primary
        self._rechoose = rechoose
        # What the correspondents have been told, None for what they were told before a restart.
        self._known: object = None
        self._has_told = False
        # Until when a silent Server may still answer before it is left.
        self._last_chances: dict[Neighbor, float] = {}
        self._advertisement = Advertisement(clock, self._send_to_primary)
        self._liveness = Liveness(keepalive, self._watched, self._ask, self._doubt, self._silence_changed)

    def _watched(self) -> list[Neighbor]:
        usable = (a.link_local for a in self._delegation.associations if a.usable)
        neighbors = (self._servers.get(address) for address in usable)
        return [neighbor for neighbor in neighbors if neighbor is not None and neighbor.path is not None]

    # Correspondents

    def links_changed(self, now: float) -> None:
        """Tell the correspondents what the primary Server knows about our links, if that is new.

        An NA that came before the Rebind was answered would be filled in with the old address.  Those
        from before a restart know what the Server still knows then.
        """
        primary = self._primary()
        association = primary and self._association(primary)
        told = self._attachment.told(primary) if association else ()
        if not told:
            if primary is not None and primary.path is not None:
                self._known = ()
            return
        links = [(link_id, preference) for link_id, preference, _address in told]
        links += [(link_id, 0) for link_id in sorted(association.links.gone)]
        seen = tuple(association.links.seen.get(link_id) for link_id, _preference in links)
        known = (tuple(links), told, seen)
        before, self._known = self._known, known
        if before is not None and known != before:
            self._advertisement.start(self._entries, self._attachment.own_prefixes, tuple(links), now)

    def _association(self, server: Neighbor) -> Association | None:
        usable = (a for a in self._delegation.associations if a.usable)
        return next((a for a in usable if a.link_local == server.link_local), None)

    def _send_to_primary(self, packet: bytes) -> None:
        primary = self._primary()
        if primary is not None and primary.path is not None:
            self._send(packet, primary.path)

    def reached_by(self, entry: Correspondent) -> None:
        """A correspondent that reaches us after it was told accepts us on the links it was told of."""
        primary = self._primary()
        if self._advertisement.solicited(entry) and entry.courses and primary is not None:
            entry.told = self._attachment.told(primary)
            self._has_told = True

    # Servers

    def received(self, arrival: Arrival, message: nd.Message, now: float) -> bool:
        """Take an ND message if it is a Server's about itself; return whether it was."""
        source, origin = arrival.header.source, arrival.origin
        advertises = isinstance(message, nd.RouterAdvertisement | nd.NeighborAdvertisement)
        if not advertises or origin.kind != STATIC or source != origin.link_local:
            return False
        if isinstance(message, nd.RouterAdvertisement) and message.router_lifetime == 0:
            self._delegation.asked_to_leave(source, now)
        # All else is a sign of life, which the engine has noted.
        return True

    def unreachable(self, address: LinkLayerAddress, now: float) -> None:
        """The underlay says again and again that ``address`` cannot be reached (AERO-079)."""
        for neighbor in self._watched():
            if neighbor.path.remote == address:
                self._liveness.suspect(neighbor, now)

    def _ask(self, server: Neighbor, now: float) -> None:
        source = self._delegation.address()
        links = [
            empty_link(SOURCE_LINK_LAYER_ADDRESS, link_id, preference)
            for link_id, preference, _address in self._attachment.told(server)
            if link_id == server.path.link_id
        ]
        message = nd.NeighborSolicitation(
            server.link_local, (*links, Nonce(self._random.randbytes(NONCE_LENGTH)))
        )
        self._send(nd.pack(message, source, server.link_local), server.path)

    def _doubt(self, server: Neighbor, now: float) -> None:
        """Perhaps a NAT has forgotten us, perhaps the Server is gone; see that another one is there."""
        self._delegation.tell_again(server.link_local, now)
        for other in self._watched():
            if other is not server and now - other.heard > RETRANS_TIMER:
                self._liveness.suspect(other, now)

    def _silence_changed(self, server: Neighbor, silent: bool, now: float) -> None:
        self._delegation.set_silent(server.link_local, silent, now)

    # Time

    def due(self) -> float | None:
        times = [self._liveness.due(), self._advertisement.due(), 0.0 if self._has_told else None]
        times += self._last_chances.values()
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._liveness.handle_timer(now)
        self._advertisement.handle_timer(now)
        self._abandon_silent(now)
        if self._has_told:
            self._has_told = False
            self._rechoose(now)

    def _abandon_silent(self, now: float) -> None:
        """Leave what is silent when another Server has proved that it is not our own access.

        That may have just come back: so the silent one gets a last chance.
        """
        watched = self._watched()
        silent = [neighbor for neighbor in watched if self._liveness.is_silent(neighbor)]
        for neighbor in self._last_chances.keys() - set(silent):
            del self._last_chances[neighbor]
        for neighbor in silent:
            others = [other for other in watched if other not in silent]
            if not any(self._liveness.heard_since_doubt(neighbor, other) for other in others):
                self._last_chances.pop(neighbor, None)
            elif neighbor not in self._last_chances:
                self._last_chances[neighbor] = now + RETRANS_TIMER
                self._liveness.ask_again(neighbor, now)
            elif self._last_chances[neighbor] <= now:
                del self._last_chances[neighbor]
                self._delegation.abandon(neighbor.link_local, now)
