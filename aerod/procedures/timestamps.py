# SPDX-License-Identifier: GPL-3.0-or-later
"""Timestamps of ND messages: made from the wall clock, and checked (RFC 3971 section 5.3.4)."""

from __future__ import annotations

from aerod.wire.nd_options import Timestamp

# In seconds; the drift is a share.
DELTA = 300.0
FUZZ = 1.0
DRIFT = 0.01

_FRACTION = 1 << 16
_MASK = (1 << 64) - 1


class WallClock:
    """``offset`` is what to add to the core's times to get seconds since 1970; the shell sets it."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def stamp(self, now: float) -> Timestamp:
        """Return the Timestamp option for a message sent now."""
        return Timestamp(int((now + self.offset) * _FRACTION) & _MASK)

    def is_fresh(self, stamp: Timestamp, last: tuple[float, float] | None, now: float) -> bool:
        """Whether a peer may have sent ``stamp`` just now.

        ``last`` is its last Timestamp and when that came, None on first contact.
        """
        sent = stamp.value / _FRACTION
        if last is None:
            return abs(now + self.offset - sent) < DELTA
        before, received = last
        return sent + FUZZ > before + (now - received) * (1 - DRIFT) - FUZZ
