# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client's tie to one Server: its DHCPv6 state machine (section 3.15)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from aerod.address import LinkLayerAddress, Prefix, is_multicast
from aerod.interface import Underlay
from aerod.procedures.exchange import ANSWERS, HANDOVER, TIMINGS, Exchange
from aerod.procedures.known_links import KnownLinks
from aerod.procedures.leases import Lease
from aerod.procedures.replies import granted_prefixes, grants, has_status, status_text
from aerod.procedures.requests import Identity, request
from aerod.state.underlays import Path, Underlays, address_toward
from aerod.wire import vendor_options as vendor
from aerod.wire.dhcpv6 import ADVERTISE, REBIND, RELEASE, RENEW, REQUEST, SOLICIT, Message
from aerod.wire.dhcpv6_options import IAPD, STATUS_NO_BINDING, RapidCommit, ServerId, SolMaxRT

SOLICITING = "soliciting"
REQUESTING = "requesting"
BOUND = "bound"
RENEWING = "renewing"
REBINDING = "rebinding"
RELEASING = "releasing"

# Which state an own transaction stands for.
_STATES = {
    SOLICIT: SOLICITING,
    REQUEST: REQUESTING,
    RENEW: RENEWING,
    REBIND: REBINDING,
    RELEASE: RELEASING,
}
# A Server that let this many messages in a row go unanswered is not used while another answers.
_SILENT_AFTER = 3
# A Server that let so many Solicits pass gives way to one not yet tried, and rests.
PATIENCE = 4
_SOL_MAX_RT_RANGE = range(60, 86401)
# Seconds after which no copy of a message is under way any more.
_LATE = 5.0


