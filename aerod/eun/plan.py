# SPDX-License-Identifier: GPL-3.0-or-later
"""What an end user network is told about the Client's prefixes, now and after their loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from aerod.address import Prefix

# Hosts do not believe an unauthenticated cut below two hours (RFC 4862 section 5.5.3 e), so a lost
# prefix is advertised as deprecated for that long.
LONGEST_DEPRECATION = 7200.0  # seconds
# How often hosts get a new, shorter valid lifetime of what is deprecated.
_REFRESH = 600.0  # seconds


class LeasedSubnet(NamedTuple):
    """The part of an ACP that is on the EUN link; times are seconds since the epoch."""

    subnet: Prefix
    preferred_until: float
    valid_until: float


@dataclass(slots=True)
class Plan:
    """Follows the leases: ``current`` is in use, ``deprecated`` only advertised as going away.

    ``deprecated`` maps an IPv6 subnet to the end of its valid lifetime, in seconds since the epoch.
    """

    current: tuple[LeasedSubnet, ...] = ()
    deprecated: dict[Prefix, float] = field(default_factory=dict)

    def lease(self, subnets: tuple[LeasedSubnet, ...], now: float) -> None:
        """Take all subnets that are leased from now on; the others are lost."""
        self.withdraw({lost.subnet: lost.valid_until for lost in self.current}, now)
        self.current = tuple(subnet for subnet in subnets if subnet.valid_until > now)
        for subnet in self.current:
            self.deprecated.pop(subnet.subnet, None)

    def withdraw(self, valid_until: dict[Prefix, float], now: float) -> None:
        """Deprecate subnets that hosts may have addresses in; IPv4 ones cannot be."""
        for subnet, until in valid_until.items():
            if not subnet.is_ipv4:
                self.deprecated[subnet] = min(max(until, now), now + LONGEST_DEPRECATION)

    def expire(self, now: float) -> None:
        """Lose what was not renewed in time, forget what was deprecated long enough."""
        if any(subnet.valid_until <= now for subnet in self.current):
            self.lease(self.current, now)
        self.deprecated = {subnet: until for subnet, until in self.deprecated.items() if until > now}

    def next_change(self, now: float) -> float | None:
        """When hosts have to be told something new, in seconds since the epoch."""
        times = [time for leased in self.current for time in leased[1:] if time > now]
        if self.deprecated:
            times += [*self.deprecated.values(), now + _REFRESH]
        return min(times, default=None)
