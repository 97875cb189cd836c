# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamic neighbors: who may send straight to us, and whom we may send straight to (draft section 3.8).

The two directions are independent.  AcceptTime is that of the neighbor; ForwardTime is kept for
each own ACP, since the neighbor accepts only the ACPs it was told of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aerod.address import Prefix
from aerod.state.neighbors import Neighbor

# What a course is at.
ASKING = "asking"
TESTING = "testing"
DIRECT = "direct"


@dataclass(slots=True, eq=False)
class Course:
    """How packets from the own ACP ``own`` to ``prefix`` go, and what is tried to shorten that.

    ``asking``: through the Server; ``tries`` Predirects were sent, the next not before
    ``next_try``.  ``testing``: redirected, but no NA has come yet.  ``direct``: straight to
    ``correspondent``.  ``why`` is what ended the last course, for the operator.
    """

    own: Prefix
    prefix: Prefix
    since: float
    state: str = ASKING
    used: float = 0.0
    # Asking
    tries: int = 0
    asked: float = 0.0
    next_try: float = 0.0
    destination: bytes = b""
    told: tuple[tuple[int, int, bytes], ...] = ()
    why: str = ""
    # Testing and direct
    correspondent: Correspondent | None = None
    forward_until: float = 0.0
    retries: int = 0
    confirmed: float = 0.0
    solicited: float = 0.0
    solicit_at: float | None = None
    nonces: list[bytes] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Correspondent(Neighbor):
    """A dynamic neighbor; a time of 0.0 has run out.

    ``told`` are our links it was told of, Link ID, Preference and 16-byte address: it accepts
    what comes from these.
    ``stamp`` is the last Timestamp of its and when that came, both in seconds.
    """

    accept_until: float = 0.0
    courses: dict[Prefix, Course] = field(default_factory=dict)
    told: tuple[tuple[int, int, bytes], ...] = ()
    stamp: tuple[float, float] | None = None

    @property
    def prefix(self) -> Prefix:
        return next(iter(self.prefixes))

    @property
    def forward_until(self) -> float:
        return max((course.forward_until for course in self.courses.values()), default=0.0)

    @property
    def retries(self) -> int:
        """MaxRetry: how many solicitations may still go unanswered."""
        return max((course.retries for course in self.courses.values()), default=0)

    @property
    def expires(self) -> float:
        return max(self.accept_until, self.forward_until)
