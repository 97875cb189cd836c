# SPDX-License-Identifier: GPL-3.0-or-later
"""The requesting router: a Client's associations with its Servers (section 3.15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
from aerod.interface import FindServers
from aerod.procedures import association_state
from aerod.procedures.association import SOLICITING, Association, Identity, Lease
from aerod.procedures.exchange import Exchange
from aerod.state.counters import Counters
from aerod.state.outbox import Outbox
from aerod.state.underlays import Path, Underlays
from aerod.wire.dhcpv6 import CLIENT_PORT, REQUEST, SERVER_PORT, SOLICIT, Message, pack
from aerod.wire.dhcpv6_options import ClientId, ServerId
from aerod.wire.ip import UDP, build_ipv6
from aerod.wire.udp import build_udp

SERVER_NAME = "linkupnetworks."
# A Server that let so many Solicits pass gives way to one not yet tried, and rests.
PATIENCE = 4
_FIRST_REST = 15.0
_LONGEST_REST = 600.0
# How soon the DNS is asked again without an answer, and with fewer Servers than wanted.
_ASK_AGAIN = 10.0
_LOOK_AROUND = 60.0


@dataclass(slots=True)
class _Candidate:
    """A link-layer address where a Server may be, and the Server that answered there."""

    address: LinkLayerAddress
    link_local: bytes | None = None
    rest: float = _FIRST_REST
    not_before: float = 0.0


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
    ) -> None:
        self._config = config
        self._underlays = underlays
        self._outbox = outbox
        self._counters = counters
        self._random = random
        self._send = send
        self._changed = changed
        client = config.client
        self._identity = Identity(client.duid, client.prefixes, config.link.vendor_options)
        self._candidates = [_Candidate(address) for address in client.server_addresses]
        self._ask_at: float | None = None
        self._released = False
        self.associations: list[Association] = []

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
        """Return each prefix once, with the longest lifetimes any Server gave it."""
        leases: dict[Prefix, Lease] = {}
        for lease in self._held():
            other = leases.setdefault(lease.prefix, Lease(lease.prefix, lease.preferred, lease.valid))
            other.preferred = max(other.preferred, lease.preferred)
            other.valid = max(other.valid, lease.valid)
        return tuple(leases[prefix] for prefix in sorted(leases))

    def _held(self) -> Iterable[Lease]:
        if not self._released:
            for association in self.associations:
                yield from association.leases.values()

    def address(self) -> bytes:
        """Return the AERO address messages are sent from, the unassigned one before any lease."""
        for association in self.associations:
            for iaid in sorted(association.leases):
                return association.leases[iaid].prefix.aero_address
        return UNASSIGNED_CLIENT

    # What happens to it

    def start(self, now: float) -> None:
        """Begin; Servers that are not configured are looked up (section 3.15.2)."""
        if not self._candidates:
            self._ask(now)
        self._fill(now)

    def servers_found(self, addresses: Iterable[LinkLayerAddress], now: float) -> None:
        """Take the answer of the DNS, one family after the other in the order of the answer."""
        if self._config.client.server_addresses:
            return
        known = {candidate.address: candidate for candidate in self._candidates}
        answer = list(dict.fromkeys(addresses))
        found = sorted(answer, key=lambda address: address.is_ipv4 != answer[0].is_ipv4)
        self._candidates = [known.get(address) or _Candidate(address) for address in found]
        self._fill(now)
        if found:
            self._ask_at = now + _LOOK_AROUND if self._wanted() > 0 else None

    def underlays_changed(self, now: float) -> None:
        for association in list(self.associations):
            association.underlays_changed(now)
        self._fill(now)
        self._changed(now)

    def release(self, now: float) -> int:
        """Give all leases back for good; return how many Servers are told."""
        self._released = True
        self._ask_at = None
        self.associations = [association for association in self.associations if association.leases]
        for association in self.associations:
            association.release(now)
        self._changed(now)
        return len(self.associations)

    def expects(self, remote: LinkLayerAddress) -> bool:
        """Whether the Server at ``remote`` may have something to answer."""
        return any(association.server == remote for association in self.associations)

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
        else:
            before = association.status
            association.received(exchange, source, message, now)
            if association.status and association.status != before:
                self._outbox.warning(f"Server {remote} answers {association.status}")
            self._settle(association, now)

    def _find(
        self, remote: LinkLayerAddress, message: Message
    ) -> tuple[Association, Exchange] | tuple[None, None]:
        for association in self.associations:
            if association.server == remote and (exchange := association.expects(message)):
                return association, exchange
        return None, None

    def _settle(self, association: Association, now: float) -> None:
        """Draw the consequences of an answer."""
        if association.finished:
            self._drop(association)
        elif association.usable:
            self._note_server(association)
        self._fill(now)
        self._changed(now)

    def _note_server(self, association: Association) -> None:
        """A Server has one association: it knows the links of the last address only."""
        for candidate in self._candidates:
            if candidate.address == association.server:
                candidate.link_local = association.link_local
                candidate.rest = _FIRST_REST
        for other in list(self.associations):
            if other is not association and other.link_local == association.link_local:
                self._drop(other)

    def _drop(self, association: Association) -> None:
        self.associations.remove(association)

    # Time

    def due(self) -> float | None:
        times = [association.due() for association in self.associations] + [self._ask_at]
        if self._wanted() > 0:
            times += [c.not_before for c in self._untried()]
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Send what is due; give up on silent Servers if there are others."""
        changed = False
        primary = self.primary
        for association in list(self.associations):
            changed |= association.handle_timer(now)
            if association.finished:
                self._drop(association)
                changed = True
        self._give_up(now)
        if self._ask_at is not None and self._ask_at <= now:
            self._ask(now)
        self._fill(now)
        if changed or primary is not self.primary:
            self._changed(now)

    def _ask(self, now: float) -> None:
        self._ask_at = now + _ASK_AGAIN
        self._outbox.actions.append(FindServers(SERVER_NAME + self._config.link.domain))

    def _give_up(self, now: float) -> None:
        for association in list(self.associations):
            silent = association.state == SOLICITING and association.unanswered > PATIENCE
            if not silent or association.leases or not self._ready(now):
                continue
            self._drop(association)
            for candidate in self._candidates:
                if candidate.address == association.server:
                    candidate.not_before = now + candidate.rest
                    candidate.rest = min(2 * candidate.rest, _LONGEST_REST)
            if not self._config.client.server_addresses and self._ask_at is None:
                self._ask(now)

    def _wanted(self) -> int:
        """How many associations are missing; one out of reach may come back, but does not count."""
        have = sum(association.reachable for association in self.associations)
        return 0 if self._released else self._config.client.server_count - have

    def _untried(self) -> list[_Candidate]:
        """The candidates that are no Server of ours and that some underlay can reach."""
        used = {association.server for association in self.associations}
        ours = {a.link_local for a in self.associations if a.reachable} - {None}
        return [
            candidate
            for candidate in self._candidates
            if candidate.address not in used
            and candidate.link_local not in ours
            and self._underlays.toward(candidate.address)
        ]

    def _ready(self, now: float) -> list[_Candidate]:
        return [candidate for candidate in self._untried() if candidate.not_before <= now]

    def _fill(self, now: float) -> None:
        """Start associations until there are enough."""
        for candidate in self._ready(now)[: max(0, self._wanted())]:
            association = self._association(candidate.address)
            # Clients that lost power together shall not start together (RFC 8415 section 18.2.1).
            association.solicit(now, self._random.random())
            self.associations.append(association)

    def _association(self, server: LinkLayerAddress) -> Association:
        return Association(self._identity, server, self._underlays, self._random, self._transmit)

    def _transmit(self, association: Association, message: Message, path: Path) -> None:
        unassigned = message.type in (SOLICIT, REQUEST)
        source = UNASSIGNED_CLIENT if unassigned else self.address()
        payload = build_udp(source, ALL_DHCP_AGENTS, CLIENT_PORT, SERVER_PORT, pack(message))
        self._send(build_ipv6(source, ALL_DHCP_AGENTS, UDP, payload), path)

    # Over a restart

    def saved_state(self, now: float) -> dict:
        return {"associations": [association_state.save(a, now) for a in self.associations if a.usable]}

    def restore(self, saved: dict, now: float) -> None:
        """Take up what :meth:`saved_state` gave ``saved["age"]`` seconds ago, if still configured so."""
        client = self._config.client
        for entry in saved.get("associations", ())[: client.server_count]:
            association = association_state.restore(entry, self._association, now - saved.get("age", 0.0))
            for iaid in [iaid for iaid in association.leases if iaid > client.prefixes]:
                del association.leases[iaid]
            configured = not client.server_addresses or association.server in client.server_addresses
            if configured and association.valid_until > now:
                self.associations.append(association)
