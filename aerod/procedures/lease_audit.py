# SPDX-License-Identifier: GPL-3.0-or-later
"""A Server's neighbor entries held against the leases of its DHCPv6 server.

Both are made and ended by the same messages, so they differ only when one of the two lost something:
it was killed before it had saved, its disk was full, or an operator's hand was in the leases.  Then
the Client's word counts: a neighbor without lease is recalled, which makes the Client renew.  A lease
that has had no neighbor for two looks is ended: a Client that still wants it gets it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aerod.address import Prefix
from aerod.interface import EndLease
from aerod.procedures.bindings import Bindings
from aerod.procedures.leave_signal import LeaveSignal
from aerod.procedures.recall import GRACE, recall
from aerod.state.outbox import Outbox

# A DHCPv6 server that lost all its leases shall not lose all its Clients at once.
_AT_ONCE = 100
_SAMPLE = 5


class LeaseAudit:
    """Compares, draws the consequences, and remembers what it found for the operator."""

    def __init__(self, bindings: Bindings, signal: LeaveSignal, outbox: Outbox) -> None:
        self._bindings = bindings
        self._signal = signal
        self._outbox = outbox
        self._orphans: frozenset[Prefix] = frozenset()
        self._found: dict[str, Any] | None = None
        self._at = 0.0

    def compare(self, leases: Mapping[Prefix, bytes], started: float, now: float) -> None:
        """Take the DUIDs of all leases, which have been read since ``started``."""
        held = self._bindings.held()
        without_lease = [
            prefix
            for prefix, binding in held.items()
            # What was granted since may lack, what is about to end anyway does.
            if leases.get(prefix) != binding.duid
            and binding.granted < started
            and binding.expires > now + GRACE
        ]
        orphans = frozenset(prefix for prefix in leases if prefix not in held)
        lasting = sorted(orphans & self._orphans)
        self._orphans = orphans
        self._found = {
            "leases": len(leases),
            "neighbors_without_lease": _summary(without_lease),
            "leases_without_neighbor": _summary(lasting),
        }
        self._at = now
        if without_lease:
            self._outbox.warning(f"{len(without_lease)} neighbors have no lease, such as {without_lease[0]}")
            recall(without_lease[:_AT_ONCE], self._bindings, self._signal, now)
        if lasting:
            self._outbox.warning(f"{len(lasting)} leases have no neighbor, such as {lasting[0]}")
        self._outbox.actions += [EndLease(prefix) for prefix in lasting[:_AT_ONCE]]

    def found(self, now: float) -> dict[str, Any] | None:
        """Return what the last look found, None if there was none."""
        return self._found and self._found | {"age": now - self._at}


def _summary(prefixes: Collection[Prefix]) -> dict[str, Any]:
    return {"count": len(prefixes), "sample": [str(prefix) for prefix in list(prefixes)[:_SAMPLE]]}
