# SPDX-License-Identifier: GPL-3.0-or-later
"""One DHCPv6 transaction of a Client with its retransmissions (RFC 8415 section 15)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from aerod.interface import Underlay
from aerod.wire.dhcpv6 import ADVERTISE, REBIND, RELEASE, RENEW, REPLY, REQUEST, SOLICIT

_LONGEST_ELAPSED = 0xFFFF


@dataclass(frozen=True, slots=True)
class Timing:
    """Initial and longest retransmission time in seconds, and how often at most (0 = no limit)."""

    initial: float
    longest: float
    count: int = 0


# RFC 8415 section 7.6.  A Release is repeated until a Reply comes (O-43).
TIMINGS = {
    SOLICIT: Timing(1, 3600),
    REQUEST: Timing(1, 30, 10),
    RENEW: Timing(10, 600),
    REBIND: Timing(10, 600),
    RELEASE: Timing(1, 30),
}
# A Rebind because a link-layer address changed cannot wait ten seconds (O-27).
HANDOVER = Timing(1, 30)
# How soon at least after another an early repetition may come; doubled each time, up to IRT.
_EARLY = 0.01

ANSWERS = {
    SOLICIT: frozenset({ADVERTISE, REPLY}),
    REQUEST: frozenset({REPLY}),
    RENEW: frozenset({REPLY}),
    REBIND: frozenset({REPLY}),
    RELEASE: frozenset({REPLY}),
}


@dataclass(slots=True)
class Signatures:
    """The first and the last replay time the messages of an exchange were signed with (O-26)."""

    first: int
    last: int


class Exchange:
    """A message type with its transaction ID, and when to send it next.

    It goes out over ``underlay`` and tells the Server about the link ``link_id`` with
    ``preference``, which is another link only when that one is given up (Preference 0).
    """

    def __init__(
        self,
        kind: int,
        underlay: Underlay,
        random: Random,
        start: float,
        timing: Timing | None = None,
        departing: int | None = None,
    ) -> None:
        self.kind = kind
        self.go_over(underlay)
        if departing is not None:
            self.link_id, self.preference = departing, 0
        self.transaction_id = random.randrange(1 << 24)
        self.transmissions = 0
        self.due = start
        self.signatures: Signatures | None = None
        self._timing = timing or TIMINGS[kind]
        self._longest = self._timing.longest
        self._random = random
        self._interval = 0.0
        self._began: float | None = None
        self._early = 0.0
        self._repeats = False

    def go_over(self, underlay: Underlay) -> None:
        """Send, from now on, over this underlay, and tell of it."""
        self.underlay = underlay
        self.link_id = underlay.link_id
        self.preference = underlay.preference

    @property
    def is_handover(self) -> bool:
        return self._timing is HANDOVER

    @property
    def exhausted(self) -> bool:
        """Whether the last answer permitted by the transmission count is overdue, once ``due``."""
        return 0 < self._timing.count <= self.transmissions

    def transmitted(self, now: float) -> int:
        """Note a transmission; return its elapsed time in hundredths of a second."""
        if self._began is None:
            self._began = now
        if not self._repeats:
            self._interval = self._next_interval()
            self.transmissions += 1
        self._repeats = False
        self.due = now + self._interval
        return min(_LONGEST_ELAPSED, int((now - self._began) * 100))

    def wait_at_most(self, seconds: float, now: float) -> None:
        """Let no more than that, give or take a tenth, pass between two transmissions from now on."""
        self._longest = seconds
        self.due = min(self.due, now + seconds)

    def repeat_soon(self, now: float) -> None:
        """The last transmission may never have left this host: repeat it, as if it had not been."""
        if self.transmissions and now + self._early < self.due:
            self._repeats = True
            self.due = now + self._early
            self._early = min(max(_EARLY, 2 * self._early), self._timing.initial)

    def _next_interval(self) -> float:
        if not self.transmissions:
            # A Solicit's first wait must be longer than IRT (RFC 8415 section 18.2.1).
            least = 0.0 if self.kind == SOLICIT else -0.1
            return self._timing.initial * (1 + self._random.uniform(least, 0.1))
        doubled = self._interval * (2 + self._random.uniform(-0.1, 0.1))
        if doubled > self._longest:
            return self._longest * (1 + self._random.uniform(-0.1, 0.1))
        return doubled
