# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Client's Servers may be: configured, in a group of the underlay, or told by the DNS.

See the draft's sections 3.15.2 and 3.24.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from aerod.address import LinkLayerAddress
from aerod.config import Config
from aerod.interface import FindServers
from aerod.state.outbox import Outbox
from aerod.state.underlays import Underlays
from aerod.wire.multicast import SERVER_GROUPS

SERVER_NAME = "linkupnetworks."

_FIRST_REST = 15.0
_LONGEST_REST = 600.0
# How soon the DNS is asked again without an answer, and with fewer Servers than wanted.
_ASK_AGAIN = 10.0
_LOOK_AROUND = 60.0


@dataclass(slots=True)
class Candidate:
    """A link-layer address where a Server may be, and the Server that answered there."""

    address: LinkLayerAddress
    link_local: bytes | None = None
    rest: float = _FIRST_REST
    not_before: float = 0.0
    # Until when its Server, which was left, is not to be used.
    left_until: float = 0.0


class Candidates:
    """Keeps the addresses in the order they are tried, and asks the DNS where that is to tell."""

    def __init__(self, config: Config, underlays: Underlays, outbox: Outbox) -> None:
        known = config.client.server_addresses
        if config.encapsulation.multicast and not known:
            known = tuple(LinkLayerAddress(group, config.link.port) for group in SERVER_GROUPS)
        self._candidates = {address: Candidate(address) for address in known}
        self._underlays = underlays
        self._outbox = outbox
        self._name = SERVER_NAME + config.link.domain
        self._from_dns = not known
        self._ask_at: float | None = None

    # Asking the DNS

    def ask(self, now: float) -> None:
        """Ask the DNS now and until it answers, unless that is going on."""
        if self._from_dns and self._ask_at is None:
            self._ask_at = now
            self.handle_timer(now)

    def stop(self) -> None:
        """Nobody wants to know any more."""
        self._ask_at = None

    def due(self) -> float | None:
        return self._ask_at

    def handle_timer(self, now: float) -> None:
        if self._ask_at is not None and self._ask_at <= now:
            self._ask_at = now + _ASK_AGAIN
            self._outbox.actions.append(FindServers(self._name))

    def found(self, addresses: Iterable[LinkLayerAddress]) -> bool:
        """Take the answer of the DNS, in its order; whether it is of use."""
        known = self._candidates
        found = {address: known.get(address) or Candidate(address) for address in addresses}
        # One that has no answer does not know, and those it once told may well be there.
        if not self._from_dns or not found:
            return False
        self._candidates = found
        return True

    def look_around(self, wanted: bool, now: float) -> None:
        """Ask again later if more Servers are ``wanted`` than were found; at once if none was."""
        if self._candidates:
            self._ask_at = now + _LOOK_AROUND if wanted else None

    # Trying them

    def free(
        self, used: Collection[LinkLayerAddress], servers: Collection[bytes | None]
    ) -> list[Candidate]:
        """Return those within reach that are not at ``used`` and none of the link-local ``servers``.

        A Client's links, and with them its direct ways, are of the family of its Server's address (O-18).
        So those that the DNS told stand in the order of how many underlays suit them, IPv4 first where that
        is equal: two Clients that have both families then always choose the same.
        """
        free = [
            candidate
            for candidate in self._candidates.values()
            if candidate.address not in used
            and (candidate.link_local is None or candidate.link_local not in servers)
            and self._underlays.toward(candidate.address)
        ]
        if self._from_dns:
            free.sort(key=lambda c: (-len(self._underlays.toward(c.address)), not c.address.is_ipv4))
        return free

    def has(self, address: LinkLayerAddress) -> bool:
        """Whether it is one of them."""
        return address in self._candidates

    def named(self, address: bytes) -> list[LinkLayerAddress]:
        """Return where the Server with a 16-byte underlay or link-local address may be."""
        candidates = self._candidates.values()
        return [c.address for c in candidates if address in (c.address.ip, c.link_local)]

    def answered(self, server: LinkLayerAddress, link_local: bytes, now: float) -> bool:
        """Note which Server is at an address; whether that one was left a short while ago."""
        candidates = self._candidates.values()
        left = max((c.left_until for c in candidates if c.link_local == link_local), default=0.0)
        candidate = self._candidates.get(server)
        if candidate is not None:
            candidate.link_local = link_local
            candidate.rest = _FIRST_REST
            candidate.not_before = max(candidate.not_before, left)
            candidate.left_until = left
        return left > now

    def silent(self, server: LinkLayerAddress, longest: float, now: float) -> None:
        """Leave an address alone for a while, for longer each time, up to ``longest`` seconds."""
        candidate = self._candidates.get(server)
        if candidate is not None:
            candidate.not_before = now + min(candidate.rest, longest)
            candidate.rest = min(2 * candidate.rest, _LONGEST_REST)

    def rest(self, link_local: bytes | None, server: LinkLayerAddress, until: float) -> None:
        """Leave all addresses of a Server alone until a time."""
        for candidate in self._candidates.values():
            if candidate.address == server or (link_local and candidate.link_local == link_local):
                candidate.not_before = max(candidate.not_before, until)
                candidate.left_until = until
