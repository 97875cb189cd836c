# SPDX-License-Identifier: GPL-3.0-or-later
"""The neighbor cache (draft-templin-aerolink-52 section 3.8).

An AERO address is looked up by longest match of what its interface identifier embeds, IPv4 and
IPv6 apart and ``fe80::ID`` in a table of its own (O-1).  A second index, by link-layer address,
serves data origin authentication (section 3.12).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from aerod.address import LinkLayerAddress, Prefix, embedded
from aerod.state.prefix_map import PrefixMap, is_aero_link_local, unembed
from aerod.state.underlays import Path, Underlays

PERMANENT = "permanent"
STATIC = "static"
DYNAMIC = "dynamic"
# Another Server, known while a Client moves between it and us (section 3.19.4).
PEER = "peer"


@dataclass(frozen=True, slots=True)
class Link:
    """One of a neighbor's underlying interfaces; Preference 0 is a disabled one.

    ``local`` is our own 16-byte address the neighbor uses, which a NAT before it insists on.
    """

    link_id: int
    preference: int
    address: LinkLayerAddress
    local: bytes | None = None


def best_first(links: Iterable[Link]) -> list[Link]:
    """Return the links that may be used, highest Preference first, ties to the lowest Link ID (O-18)."""
    enabled = [link for link in links if link.preference]
    return sorted(enabled, key=lambda link: (-link.preference, link.link_id))


@dataclass(slots=True)
class Delegation:
    """A prefix of a neighbor: the IA_PD it came in, and when it ends (None = never)."""

    iaid: int
    expires: float | None


@dataclass(slots=True, eq=False)
class Neighbor:
    """A neighbor cache entry.

    ``trusted`` neighbors may send any source address; of the others only their own prefixes
    and AERO addresses are accepted, and nothing while it is not ``accepted``.  A packet from
    an ``upstream`` neighbor never goes to an upstream neighbor: the Relays of a Server, the
    Servers of a Client.  ``other_server`` marks what leads to or comes from another Server of
    the link: a packet never goes from one such entry to another (D25).

    ``heard`` and ``sent`` are when the last packet came from and went to the neighbor, ``waiting``
    since when nothing has come although something was sent, None if nothing was.  ``released`` is when
    the Client last asked to end its leases, None if it has asked for new ones since, and ``begun`` the
    DHCPv6 transaction ID by which it got its first.
    """

    kind: str
    link_local: bytes
    name: str = ""
    client_id: bytes = b""
    trusted: bool = False
    upstream: bool = False
    accepted: bool = True
    other_server: bool = False
    since: float = 0.0
    links: dict[int, Link] = field(default_factory=dict)
    prefixes: dict[Prefix, Delegation] = field(default_factory=dict)
    path: Path | None = None
    until: float | None = None
    heard: float = 0.0
    sent: float = 0.0
    waiting: float | None = None
    released: float | None = None
    begun: int | None = None

    def note_heard(self, now: float) -> None:
        self.heard = now
        self.waiting = None

    def note_sent(self, now: float) -> None:
        self.sent = now
        if self.waiting is None:
            self.waiting = now

    @property
    def enabled_links(self) -> list[Link]:
        """The links that may be used, best first."""
        return best_first(self.links.values())

    @property
    def expires(self) -> float | None:
        """When the entry ends: with its last prefix, or at ``until``; None for never."""
        ends = [delegation.expires for delegation in self.prefixes.values()]
        return max(ends) if ends and None not in ends else self.until

    def choose_path(self, underlays: Underlays) -> None:
        """Set ``path`` to the best link of a family that some usable underlay has."""
        paths = (underlays.path(link.address, link.local) for link in self.enabled_links)
        self.path = next((path for path in paths if path), None)


class NeighborCache:
    """All neighbors of a node."""

    def __init__(self) -> None:
        self._neighbors: dict[Neighbor, None] = {}
        self._by_id: dict[int, Neighbor] = {}
        self._by_prefix: PrefixMap[Neighbor] = PrefixMap()
        # Apart, as a Server may have the same prefix of a Client and of a correspondent.
        self._dynamic: PrefixMap[Neighbor] = PrefixMap()
        self._by_address: dict[LinkLayerAddress, tuple[Neighbor, ...]] = {}
        self._expiries: list[tuple[float, int, Neighbor, Prefix]] = []
        self._serial = count()

    def __iter__(self) -> Iterator[Neighbor]:
        return iter(self._neighbors)

    def __contains__(self, neighbor: Neighbor) -> bool:
        return neighbor in self._neighbors

    def count(self, kind: str) -> int:
        return sum(neighbor.kind == kind for neighbor in self._neighbors)

    def add(self, neighbor: Neighbor) -> None:
        """Add a neighbor; ``fe80::ID`` ones become known by their ID at once."""
        self._neighbors[neighbor] = None
        family, value = embedded(neighbor.link_local)
        if family == "id":
            self._by_id[value] = neighbor
        for link in neighbor.links.values():
            self._index(neighbor, link)

    def remove(self, neighbor: Neighbor) -> None:
        """Remove a neighbor with its prefixes and links."""
        del self._neighbors[neighbor]
        family, value = embedded(neighbor.link_local)
        if family == "id" and self._by_id.get(value) is neighbor:
            del self._by_id[value]
        for prefix in list(neighbor.prefixes):
            self.revoke(neighbor, prefix)
        for link in list(neighbor.links.values()):
            self._unindex(neighbor, link)

    def set_link(self, neighbor: Neighbor, link: Link) -> None:
        """Add a link to a neighbor or replace the one with the same Link ID."""
        old = neighbor.links.get(link.link_id)
        if old == link:
            return
        if old is not None:
            self._unindex(neighbor, old)
        neighbor.links[link.link_id] = link
        # Two links may share an address, so all are entered anew.
        for each in neighbor.links.values():
            self._index(neighbor, each)

    def replace_links(self, neighbor: Neighbor, links: Iterable[Link]) -> None:
        """Let a neighbor have these links and no others."""
        for link in neighbor.links.values():
            self._unindex(neighbor, link)
        neighbor.links = {link.link_id: link for link in links}
        for link in neighbor.links.values():
            self._index(neighbor, link)

    def grant(self, neighbor: Neighbor, prefix: Prefix, iaid: int, expires: float | None) -> None:
        """Give a prefix to a neighbor, or set its lifetime anew."""
        neighbor.prefixes[prefix] = Delegation(iaid, expires)
        self._prefixes(neighbor)[prefix] = neighbor
        if expires is not None:
            heapq.heappush(self._expiries, (expires, next(self._serial), neighbor, prefix))

    def revoke(self, neighbor: Neighbor, prefix: Prefix) -> None:
        """Take a prefix from a neighbor."""
        del neighbor.prefixes[prefix]
        prefixes = self._prefixes(neighbor)
        if prefixes.get(prefix) is neighbor:
            prefixes.pop(prefix)

    def _prefixes(self, neighbor: Neighbor) -> PrefixMap[Neighbor]:
        return self._dynamic if neighbor.kind == DYNAMIC else self._by_prefix

    def holder(self, prefix: Prefix) -> Neighbor | None:
        """Return the neighbor that has exactly ``prefix`` for good, which no dynamic one has."""
        return self._by_prefix.get(prefix)

    def correspondent(self, address: int) -> Neighbor | None:
        """Return the dynamic neighbor whose AERO address or prefix holds the 128-bit address."""
        return self._dynamic.lookup(unembed(address) if is_aero_link_local(address) else address)

    def owner(self, address: int) -> Neighbor | None:
        """Return the neighbor, no dynamic one, whose link-local or AERO address or prefix holds it."""
        if is_aero_link_local(address):
            address = unembed(address)
            if address >> 32 == 0:
                return self._by_id.get(address)
        return self._by_prefix.lookup(address)

    def at(self, remote: LinkLayerAddress) -> tuple[Neighbor, ...]:
        """Return the neighbors that have an enabled link at the link-layer address."""
        return self._by_address.get(remote, ())

    def accepted_at(self, remote: LinkLayerAddress) -> Neighbor | None:
        """Return a neighbor at the link-layer address that packets are taken from now."""
        return next((neighbor for neighbor in self.at(remote) if neighbor.accepted), None)

    def origin(self, remote: LinkLayerAddress, source: int) -> Neighbor | None:
        """Return the neighbor that may send ``source`` from ``remote``, None if nobody may."""
        known = self._by_address.get(remote)
        if known is None:
            return None
        if known[0].trusted:
            return known[0]
        owner = self.owner(source)
        if owner not in known:
            owner = self.correspondent(source)
        return owner if owner in known and owner.accepted else None

    def next_expiry(self) -> float | None:
        """When the next prefix may end."""
        return self._expiries[0][0] if self._expiries else None

    def expired(self, now: float) -> Iterator[tuple[Neighbor, Prefix]]:
        """Yield each prefix that has ended by ``now``; the caller revokes it."""
        while self._expiries and self._expiries[0][0] <= now:
            when, _unused, neighbor, prefix = heapq.heappop(self._expiries)
            delegation = neighbor.prefixes.get(prefix)
            if delegation is not None and delegation.expires == when:
                yield neighbor, prefix

    def _index(self, neighbor: Neighbor, link: Link) -> None:
        known = self._by_address.get(link.address, ())
        if not link.preference or neighbor in known:
            return
        # Trusted ones first, so that one look tells.
        both = (neighbor, *known) if neighbor.trusted else (*known, neighbor)
        self._by_address[link.address] = both

    def _unindex(self, neighbor: Neighbor, link: Link) -> None:
        left = tuple(n for n in self._by_address.get(link.address, ()) if n is not neighbor)
        if left:
            self._by_address[link.address] = left
        else:
            self._by_address.pop(link.address, None)
