# SPDX-License-Identifier: GPL-3.0-or-later
"""The prefixes that Servers delegated to a Client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aerod.address import Prefix


@dataclass(slots=True)
class Lease:
    """A delegated prefix with the times its lifetimes end."""

    prefix: Prefix
    preferred: float
    valid: float


def longest(leases: Iterable[Lease]) -> tuple[Lease, ...]:
    """Return each prefix once, with the longest lifetimes any Server gave it."""
    found: dict[Prefix, Lease] = {}
    for lease in leases:
        other = found.setdefault(lease.prefix, replace(lease))
        other.preferred = max(other.preferred, lease.preferred)
        other.valid = max(other.valid, lease.valid)
    return tuple(found[prefix] for prefix in sorted(found))
