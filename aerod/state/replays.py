# SPDX-License-Identifier: GPL-3.0-or-later
"""The last replay time of each Client that proved who it is: no message is taken twice (O-26).

Times here are NTP times in units of 2**-32 s as whole numbers that do not wrap in 2036.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aerod.wire.dhcpv6_authentication import NTP_FRACTION

# How far a Client's clock may be from ours, in seconds and in units.
WINDOW = 300
_WINDOW = WINDOW * NTP_FRACTION
_WRAP, _HALF = 1 << 64, 1 << 63
# Below so many entries nobody looks for those that are over.
_FEW = 1024


def nearest(replay: int, now: int) -> int:
    """Return the time nearest to ``now`` whose last 64 bits are ``replay``."""
    return now + (replay - now + _HALF) % _WRAP - _HALF


def is_stale(time: int, now: int) -> bool:
    """Whether a message of ``time`` is not believed, be it old or the clock wrong."""
    return abs(time - now) > _WINDOW


@dataclass(slots=True)
class _Last:
    """``ahead`` is how much the Client's clock was ahead of ours."""

    time: int
    ahead: int
    key_id: int


class Replays:
    """What was accepted is kept with the lease, and without one as long as the time would still be taken.

    So there are never more entries than Clients that hold a key.  ``has_lease(duid)`` tells of leases.
    """

    def __init__(self, has_lease: Callable[[bytes], bool]) -> None:
        self._has_lease = has_lease
        self._last: dict[bytes, _Last] = {}
        self._limit = _FEW

    def __len__(self) -> int:
        return len(self._last)

    def holds(self, duid: bytes, time: int, started: int) -> bool:
        """Whether a message of ``time`` was here before, or may have been.

        What was accepted in the moments before a crash is not in the saved state.  So whatever was
        made before we ``started`` is old, by the Client's clock as far as we know that.
        """
        last = self._last.get(duid)
        return time <= (started if last is None else max(last.time, started + last.ahead))

    def note(self, duid: bytes, time: int, key_id: int, now: int) -> None:
        """Remember the time of a message that was accepted."""
        self._last[duid] = _Last(time, time - now, key_id)
        if len(self._last) > self._limit:
            self.forget(now)

    def forget(self, now: int) -> None:
        """Drop what neither a lease nor the window needs."""
        over = [
            duid for duid, last in self._last.items()
            if last.time < now - _WINDOW and not self._has_lease(duid)
        ]  # fmt: skip
        for duid in over:
            del self._last[duid]
        self._limit = max(_FEW, 2 * len(self._last))

    def clients_by_key(self) -> dict[int, int]:
        """Return how many Clients with a lease were last heard with each key."""
        return dict(Counter(last.key_id for duid, last in self._last.items() if self._has_lease(duid)))

    def saved_state(self, now: int) -> dict[str, list[int]]:
        self.forget(now)
        return {duid.hex(): [last.time, last.ahead, last.key_id] for duid, last in self._last.items()}

    def restore(self, saved: dict[str, Any]) -> None:
        for duid, (time, ahead, key_id) in saved.items():
            self._last[bytes.fromhex(duid)] = _Last(int(time), int(ahead), int(key_id))
