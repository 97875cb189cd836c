# SPDX-License-Identifier: GPL-3.0-or-later
"""The requesting router: a Client's associations with its Servers (section 3.15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from aerod.address import (
    ALL_DHCP_AGENTS,
    UNASSIGNED_CLIENT,
    LinkLayerAddress,
    Prefix,
    embedded,
    is_link_local,
)
from aerod.config import Config
from aerod.procedures import association_state
from aerod.procedures.association import Association
from aerod.procedures.authentication import Unauthenticated
from aerod.procedures.candidates import Candidates
from aerod.procedures.exchange import Exchange
from aerod.procedures.former_servers import FormerServers
from aerod.procedures.leases import Lease, longest
from aerod.procedures.moves import Moves
from aerod.procedures.replies import grants
from aerod.procedures.requests import Identity
from aerod.procedures.seeking import Seeking
from aerod.state.counters import Counters
from aerod.state.outbox import Outbox
from aerod.state.underlays import Path, Underlays
from aerod.wire.dhcpv6 import CLIENT_PORT, REQUEST, SERVER_PORT, SOLICIT, Message
from aerod.wire.dhcpv6_options import ClientId, ServerId
from aerod.wire.ip import UDP, build_ipv6
from aerod.wire.udp import build_udp


class Delegation:
    """Keeps ``server_count`` associations going.

    ``send(packet, path)`` encapsulates a message of ours; ``changed(now)`` is called after
    whatever changed leases, Servers or the primary.
    """

    def __init__(
        self,
        config: Config,
        underlays: Underlays,
        outbox: Outbox,
        counters: Counters,
        random: Random,
        send: Callable[[bytes, Path], None],
        changed: Callable[[float], None],
        authentication: Unauthenticated,
    ) -> None:
        self._config = config
        self._underlays = underlays
        self._outbox = outbox
        self._counters = counters
        self._random = random
        self._send = send
        self._changed = changed
        self._authentication = authentication
        client = config.client
        self._identity = Identity(
            client.duid, client.prefixes, config.link.vendor_options, client.prefix_lengths
        )
        self._candidates = Candidates(config, underlays, outbox)
        self._released = False
        self._moves = Moves(config.link.move_interval)
        self.associations: list[Association] = []
        self._seeking = Seeking(
            self._candidates, self.associations, client.server_count, random, self._association
        )
        self.former_servers = FormerServers(self._candidates.has, self._seeking.ask)

    # What the Client has

    @property
    def primary(self) -> Association | None:
        """The first Server that is alive, else the first that still has us (O-33)."""
        usable = [association for association in self.associations if association.usable]
        alive = (association for association in usable if association.alive)
        return next(alive, usable[0] if usable else None)

    @property
    def asps(self) -> tuple[Prefix, ...]:
        """The ASPs the Servers told, the configured ones until then."""
        told = {asp for association in self.associations for asp in association.asps}
        return tuple(sorted(told)) or self._config.link.asps

    def leases(self) -> tuple[Lease, ...]:
        """Return what we hold, each prefix once."""
        held = () if self._released else self.associations
        return longest(lease for association in held for lease in association.leases.values())

    def address(self) -> bytes:
        """Return the AERO address messages are sent from, the unassigned one before any lease."""
        for association in self.associations:
            for iaid in sorted(association.leases):
                return association.leases[iaid].prefix.aero_address
        return UNASSIGNED_CLIENT

    # What happens to it

    def start(self, now: float) -> None:
        """Begin; Servers that are neither configured nor in a group are looked up (section 3.15.2)."""
        self._candidates.ask(now)
        self._leave(now)
        self._seeking.fill(now)

    def servers_found(self, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        """Take the answer of the DNS."""
        if self._candidates.found(addresses):
            self._seeking.fill(now)
            self._candidates.look_around(self._seeking.missing > 0, now)

    def route_appeared(self, interface: str, now: float) -> None:
        """This host has a new route over an underlay."""
        for association in self.associations:
            association.route_appeared(interface, now)

    def underlays_changed(self, now: float) -> None:
        for association in list(self.associations):
            association.underlays_changed(now)
        self._leave(now)
        self._seeking.fill(now)
        self._changed(now)

    def release(self, now: float) -> int:
        """Give all leases back for good; return how many Servers are told."""
        self._released = True
        self._seeking.stop()
        for association in self.associations:
            association.release(now)
        self._changed(now)
        return len(self.associations)

    def expects(self, remote: LinkLayerAddress) -> bool:
        """Whether the Server at ``remote`` may have something to answer."""
        known = remote in self._seeking.given_up
        return known or any(a.seeks or remote in (a.server, a.next_hop) for a in self.associations)

    def received(self, remote: LinkLayerAddress, source: bytes, message: Message, now: float) -> None:
        """Take a message of a Server; anything that is no answer to us is dropped (O-19)."""
        association, exchange = self._find(remote, message)
        client_id, server_id = message.find(ClientId), message.find(ServerId)
        if exchange is None:
            self._counters.drop("dhcpv6_unexpected")
        elif client_id is None or client_id.value != self._identity.duid or server_id is None:
            self._counters.drop("dhcpv6_not_ours")
        elif not is_link_local(source) or embedded(source)[0] != "id":
            self._counters.drop("dhcpv6_no_server")
        elif not self._authentication.accepts(message, association.server.ip, exchange):
            return  # It has counted why.
        elif association.seeks and not self._takes(association, remote, source, message):
            self._counters.drop("dhcpv6_other_server")
        else:
            status, held = association.status, association.prefixes
            association.received(exchange, source, message, now)
            if association not in self.associations and association.usable:
                # Late, and no longer wanted perhaps; but the Server has the lease now, and must be told.
                self.associations.append(self._seeking.given_up.pop(association.server))
                if self._released:
                    association.release(now)
            if association.status and association.status != status:
                self._outbox.warning(f"Server {remote} answers {association.status}")
            self._settle(association, association.prefixes != held, now)

    def _find(
        self, remote: LinkLayerAddress, message: Message
    ) -> tuple[Association, Exchange] | tuple[None, None]:
        for association in (*self.associations, *self._seeking.given_up.values()):
            is_there = association.seeks or association.next_hop == remote
            if is_there and (exchange := association.expects(message)):
                return association, exchange
        return None, None

    def _takes(
        self, association: Association, remote: LinkLayerAddress, source: bytes, message: Message
    ) -> bool:
        """Whether a Server that was found in a group is one we want; the association is with it then."""
        if not grants(message) or any(other.link_local == source for other in self.associations):
            return False
        association.server = remote
        return True

    def _settle(self, association: Association, other_grant: bool, now: float) -> None:
        """Draw the consequences of an answer, that perhaps grants other prefixes than the last one."""
        if association.finished:
            self._left(association, now)
        elif association.usable:
            self._seeking.found(association)
            self._note_server(association, now)
            if association.asked_to_leave:
                # It still grants the same: first another Server, then the Release.
                association.asked_to_leave, association.leaving = False, not other_grant
        self._leave(now)
        self._seeking.fill(now)
        self._changed(now)

    def _note_server(self, association: Association, now: float) -> None:
        """A Server has one association: it knows the links of the last address only.

        When it turns up at another address, one that works is kept (O-18), and what was left stays left.
        """
        wanted = self._moves.leads_to(association)
        was_left = self._candidates.answered(association.server, association.link_local, now)
        association.leaving |= was_left and association.since == now and not wanted
        for other in list(self.associations):
            if other is association or other.link_local != association.link_local:
                continue
            if other.stays and other.alive and not wanted:
                self.associations.remove(association)
                other.tell_all(now)
                return
            association.leaving |= other.leaving and not wanted
            self.associations.remove(other)

    # Leaving a Server

    def move(self, address: bytes | None, now: float) -> tuple[Association, Association]:
        """Change the primary Server, to that with the 16-byte address if there is one (section 3.19.4).

        Return the old one and the new one; ValueError if it cannot be now.
        """
        old = self.primary
        if self._released or old is None:
            raise ValueError("there is no Server to move from yet")
        self._moves.check(now)
        new = self._destination(old, address, now)
        if new is old:
            raise ValueError(f"{old.server} is the primary Server already")
        self._moves.begin(old, new, now)
        if new not in self.associations:
            new.solicit(now)
            self.associations.insert(0, new)
        self._leave(now)
        self._changed(now)
        return old, new

    def _destination(self, old: Association, address: bytes | None, now: float) -> Association:
        """The association to move to, a new one if there is none with that Server."""
        others = [a for a in self.associations if a.stays and a.usable]
        if address is None:
            others = [a for a in others if a is not old and a.alive]
            places = [candidate.address for candidate in self._seeking.ready(now)]
        else:
            others = [a for a in others if address in (a.link_local, a.server.ip)]
            places = [place for place in self._candidates.named(address) if self._underlays.toward(place)]
        if others:
            return others[0]
        used = {association.server for association in self.associations}
        place = next((place for place in places if place not in used), None)
        if place is None:
            raise ValueError("no such Server is known, or it is busy with us already; see: aeroctl leases")
        return self._seeking.associate(place)

    def asked_to_leave(self, link_local: bytes, now: float) -> None:
        """A Server, or somebody in its name, wants to be left: Renew, and believe the Reply (D24)."""
        for association in self.associations:
            here = association.link_local == link_local and association.usable and association.stays
            if here and not association.asked_to_leave:
                association.asked_to_leave = True
                association.renew(now)
                self._changed(now)

    def tell_again(self, link_local: bytes, now: float) -> None:
        """Something is wrong on the way to a Server: tell it where we are (O-27)."""
        for association in self.associations:
            if association.link_local == link_local and association.usable:
                association.tell_again(now)

    def set_silent(self, link_local: bytes, silent: bool, now: float) -> None:
        """Note that a Server does not answer, or does again."""
        for association in self.associations:
            if association.link_local == link_local and association.silent != silent:
                association.set_silent(silent, now)
                self._seeking.fill(now)
                self._changed(now)

    def abandon(self, link_local: bytes, now: float) -> None:
        """Leave a silent Server for good: another one is there."""
        for association in self.associations:
            if association.link_local == link_local and association.usable:
                association.leaving = True
        if self._leave(now):
            self._changed(now)

    def _leave(self, now: float) -> bool:
        """Release where we leave, through a Server that is alive; return whether anything was done."""
        done = self._moves.proceed(self.associations, now)
        good = [a for a in self.associations if a.stays and a.alive]
        for surplus in good[self._config.client.server_count :] if not self._moves.under_way else ():
            surplus.leaving = True
        for lost in self._out_of_reach(now) if good else ():
            lost.leaving = True
        through = next((a for a in good if not a.leaving), None)
        for association in self.associations:
            if self._released or through is None or association.through in good:
                continue
            if (association.leaving and association.usable) or association.moving:
                self._outbox.info(f"leaving Server {association.server} through {through.server}")
                association.release(now, through)
                done = True
        return done

    def _out_of_reach(self, now: float) -> list[Association]:
        """The Servers whose family no underlay has any more: what they announce of us leads nowhere.

        None while another address is tried, for it may be one of theirs.
        """
        tried = any(a.stays and not a.usable for a in self.associations)
        if tried or (self._seeking.missing > 0 and self._seeking.ready(now)):
            return []
        return [a for a in self.associations if a.usable and not a.reachable]

    def _left(self, association: Association, now: float) -> None:
        """A Release is through: this Server is not asked again at once."""
        self.associations.remove(association)
        if association.through is not None:
            until = now + self._config.link.move_interval
            self._candidates.rest(association.link_local, association.server, until)

    # Time

    def due(self) -> float | None:
        times = [self._moves.due(), self._candidates.due(), self._seeking.due()]
        times += [association.due() for association in self.associations]
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Send what is due; give up on silent Servers if there are others."""
        changed = False
        primary = self.primary
        for association in list(self.associations):
            changed |= association.handle_timer(now)
            if association.finished:
                self._left(association, now)
                changed = True
        self._seeking.give_up(now)
        changed |= self._leave(now)
        self._candidates.handle_timer(now)
        self._seeking.fill(now)
        if changed or primary is not self.primary:
            self._changed(now)

    def _association(self, server: LinkLayerAddress) -> Association:
        return Association(self._identity, server, self._underlays, self._random, self._transmit)

    def _transmit(
        self, association: Association, exchange: Exchange, message: Message, now: float
    ) -> None:
        unassigned = message.type in (SOLICIT, REQUEST)
        source = UNASSIGNED_CLIENT if unassigned else self.address()
        # Through another Server: that one must see for whom it is (section 3.19.4).
        destination = ALL_DHCP_AGENTS if association.through is None else association.link_local
        # For the Server that shall act on it, also when it goes through another one.
        payload = self._authentication.packed(message, association.server.ip, exchange, now)
        segment = build_udp(source, destination, CLIENT_PORT, SERVER_PORT, payload)
        path = self._underlays.path_over(exchange.underlay, association.next_hop)
        self._send(build_ipv6(source, destination, UDP, segment), path)

    # Over a restart

    def saved_state(self, now: float) -> dict:
        associations = [association_state.save(a, now) for a in self.associations if a.lasts]
        return {"associations": associations} | self._authentication.saved_state()

    def restore(self, saved: dict, now: float) -> None:
        """Take up what :meth:`saved_state` gave ``saved["age"]`` seconds ago, if still configured so."""
        self._authentication.restore(saved)
        self.associations += association_state.restored(saved, self._config.client, self._association, now)
