# SPDX-License-Identifier: GPL-3.0-or-later
"""Which destinations outside the link are on an AERO link of their own: asked in the DNS (draft 3.22).

The name is made from the 16 nibbles of the destination's /64; its PTR record names the domain of the
correspondent's link.  IPv4 has no such names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aerod.address import MAPPED_PREFIX, Prefix
from aerod.interface import FindCapability
from aerod.state.outbox import Outbox

# Seconds an answer is kept, whatever the DNS says, and how long no answer is.
SHORTEST, LONGEST = 60.0, 86400.0
UNANSWERED = 60.0
# Ours: somebody who scans the Internet shall not burden the name servers, nor this memory.
MOST_A_SECOND = 10
MOST_KEPT = 4096

_GLOBAL_UNICAST = Prefix.parse("2000::/3")


def capability_name(destination: bytes, suffix: str) -> str:
    """Return the name to ask for about a 16-byte IPv6 destination."""
    return ".".join(reversed(destination[:8].hex())) + "." + suffix


@dataclass(slots=True)
class _Known:
    until: float
    domain: str | None = None
    waiting: bool = True


class Capabilities:
    """What the DNS told about destinations' prefixes; asks only if ``enabled``."""

    def __init__(self, suffix: str, enabled: bool, outbox: Outbox) -> None:
        self._suffix = suffix
        self._enabled = enabled
        self._outbox = outbox
        self._known: dict[bytes, _Known] = {}
        self._second, self._asked = 0, 0

    def outside(self, destination: bytes, now: float) -> None:
        """A packet goes to a 16-byte destination outside every ASP: find out about it, if not known."""
        if not self._enabled or destination.startswith(MAPPED_PREFIX):
            return
        known = self._known.get(destination[:8])
        if (known is None or known.until <= now) and _GLOBAL_UNICAST.contains(destination):
            self._ask(destination, now)

    def _ask(self, destination: bytes, now: float) -> None:
        if int(now) != self._second:
            self._second, self._asked = int(now), 0
        if self._asked >= MOST_A_SECOND:
            return
        self._asked += 1
        if len(self._known) >= MOST_KEPT:
            self._known = {key: known for key, known in self._known.items() if known.until > now}
            if len(self._known) >= MOST_KEPT:
                return
        self._known[destination[:8]] = _Known(now + UNANSWERED)
        self._outbox.actions.append(FindCapability(capability_name(destination, self._suffix)))

    def found(self, name: str, domain: str | None, ttl: float | None, now: float) -> None:
        """Take the answer about ``name``: the link's domain, None if there is none; no TTL is no answer."""
        nibbles = name.removesuffix("." + self._suffix).split(".")
        try:
            key = bytes.fromhex("".join(reversed(nibbles)))
        except ValueError:
            return
        if key not in self._known:
            return
        kept = UNANSWERED if ttl is None else min(max(ttl, SHORTEST), LONGEST)
        self._known[key] = _Known(now + kept, domain, waiting=False)

    def domain(self, destination: bytes, now: float) -> str | None:
        """Return the domain of the AERO link that a 16-byte destination is on, None if none is known."""
        known = self._known.get(destination[:8])
        return known.domain if known is not None and known.until > now else None

    def describe(self, now: float) -> list[dict[str, Any]]:
        """Return what is known, for the operator."""
        return [
            {
                "prefix": str(Prefix.masked(key + bytes(8), 64)),
                "domain": known.domain,
                "waiting": known.waiting,
                "expires_in": known.until - now,
            }
            for key, known in sorted(self._known.items())
            if known.until > now
        ]
