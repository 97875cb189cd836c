# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a Client asks to become one of its Servers, and whom it gives up (sections 3.15.2 and 3.24)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from aerod.address import LinkLayerAddress
from aerod.procedures.association import PATIENCE, SOLICITING, Association
from aerod.procedures.candidates import Candidate, Candidates


class Seeking:
    """Adds to ``associations``, and takes from them, until there are ``count``.

    ``make(address)`` returns an association that has asked for nothing yet.
    """

    def __init__(
        self,
        candidates: Candidates,
        associations: list[Association],
        count: int,
        random: Random,
        make: Callable[[LinkLayerAddress], Association],
    ) -> None:
        self._candidates = candidates
        self._associations = associations
        self._count = count
        self._random = random
        self._make = make
        self._stopped = False
        # Servers given up that may still answer the last Solicit, and by that commit to a lease.
        self.given_up: dict[LinkLayerAddress, Association] = {}

    def stop(self) -> None:
        """No more Servers are wanted; whoever was asked may still grant what was asked for."""
        self._stopped = True
        self._candidates.stop()
        self.given_up |= {a.server: a for a in self._associations if not (a.leases or a.seeks)}
        self._associations[:] = [a for a in self._associations if a.leases]

    @property
    def missing(self) -> int:
        """How many associations are missing; one out of reach may come back, but does not count."""
        have = sum(association.stays for association in self._associations)
        return 0 if self._stopped else self._count - have

    def ready(self, now: float) -> list[Candidate]:
        """The candidates that can be asked now."""
        return [candidate for candidate in self._untried() if candidate.not_before <= now]

    def _untried(self) -> list[Candidate]:
        """The candidates that are no Server of ours and that some underlay can reach.

        Where one of our Servers is not heard any more, it may be at another of its addresses.
        """
        used = {association.server for association in self._associations}
        ours = {a.link_local for a in self._associations if a.reachable and not (a.silent or a.hopeless)}
        return self._candidates.free(used, ours)

    def due(self) -> float | None:
        """When the next candidate can be asked, if one is to be."""
        waiting = self._untried() if self.missing > 0 else ()
        return min((candidate.not_before for candidate in waiting), default=None)

    def fill(self, now: float) -> None:
        """Start associations until there are enough."""
        for candidate in self.ready(now)[: max(0, self.missing)]:
            # Clients that lost power together shall not start together (RFC 8415 section 18.2.1).
            self._start(candidate.address, now, self._random.random())
        if self.missing > 0:
            # Perhaps the Servers are elsewhere by now, or there are others.
            self._candidates.ask(now)

    def ask(self, server: LinkLayerAddress, now: float) -> None:
        """Associate with the Server at an address, if it is a candidate, beyond those that are wanted.

        As there are too many then, it is left in order (section 3.19.4), and with it what it announces of us.
        """
        if not self._stopped and any(candidate.address == server for candidate in self.ready(now)):
            self._start(server, now)

    def _start(self, server: LinkLayerAddress, now: float, delay: float = 0.0) -> None:
        association = self.associate(server)
        association.solicit(now, delay)
        self._associations.append(association)

    def associate(self, server: LinkLayerAddress) -> Association:
        """Return a new association with the Server at an address; the first may commit at once (O-28)."""
        self.given_up.pop(server, None)
        association = self._make(server)
        association.rapid = not self._associations
        return association

    def found(self, association: Association) -> None:
        """A Server grants, so there is no hurry to have another: that proves first that its answers come."""
        for other in self._associations:
            other.rapid &= other is association

    def give_up(self, now: float) -> None:
        """Take out whoever does not hear our Solicits, where there are others to be asked."""
        for association in list(self._associations):
            if association.state != SOLICITING or association.unanswered <= PATIENCE:
                continue
            if association.leases and not any(other.usable for other in self._associations):
                continue
            if self.missing > 0 and not self.ready(now):
                continue
            self._associations.remove(association)
            if not association.seeks:
                self.given_up[association.server] = association
            self._candidates.silent(association.server, association.longest_wait, now)