class Association:
    """The exchanges with the Server at one link-layer address, and what it granted."""

    def __init__(
        self,
        identity: Identity,
        server: LinkLayerAddress,
        underlays: Underlays,
        random: Random,
        transmit: Callable[[Association, Exchange, Message, float], None],
    ) -> None:
        self.server = server
        self.state = SOLICITING
        self.link_local: bytes | None = None
        self.server_id = b""
        self.leases: dict[int, Lease] = {}
        self.renew_at = self.rebind_at = 0.0
        self.since = 0.0
        self.links = KnownLinks()
        self.asps: tuple[Prefix, ...] = ()
        self.status = ""
        # Seconds between two Solicits at most; the Server may have told (RFC 8415 section 21.24).
        self.longest_wait = TIMINGS[SOLICIT].longest
        # Whether it asks the Server to commit at once (O-28).
        self.rapid = True
        # NUD found that nothing comes back from the Server.
        self.silent = False
        # Another Server shall take its place (section 3.19.4), that asked for it (D24), and that one.
        self.leaving = False
        self.asked_to_leave = False
        self.through: Association | None = None
        self._identity = identity
        self._underlays = underlays
        self._random = random
        self._transmit = transmit
        self._exchanges: list[Exchange] = []
        # Messages of which copies may still arrive: until when, the link they tell of, and our address there.
        self._late: list[tuple[float, int, bytes | None]] = []

    # What it is good for

    @property
    def seeks(self) -> bool:
        """Whether it is with no Server yet, but asks a group of the underlay for one (section 3.24)."""
        return is_multicast(self.server.ip)

    @property
    def usable(self) -> bool:
        """Whether the Server knows this Client, so that data may go there."""
        return bool(self.leases) and self.state in (BOUND, RENEWING, REBINDING)

    @property
    def reachable(self) -> bool:
        """Whether some underlay has an address of the Server's family."""
        return bool(self._underlays.toward(self.server))

    @property
    def alive(self) -> bool:
        return self.usable and self.reachable and not self.silent and self.unanswered < _SILENT_AFTER

    @property
    def stays(self) -> bool:
        """Whether it is one of those the Client wants to have."""
        if not self.reachable or self.silent or self.leaving or self.state == RELEASING:
            return False
        return not self.hopeless

    @property
    def hopeless(self) -> bool:
        """Whether nobody hears our Solicits, or the Server does not want to."""
        return self.state == SOLICITING and (self.asked_to_leave or self.unanswered > PATIENCE)

    @property
    def moving(self) -> bool:
        """Whether the Server is being left through another one, and still passes packets on."""
        return self.state == RELEASING and bool(self.leases) and self.through is not None

    @property
    def lasts(self) -> bool:
        """Whether it goes on after a restart."""
        return self.usable or self.moving

    @property
    def next_hop(self) -> LinkLayerAddress:
        """Where messages for the Server go: a Release through another Server, to that one."""
        return (self.through or self).server

    @property
    def finished(self) -> bool:
        """Whether a Release is through, or the lease it was about has ended."""
        return self.state == RELEASING and not self.leases

    @property
    def unanswered(self) -> int:
        """How often the most patient exchange over the link in use was sent in vain."""
        used = self.best_underlay()
        counts = (e.transmissions for e in self._exchanges if e.underlay == used or e.kind == SOLICIT)
        return max(counts, default=0)

    @property
    def prefixes(self) -> set[Prefix]:
        return {lease.prefix for lease in self.leases.values()}

    @property
    def valid_until(self) -> float:
        return max((lease.valid for lease in self.leases.values()), default=0.0)

    def best_underlay(self) -> Underlay | None:
        """The underlay data goes over: the best the Server has been told of, else the best.

        One that is to be given up, but still there, serves until the Server has been told of another.
        """
        usable = self._underlays.toward(self.server)
        known = [*usable, *self._underlays.leaving(self.server)]
        told = (u for u in known if self.links.told(u))
        return next(told, usable[0] if usable else None)

    def path(self) -> Path | None:
        """The path of data: from the address the Server has been told of, as long as it is here."""
        underlay = self.best_underlay()
        if underlay is None:
            return None
        return self._underlays.path_over(underlay, self.server, self.links.told(underlay))

    # Starting exchanges

    def solicit(self, now: float, delay: float = 0.0) -> None:
        """Start over (section 3.15.2); leases still valid are kept until they end or are replaced."""
        self.through = None
        self._replace_exchanges(SOLICIT, now + delay)

    def release(self, now: float, through: Association | None = None) -> None:
        """Give the leases back (section 3.15.2), to the Server itself or ``through`` a new one (3.19.4)."""
        self.through = through
        self._replace_exchanges(RELEASE, now)

    def renew(self, now: float) -> None:
        """Ask for the leases to be extended now, not at T1."""
        self._extend_by(RENEW, now)

    def tell_again(self, now: float) -> None:
        """Tell the Server where we are: a NAT between us may have forgotten (O-27)."""
        underlay = self.best_underlay()
        if underlay is not None and not any(e.link_id == underlay.link_id for e in self._exchanges):
            self._handover(underlay, now)

    def tell_all(self, now: float) -> None:
        """The Server began anew, and knows none of our links any more."""
        self.links.forget()
        self.underlays_changed(now)

    def set_silent(self, silent: bool, now: float) -> None:
        """Note what NUD found, and that perhaps it is the link in use that carries nothing.

        Then the Server is asked over another one not to use it; it is used again as soon as a message of
        ours over it is answered.
        """
        self.silent = silent
        here = {u.link_id: u for u in self._underlays.toward(self.server)}
        # What was asked before is no longer true.
        self._drop([e for e in self._exchanges if e.link_id in here and not e.preference], now)
        used = self.best_underlay()
        other = next((u for u in here.values() if u != used and u.link_id in self.links.addresses), None)
        if silent and other is not None:
            self._handover(other, now, departing=used.link_id)

    def _replace_exchanges(self, kind: int, start: float, underlay: Underlay | None = None) -> None:
        self.state = _STATES[kind]
        self._exchanges.clear()
        underlay = underlay or (self.through or self).best_underlay()
        if underlay is not None:
            exchange = Exchange(kind, underlay, self._random, start)
            if kind == SOLICIT:
                exchange.wait_at_most(self.longest_wait, start)
            self._exchanges.append(exchange)

    def underlays_changed(self, now: float) -> None:
        """Tell the Server at once about links that came, changed or went (section 3.19)."""
        usable = {u.link_id: u for u in self._underlays.toward(self.next_hop)}
        self._drop([e for e in self._exchanges if usable.get(e.underlay.link_id) != e.underlay], now)
        if not self.usable:
            if not self._exchanges:
                self._replace_exchanges(RELEASE if self.state == RELEASING else SOLICIT, now)
            return
        told = {exchange.link_id for exchange in self._exchanges if exchange.is_handover}
        for link_id, underlay in usable.items():
            if link_id not in told and not self._knows(underlay):
                self._handover(underlay, now)
        self._give_up_links(usable, told, now)
        if self.state in (RENEWING, REBINDING) and not self._exchanges:
            self._extend_by(RENEW if self.state == RENEWING else REBIND, now)

    def _knows(self, underlay: Underlay) -> bool:
        return self.links.is_current(underlay, address_toward(underlay, self.server))

    def _give_up_links(self, usable: dict[int, Underlay], told: set[int], now: float) -> None:
        """Tell of links that went over another one, which the Server must know if they still serve."""
        known = next((u for link_id, u in usable.items() if link_id in self.links.addresses), None)
        still_here = {underlay.link_id for underlay in self._underlays.leaving(self.server)}
        for link_id in self.links.addresses.keys() - usable.keys() - told:
            over = known if link_id in still_here else known or next(iter(usable.values()), None)
            if over is not None:
                self._handover(over, now, departing=link_id)

    def _drop(self, exchanges: list[Exchange], now: float) -> None:
        self._exchanges = [e for e in self._exchanges if e not in exchanges]
        for exchange in exchanges:
            self._expect_copies(exchange, exchange.transmissions, now)

    def _expect_copies(self, exchange: Exchange, copies: int, now: float) -> None:
        """Remember what the Server may yet hear, perhaps after something newer."""
        if copies:
            address = address_toward(exchange.underlay, self.server) if exchange.preference else None
            self._late.append((now + _LATE, exchange.link_id, address))

    def _tell_after_copies(self, now: float) -> None:
        """Tell once more of links of which something else may have been heard last."""
        usable = {underlay.link_id: underlay for underlay in self._underlays.toward(self.server)}
        late = {(link_id, address) for until, link_id, address in self._late if until <= now}
        self._late = [each for each in self._late if each[0] > now]
        for link_id in {link_id for link_id, address in late if address != self.links.addresses.get(link_id)}:
            if link_id in usable:
                self._handover(usable[link_id], now)
            elif usable:
                self._handover(next(iter(usable.values())), now, departing=link_id)

    def _handover(self, underlay: Underlay, now: float, departing: int | None = None) -> None:
        self._exchanges.append(Exchange(REBIND, underlay, self._random, now, HANDOVER, departing))

    # Time

    def due(self) -> float | None:
        """When :meth:`handle_timer` has something to do."""
        times = [exchange.due for exchange in self._exchanges]
        times += [lease.valid for lease in self.leases.values()]
        if self.usable:
            times += [self.renew_at] if self.state == BOUND else []
            times += [self.rebind_at] if self.state in (BOUND, RENEWING) else []
            times += [until for until, _link_id, _address in self._late]
        return min(times, default=None)

    def handle_timer(self, now: float) -> bool:
        """Send what is due; return whether leases ended."""
        ended = [iaid for iaid, lease in self.leases.items() if lease.valid <= now]
        for iaid in ended:
            del self.leases[iaid]
        if ended and not self.leases and self.state != RELEASING:
            self.links.forget()
            self.solicit(now)
        elif self.usable:
            self._extend(now)
            self._tell_after_copies(now)
        for exchange in list(self._exchanges):
            if exchange.due <= now and exchange in self._exchanges:
                self._send(exchange, now)
        return bool(ended)

    def route_appeared(self, interface: str, now: float) -> None:
        """Repeat what may have gone nowhere: an address is there a moment before its routes are."""
        for exchange in self._exchanges:
            if exchange.underlay.interface == interface:
                exchange.repeat_soon(now)

    def _extend(self, now: float) -> None:
        """Renew at T1, rebind at T2 (section 3.15.2)."""
        if now >= self.rebind_at and self.state in (BOUND, RENEWING):
            self._extend_by(REBIND, now)
        elif now >= self.renew_at and self.state == BOUND:
            self._extend_by(RENEW, now)

    def _extend_by(self, kind: int, now: float) -> None:
        self.state = _STATES[kind]
        self._exchanges = [exchange for exchange in self._exchanges if exchange.is_handover]
        underlay = self.best_underlay()
        if underlay is not None:
            self._exchanges.append(Exchange(kind, underlay, self._random, now))

    def _send(self, exchange: Exchange, now: float) -> None:
        if exchange.exhausted:
            self.solicit(now)
            return
        if exchange.kind == SOLICIT and exchange.transmissions >= _SILENT_AFTER:
            # Perhaps the best link carries nothing: from now on all in turn.
            usable = self._underlays.toward(self.server)
            exchange.go_over(usable[exchange.transmissions % len(usable)])
        held = {iaid: lease.prefix for iaid, lease in self.leases.items()}
        elapsed, rapid = exchange.transmitted(now), self.rapid and not self.seeks
        message = request(self._identity, exchange, elapsed, self.server_id, held, rapid)
        self._transmit(self, exchange, message, now)

    # Answers

    def expects(self, message: Message) -> Exchange | None:
        """Return the exchange ``message`` answers, None if it answers none."""
        for exchange in self._exchanges:
            if exchange.transaction_id == message.transaction_id and message.type in ANSWERS[exchange.kind]:
                return exchange if exchange.transmissions else None
        return None

    def received(self, exchange: Exchange, source: bytes, message: Message, now: float) -> None:
        """Take the answer to ``exchange`` from the Server's link-local address ``source``."""
        if exchange.kind == RELEASE:
            self._exchanges.clear()
            self.leases.clear()
            return
        self._note_longest_wait(exchange, message, now)
        rapid = message.find(RapidCommit) is not None
        if exchange.kind == SOLICIT and message.type != ADVERTISE and not rapid:
            return
        self.status = status_text(message)
        server_id = message.find(ServerId)
        if not grants(message):
            self._refused(exchange, message, now)
        elif message.type == ADVERTISE:
            self.server_id = server_id.value
            self._replace_exchanges(REQUEST, now, exchange.underlay)
        else:
            self.server_id, self.link_local = server_id.value, source
            self._granted(exchange, message, now)

    def _note_longest_wait(self, exchange: Exchange, message: Message, now: float) -> None:
        limit = message.find(SolMaxRT)
        if limit is not None and limit.value in _SOL_MAX_RT_RANGE:
            self.longest_wait = limit.value
            if exchange.kind == SOLICIT:
                exchange.wait_at_most(limit.value, now)

    def _refused(self, exchange: Exchange, message: Message, now: float) -> None:
        """A Solicit goes on; whatever else is refused starts over, unless a lease still stands."""
        self._apply(message, now)
        if exchange.kind == REQUEST:
            self.solicit(now, exchange.due - now)
        elif exchange.kind != SOLICIT and (not self.leases or has_status(message, STATUS_NO_BINDING)):
            self.links.forget()
            self.solicit(now)
        elif exchange.is_handover:
            self._exchanges.remove(exchange)

    def _granted(self, exchange: Exchange, message: Message, now: float) -> None:
        if not self.usable:
            self.since = now
        if exchange.kind in (SOLICIT, REQUEST):
            self.links.forget()
        self._apply(message, now)
        self._note_link(exchange, message)
        self._expect_copies(exchange, exchange.transmissions - 1, now)
        # A grant answers a pending Renew or Rebind too; other links still have to be told.
        self._exchanges = [e for e in self._exchanges if e.is_handover and e is not exchange]
        self.state = BOUND
        self._schedule(message, now)
        self.underlays_changed(now)

    def _apply(self, message: Message, now: float) -> None:
        """Store what the message grants, drop what it takes away (D6)."""
        for iaid, prefix in granted_prefixes(message):
            lease = self.leases.get(iaid)
            if prefix.valid:
                self.leases[iaid] = Lease(prefix.acp, now + prefix.preferred, now + prefix.valid)
            elif lease is not None and lease.prefix == prefix.acp:
                del self.leases[iaid]

    def _note_link(self, exchange: Exchange, message: Message) -> None:
        address = address_toward(exchange.underlay, self.server)
        self.links.note(exchange.link_id, address, exchange.preference)
        for value in vendor.decode(message.options):
            if isinstance(value, vendor.AspAdv):
                self.asps = value.prefixes
            elif isinstance(value, vendor.AllaRep) and exchange.preference:
                self.links.seen[exchange.link_id] = value.address

    def _schedule(self, message: Message, now: float) -> None:
        """Set T1 and T2; 0 leaves them to us (RFC 8415 section 21.21)."""
        associations = [ia for ia in message.find_all(IAPD) if ia.iaid in self.leases]
        ends = [lease.preferred if lease.preferred > now else lease.valid for lease in self.leases.values()]
        shortest = min(ends) - now
        self.renew_at = now + min((ia.t1 for ia in associations if ia.t1), default=0.5 * shortest)
        self.rebind_at = now + min((ia.t2 for ia in associations if ia.t2), default=0.8 * shortest)
