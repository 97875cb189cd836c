# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Client's Servers may be: configured, or told by the DNS (section 3.15.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from aerod.address import LinkLayerAddress

SERVER_NAME = "linkupnetworks."

_FIRST_REST = 15.0
_LONGEST_REST = 600.0


@dataclass(slots=True)
class Candidate:
    """A link-layer address where a Server may be, and the Server that answered there."""

    address: LinkLayerAddress
    link_local: bytes | None = None
    rest: float = _FIRST_REST
    not_before: float = 0.0


class Candidates:
    """Keeps the addresses in the order they are tried; ``reachable`` says whether an underlay suits one."""

    def __init__(
        self, configured: Iterable[LinkLayerAddress], reachable: Callable[[LinkLayerAddress], bool]
    ) -> None:
        self._candidates = [Candidate(address) for address in configured]
        self._reachable = reachable

    def __bool__(self) -> bool:
        return bool(self._candidates)

    def found(self, addresses: Iterable[LinkLayerAddress]) -> None:
        """Take the answer of the DNS, one family after the other in the order of the answer."""
        known = {candidate.address: candidate for candidate in self._candidates}
        answer = list(dict.fromkeys(addresses))
        found = sorted(answer, key=lambda address: address.is_ipv4 != answer[0].is_ipv4)
        self._candidates = [known.get(address) or Candidate(address) for address in found]

    def free(
        self, used: Collection[LinkLayerAddress], servers: Collection[bytes | None]
    ) -> list[Candidate]:
        """Return those within reach that are not at ``used`` and none of the link-local ``servers``."""
        return [
            candidate
            for candidate in self._candidates
            if candidate.address not in used
            and (candidate.link_local is None or candidate.link_local not in servers)
            and self._reachable(candidate.address)
        ]

    def named(self, address: bytes) -> list[LinkLayerAddress]:
        """Return where the Server with a 16-byte underlay or link-local address may be."""
        return [c.address for c in self._candidates if address in (c.address.ip, c.link_local)]

    def answered(self, server: LinkLayerAddress, link_local: bytes) -> None:
        """Note which Server is at an address."""
        for candidate in self._at(server):
            candidate.link_local = link_local
            candidate.rest = _FIRST_REST

    def silent(self, server: LinkLayerAddress, now: float) -> None:
        """Leave an address alone for a while, for longer each time."""
        for candidate in self._at(server):
            candidate.not_before = now + candidate.rest
            candidate.rest = min(2 * candidate.rest, _LONGEST_REST)

    def rest(self, link_local: bytes | None, server: LinkLayerAddress, until: float) -> None:
        """Leave all addresses of a Server alone until a time."""
        for candidate in self._candidates:
            if candidate.address == server or (link_local and candidate.link_local == link_local):
                candidate.not_before = max(candidate.not_before, until)

    def _at(self, server: LinkLayerAddress) -> list[Candidate]:
        return [candidate for candidate in self._candidates if candidate.address == server]
