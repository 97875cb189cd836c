# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a correspondent can still be reached directly: NUD (draft section 3.18)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from aerod.address import LinkLayerAddress
from aerod.procedures.redirection import NONCE_LENGTH, empty_link
from aerod.state.agenda import Agenda
from aerod.state.correspondents import ASKING, DIRECT, TESTING, Correspondent, Course
from aerod.state.counters import Counters
from aerod.state.shortcuts import Way
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.nd_options import SOURCE_LINK_LAYER_ADDRESS, Nonce

RETRANS_TIMER = 1.0
FAILED = "NUD failed"
# While data flows the engine asks this often, so it may be used for what it says a little longer.
_LOOK = 1.0
_FLOWING = 2.0


class Reachability:
    """Solicits those that data goes to directly.

    ``forward_time`` is seconds, ``max_retry`` how many solicitations in a row may go unanswered.
    ``send(packet, path)`` encapsulates a message of ours; ``changed()`` is called when a course
    becomes direct, ``ended(course, why, now)`` when it ends: ``why`` is empty if it just was not used.
    """

    def __init__(
        self,
        forward_time: float,
        max_retry: int,
        counters: Counters,
        random: Random,
        send: Callable[[bytes, Path], None],
        changed: Callable[[], None],
        ended: Callable[[Course, str, float], None],
    ) -> None:
        self._forward_time = forward_time
        self.max_retry = max_retry
        # O-40: two chances to notice a lost answer before ForwardTime runs out.
        self._steady = forward_time / 3
        self._counters = counters
        self._random = random
        self._send = send
        self._changed = changed
        self._ended = ended
        self._agenda: Agenda[Course] = Agenda()

    def begin(self, course: Course, now: float) -> None:
        """A Redirect came: ForwardTime and MaxRetry start, and the first NS goes out at once."""
        self._confirm(course, now)
        course.used = now
        self._solicit(course, now)

    def _confirm(self, course: Course, now: float) -> None:
        course.forward_until = now + self._forward_time
        course.retries = self.max_retry
        course.confirmed = now
        course.nonces.clear()
        self._schedule(course, None)

    def stop(self, course: Course) -> None:
        """ForwardTime is 0: nothing more to do."""
        course.nonces.clear()
        course.solicit_at = None
        self._agenda.set(course, None)

    def used(self, course: Course, now: float) -> Way:
        """Note that data flows; return where it goes and until when that holds."""
        course.used = now
        if course.solicit_at is None and now >= max(course.confirmed + self._steady, self._earliest(course)):
            self._solicit(course, now)
        return now + _LOOK, course.correspondent if course.state == DIRECT else None

    def suspect(self, course: Course, now: float) -> None:
        """Something is wrong there: solicit as soon as that is allowed (draft sections 3.14 and 3.19)."""
        when = max(now, self._earliest(course))
        if course.state != ASKING and (course.solicit_at is None or when < course.solicit_at):
            course.used = now  # as if data were to go there
            self._schedule(course, when)

    def suspect_address(self, entry: Correspondent, remote: LinkLayerAddress, now: float) -> None:
        """The underlay reported that ``remote`` cannot be reached."""
        if entry.path is not None and entry.path.remote == remote:
            for course in list(entry.courses.values()):
                self.suspect(course, now)

    def _earliest(self, course: Course) -> float:
        return course.solicited + RETRANS_TIMER

    def _schedule(self, course: Course, when: float | None) -> None:
        course.solicit_at = when
        end = course.forward_until
        self._agenda.set(course, end if when is None else min(when, end))

    def _solicit(self, course: Course, now: float) -> None:
        """Ask the correspondent over the very path that data takes."""
        entry = course.correspondent
        nonce = self._random.randbytes(NONCE_LENGTH)
        course.nonces.append(nonce)
        course.retries -= 1
        course.solicited = now
        self._schedule(course, now + RETRANS_TIMER)
        if entry.path is None:
            return
        links = [empty_link(SOURCE_LINK_LAYER_ADDRESS, link_id, preference)
                 for link_id, preference, _address in entry.told if link_id == entry.path.link_id]
        options = (*links[:1], Nonce(nonce))
        message = nd.NeighborSolicitation(entry.link_local, options)
        self._counters["solicitations_sent"] += 1
        self._send(nd.pack(message, course.own.aero_address, entry.link_local), entry.path)

    def advertised(self, entry: Correspondent, own_nonce: Nonce | None, now: float) -> None:
        """Take a solicited NA of the correspondent; only one that answers us counts."""
        for course in entry.courses.values():
            if own_nonce is not None and own_nonce.value in course.nonces:
                break
        else:
            self._counters.drop("nd_nonce")
            return
        self._confirm(course, now)
        # The next one goes out while data still flows then.
        self._schedule(course, now + self._steady)
        if course.state == TESTING:
            course.state, course.since = DIRECT, now
            self._changed()

    # Time

    def due(self) -> float | None:
        return self._agenda.next()

    def handle_timer(self, now: float) -> None:
        for course in self._agenda.due(now):
            if now >= course.forward_until:
                self._ended(course, "", now)
            elif course.nonces and course.retries <= 0:
                self._counters["nud_failures"] += 1
                self._ended(course, FAILED, now)
            elif course.nonces or now - course.used <= _FLOWING:
                self._solicit(course, now)
            else:
                self._schedule(course, None)
