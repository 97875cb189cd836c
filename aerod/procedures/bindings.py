# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server's Clients: neighbor entries, forwarding entries and routes, made and ended together.

A Client is known by its DUID and has one static neighbor entry, however many prefixes and links.
One that releases through another Server is followed there for the grace (section 3.19.4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aerod.address import LinkLayerAddress, Prefix, address_text, parse_address
from aerod.procedures.announcements import Announcements
from aerod.procedures.damping import Damping
from aerod.state.forwarding import Forwarding
from aerod.state.neighbors import STATIC, Link, Neighbor, NeighborCache
from aerod.state.outbox import Outbox
from aerod.state.underlays import Underlays


class Held(NamedTuple):
    """Who holds a prefix, since which grant, and until when."""

    duid: bytes
    granted: float
    expires: float


class Bindings:
    """The static neighbors of a Server; ``release_grace`` is seconds."""

    def __init__(
        self,
        neighbors: NeighborCache,
        forwarding: Forwarding,
        underlays: Underlays,
        outbox: Outbox,
        release_grace: float,
        damping: Damping,
    ) -> None:
        self._neighbors = neighbors
        self._forwarding = forwarding
        self._underlays = underlays
        self._outbox = outbox
        self._release_grace = release_grace
        self._damping = damping
        self._announcements = Announcements(outbox, damping)
        self._clients: dict[bytes, Neighbor] = {}
        self._granted: dict[Prefix, float] = {}

    def client(self, duid: bytes) -> Neighbor | None:
        """Return the neighbor entry of the Client with this DUID."""
        return self._clients.get(duid)

    def holder(self, prefix: Prefix) -> Neighbor | None:
        """Return the Client that holds exactly ``prefix`` by a lease; configured ones have none."""
        holder = self._neighbors.holder(prefix)
        return holder if holder is not None and holder.client_id in self._clients else None

    def held(self) -> dict[Prefix, Held]:
        """Return all prefixes that are leased."""
        return {
            prefix: Held(duid, self._granted[prefix], delegation.expires)
            for duid, neighbor in self._clients.items()
            for prefix, delegation in neighbor.prefixes.items()
        }

    def grant(self, duid: bytes, prefix: Prefix, iaid: int, expires: float, now: float) -> Neighbor:
        """Note that the Client holds ``prefix`` until ``expires``; return its neighbor entry."""
        holder = self._neighbors.holder(prefix)
        neighbor = self._clients.get(duid)
        if holder is not None and holder is not neighbor:
            # The table gave the prefix to another Client.
            self._end(holder, prefix, now)
        if neighbor is None:
            neighbor = Neighbor(STATIC, prefix.aero_address, client_id=duid, since=now)
            self._clients[duid] = neighbor
            self._neighbors.add(neighbor)
        if prefix not in neighbor.prefixes:
            self._announcements.begin(prefix, now)
            self._forwarding.routes[prefix] = neighbor
        self._neighbors.grant(neighbor, prefix, iaid, expires)
        self._granted[prefix] = now
        self._outbox.save()
        return neighbor

    def withdraw(self, duid: bytes, prefix: Prefix, now: float) -> None:
        """Note that the Client no longer holds ``prefix``."""
        neighbor = self._clients.get(duid)
        if neighbor is not None and prefix in neighbor.prefixes:
            self._end(neighbor, prefix, now)

    def cancel(self, neighbor: Neighbor, now: float) -> None:
        """End all prefixes of a Client that cannot be reached any more (section 3.14)."""
        for prefix in list(neighbor.prefixes):
            self._end(neighbor, prefix, now)

    def release(self, duid: bytes, iaids: set[int] | None, sender: Link, now: float) -> None:
        """End the prefixes of these IAIDs (None = all) after the grace for what is under way.

        A ``sender`` that is no link of the Client's is the Server it moved to, and gets that.
        """
        neighbor = self._clients.get(duid)
        if neighbor is None:
            return
        known = {link.address for link in neighbor.links.values()}
        if sender.address not in known and (iaids is None or iaids >= _iaids(neighbor)):
            self._neighbors.replace_links(neighbor, [sender])
            neighbor.other_server = True
            neighbor.choose_path(self._underlays)
        end = now + self._release_grace
        for prefix, delegation in list(neighbor.prefixes.items()):
            if iaids is None or delegation.iaid in iaids:
                if neighbor.other_server and end < delegation.expires:
                    self._announcements.leave(prefix, now + self._release_grace / 2)
                self.recall(neighbor, prefix, end)
        self._outbox.save()

    def recall(self, neighbor: Neighbor, prefix: Prefix, until: float) -> None:
        """Let a prefix end at ``until``, unless it is granted again before that."""
        delegation = neighbor.prefixes[prefix]
        if until < delegation.expires:
            self._neighbors.grant(neighbor, prefix, delegation.iaid, until)
            self._outbox.save()

    def set_link(self, neighbor: Neighbor, link: Link, anew: bool = False) -> None:
        """Note where the Client was heard on a link; Preference 0 only disables it (O-42).

        A Client that begins ``anew`` tells of all its links again.  It may never have got the answer to what
        it told before, and then does not know which of its links to take back.
        """
        if anew:
            self._neighbors.replace_links(neighbor, [])
        known = neighbor.links.get(link.link_id)
        if link.preference == 0:
            if known is None:
                return
            link = Link(link.link_id, 0, known.address, known.local)
        if neighbor.other_server:
            # It has come back before it was gone.
            neighbor.other_server = False
            self._neighbors.replace_links(neighbor, [])
            for prefix in neighbor.prefixes:
                self._announcements.stay(prefix)
        # A Client has one association here, with one of our addresses: it takes nothing from the others, so
        # what it told those, of another association that it gave up, would lead nowhere.
        links = neighbor.links.values()
        if any(each.local != link.local for each in links):
            self._neighbors.replace_links(neighbor, [each for each in links if each.local == link.local])
        self._neighbors.set_link(neighbor, link)
        neighbor.choose_path(self._underlays)
        self._outbox.save()

    def disables_last_link(self, duid: bytes, link_id: int) -> bool:
        """Whether a Preference 0 for ``link_id`` would leave the Client without link."""
        neighbor = self._clients.get(duid)
        return neighbor is not None and all(link.link_id == link_id for link in neighbor.enabled_links)

    def due(self) -> float | None:
        times = (self._neighbors.next_expiry(), self._announcements.due())
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """End what has expired, and follow with what is announced."""
        for neighbor, prefix in self._neighbors.expired(now):
            self._end(neighbor, prefix, now)
        self._announcements.handle_timer(now)

    def _end(self, neighbor: Neighbor, prefix: Prefix, now: float) -> None:
        self._neighbors.revoke(neighbor, prefix)
        self._granted.pop(prefix, None)
        self._forwarding.routes.pop(prefix)
        self._announcements.end(prefix, neighbor.other_server, now)
        if not neighbor.prefixes:
            self._neighbors.remove(neighbor)
            # A configured Client, whose prefix the table gave to another one, is not among them.
            self._clients.pop(neighbor.client_id, None)
        elif neighbor.link_local == prefix.aero_address:
            neighbor.link_local = next(iter(neighbor.prefixes)).aero_address
        self._outbox.save()

    # Over a restart, and for the operator

    def saved_state(self, now: float) -> list[dict[str, Any]]:
        """Return all Clients; times are seconds from ``now``."""
        return [
            {
                "client_id": duid.hex(),
                "prefixes": [
                    {"prefix": str(prefix), "iaid": d.iaid, "valid_in": d.expires - now}
                    for prefix, d in neighbor.prefixes.items()
                ],
                "links": [
                    {
                        "link_id": link.link_id,
                        "preference": link.preference,
                        "address": link.address.text,
                        "port": link.address.port,
                        "local": address_text(link.local),
                    }
                    for link in neighbor.links.values()
                ],
                "moved": neighbor.other_server,
            }
            for duid, neighbor in self._clients.items()
        ]

    def restore(self, saved: list[dict[str, Any]], asps: tuple[Prefix, ...], then: float, now: float) -> None:
        """Take up the Clients that :meth:`saved_state` gave at the time ``then``."""
        for entry in saved:
            duid = bytes.fromhex(entry["client_id"])
            for lease in entry["prefixes"]:
                prefix, expires = Prefix.parse(lease["prefix"]), then + lease["valid_in"]
                if expires > now and any(asp.covers(prefix) for asp in asps):
                    self.grant(duid, prefix, lease["iaid"], expires, now)
            neighbor = self._clients.get(duid)
            if neighbor is not None:
                neighbor.other_server = entry.get("moved", False)
                for link in entry["links"]:
                    self._neighbors.set_link(neighbor, _link(link))

    def held_down(self, now: float) -> list[dict[str, Any]]:
        """Return the prefixes whose announcement waits, as ``aeroctl damping`` shows them."""
        return [
            {
                "prefix": str(prefix),
                "client": address_text(self._neighbors.holder(prefix).link_local),
                "client_id": self._neighbors.holder(prefix).client_id.hex(),
                "ended": ended,
                "announced_in": left,
            }
            for prefix, ended, left in self._damping.held(now)
        ]

    def describe(self, now: float) -> list[dict[str, Any]]:
        """Return the leases as ``aeroctl leases`` shows them at a Server."""
        return [
            {
                "client": address_text(neighbor.link_local),
                "client_id": duid.hex(),
                "prefixes": [str(prefix) for prefix in neighbor.prefixes],
                "link": neighbor.path.remote.text if neighbor.path else None,
                "valid_in": neighbor.expires - now,
                "moved": neighbor.other_server,
            }
            for duid, neighbor in self._clients.items()
        ]


def _iaids(neighbor: Neighbor) -> set[int]:
    return {delegation.iaid for delegation in neighbor.prefixes.values()}


def _link(saved: dict[str, Any]) -> Link:
    address = LinkLayerAddress.parse(saved["address"], saved["port"])
    return Link(saved["link_id"], saved["preference"], address, parse_address(saved["local"]))
