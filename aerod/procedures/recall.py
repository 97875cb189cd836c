# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefixes that are no longer their Clients': the table changed while they were leased.

The DHCPv6 server's leases have been ended when this is called.  The Clients are told (D24), and their
Renew brings the truth: what is refused ends at once, what is granted again stays.  What nobody asks
for any more, as the Client is dead or deaf, ends after the grace.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aerod.address import Prefix
from aerod.procedures.bindings import Bindings
from aerod.procedures.leave_signal import INTERVAL, TIMES, LeaveSignal
from aerod.state.neighbors import Neighbor

# From the first signal on: a Client that has heard only the last one still has two seconds.
GRACE = TIMES * INTERVAL + 2.0


def recall(prefixes: Iterable[Prefix], bindings: Bindings, signal: LeaveSignal, now: float) -> dict[str, Any]:
    """Recall those of ``prefixes`` that are leased; return how many these are, of how many Clients."""
    held: dict[Neighbor, set[Prefix]] = {}
    for prefix in prefixes:
        holder = bindings.holder(prefix)
        if holder is not None:
            held.setdefault(holder, set()).add(prefix)
    ends: dict[Neighbor, float] = {}

    def undecided(client: Neighbor) -> bool:
        return any(delegation.expires == ends[client] for delegation in client.prefixes.values())

    for client, recalled in held.items():
        ends[client] = signal.tell(client, now, undecided) + GRACE
        for prefix in recalled:
            bindings.recall(client, prefix, ends[client])
    return {"prefixes": sum(map(len, held.values())), "clients": len(held)}
