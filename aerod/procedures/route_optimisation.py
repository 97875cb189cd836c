# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client's leave to send straight to others: asking for it, getting it, losing it (draft 3.17).

A packet that leaves through the Server starts a :class:`Course`: Predirects are sent toward its
destination, at most one a second, three, then none for 30 s (O-34).  A Redirect makes the course a
tested one, the first answer to a Neighbor Solicitation a direct one (O-40); see ``reachability``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from aerod.address import Prefix, is_link_local
from aerod.procedures.attachment import Attachment, ToldLinks
from aerod.procedures.dynamic_entries import DynamicEntries
from aerod.procedures.reachability import Reachability
from aerod.procedures.redirection import (
    NONCE_LENGTH,
    aero_address_of,
    control_room,
    pack_redirection,
    sender_prefix,
    target_options,
    told_links,
)
from aerod.procedures.timestamps import WallClock
from aerod.state.correspondents import ASKING, TESTING, Correspondent, Course
from aerod.state.counters import Counters
from aerod.state.neighbors import Neighbor
from aerod.state.prefix_map import PrefixMap, is_aero_link_local, unembed
from aerod.state.shortcuts import Shortcuts, Way
from aerod.state.underlays import Path
from aerod.wire import nd
from aerod.wire.errors import MalformedPacket
from aerod.wire.ip import IPHeader
from aerod.wire.nd_options import Nonce

# Seconds and numbers of O-34.
INTERVAL = 1.0
TRIES = 3
SILENCE = 30.0
# Ours: a Client that scans an ASP shall not burden the Servers, nor its own memory.
MOST_A_SECOND = 20
MOST_COURSES = 2048
# How long a course without traffic is remembered, and an answer that does not change.
_REMEMBERED = 60.0
_UNCHANGING = 60.0
_UNKNOWN_LENGTH = {True: 128, False: 64}

NO_FAMILY = "no common IP family"
_NOT_TOLD = "no Server knows the addresses of this Client yet"


class RouteOptimisation:
    """The courses of a Client.

    ``send(packet, path)`` encapsulates a message of ours; ``outside(destination, now)`` is told of
    16-byte destinations outside every ASP, once in a while.
    """

    def __init__(
        self,
        attachment: Attachment,
        entries: DynamicEntries,
        reachability: Reachability,
        clock: WallClock,
        counters: Counters,
        random: Random,
        send: Callable[[bytes, Path], None],
        outside: Callable[[bytes, float], None],
        enabled: bool,
    ) -> None:
        self._attachment = attachment
        self._entries = entries
        self._reachability = reachability
        self._clock = clock
        self._counters = counters
        self._random = random
        self._send = send
        self._outside = outside
        self.enabled = enabled
        self.max_retry = reachability.max_retry
        self._courses: dict[Prefix, PrefixMap[Course]] = {}
        self._asked: dict[bytes, Course] = {}
        self._second, self._sent = 0, 0
        self.shortcuts = Shortcuts(self._find)

    # For packets

    def course(self, own: Prefix, address: int) -> Course | None:
        """Return the course from an own ACP to a 128-bit address."""
        courses = self._courses.get(own)
        return courses.lookup(address) if courses is not None else None

    def courses_to(self, address: int) -> list[Course]:
        """Return the course from each own ACP to a 128-bit address, an AERO address too."""
        key = unembed(address) if is_aero_link_local(address) else address
        found = (courses.lookup(key) for courses in self._courses.values())
        return [course for course in found if course is not None]

    def courses(self) -> Iterable[Course]:
        for courses in self._courses.values():
            for _prefix, course in courses.items():
                yield course

    def _find(self, server: Neighbor, packet: bytes, header: IPHeader, now: float) -> Way:
        """Say where a packet goes that would go to ``server``, and ask for more if it is time."""
        attachment = self._attachment
        address = int.from_bytes(header.destination, "big")
        own = attachment.own_prefix(int.from_bytes(header.source, "big"))
        embeds = is_link_local(header.destination)
        course = own and self.course(own, unembed(address) if embeds else address)
        if course is not None and course.state != ASKING:
            return self._reachability.used(course, now)
        if own is None or embeds:
            return now + _UNCHANGING, None
        if not any(asp.contains(address) for asp in attachment.asps):
            self._outside(header.destination, now)
            return now + _UNCHANGING, None
        if not self.enabled:
            return now + _UNCHANGING, None
        return self._ask(course or self._begin(own, address, now), server, packet, header, now), None

    def _begin(self, own: Prefix, address: int, now: float) -> Course:
        """Note a new destination; its ACP is at least so long, and shorter ones replace it later."""
        length = _UNKNOWN_LENGTH[address >> 32 == 0xFFFF]
        return Course(own, Prefix.masked(address, length), now)

    def _ask(self, course: Course, server: Neighbor, packet: bytes, header: IPHeader, now: float) -> float:
        """Send a Predirect if one may be sent now; return when to come again."""
        if now < course.next_try:
            return course.next_try
        if not self._may_send(now) or not self._keep(course, now):
            self._counters["predirects_suppressed"] += 1
            return now + INTERVAL
        told = self._attachment.told(server)
        if not told or server.path is None:
            course.why = _NOT_TOLD
            return now + INTERVAL
        self._predirect(course, told, server.path, packet, header, now)
        return course.next_try

    def _keep(self, course: Course, now: float) -> bool:
        """Enter a course into the table; False if that is full."""
        courses = self._courses.setdefault(course.own, PrefixMap())
        if courses.get(course.prefix) is course:
            return True
        if sum(map(len, self._courses.values())) >= MOST_COURSES:
            self.tidy(now)
            if sum(map(len, self._courses.values())) >= MOST_COURSES:
                return False
        courses[course.prefix] = course
        return True

    def tidy(self, now: float) -> None:
        """Forget what nobody has used for long."""
        for course in list(self.courses()):
            if course.state == ASKING and course.next_try + _REMEMBERED <= now:
                self._remove(course)

    def _may_send(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._sent = int(now), 0
        self._sent += 1
        return self._sent <= MOST_A_SECOND

    def _predirect(
        self,
        course: Course,
        told: ToldLinks,
        path: Path,
        packet: bytes,
        header: IPHeader,
        now: float,
    ) -> None:
        """Ask the owner of the destination, whoever that is, for leave to send straight to it."""
        if course.tries >= TRIES or now - course.asked > SILENCE:
            self._forget_nonces(course)
            course.tries = 0
        nonce = self._random.randbytes(NONCE_LENGTH)
        message = pack_redirection(
            nd.Predirect,
            course.own,
            aero_address_of(header.destination),
            header.source,
            [*target_options(told), self._clock.stamp(now), Nonce(nonce)],
            bytes(packet),
            control_room(path),
        )
        course.tries += 1
        course.asked = now
        course.why = ""
        course.destination = header.destination
        course.told = told
        course.next_try = now + INTERVAL + (SILENCE if course.tries == TRIES else 0)
        course.nonces.append(nonce)
        self._asked[nonce] = course
        self._counters["predirects_sent"] += 1
        self._send(message, path)

    # For answers

    def redirected(self, message: nd.Redirect, source: bytes, now: float) -> None:
        """Take the answer to one of our Predirects, that a Server brought; MalformedPacket if it is wrong."""
        nonce = message.find(Nonce)
        course = self._asked.get(nonce.value) if nonce else None
        if course is None or now - course.asked > SILENCE:
            self._counters.drop("nd_nonce")
            return
        prefix = sender_prefix(message, source, self._attachment.asps)
        if not prefix.contains(course.destination) or self.overlaps_own(prefix):
            raise MalformedPacket(f"redirection: {prefix} is not what was asked for")
        if not self._entries.is_fresh(message, source, now):
            return
        links = told_links(message)
        if self._attachment.direct_path(links, course.told) is None:
            # Nothing of it is kept (draft section 3.23).
            self._rest(course, NO_FAMILY, now)
            self._counters.drop("no_common_family")
            return
        entry = self._entries.introduce(prefix, links, now)
        self._entries.note_time(message, entry, now)
        self._counters["redirects_taken"] += 1
        self._take(course, prefix, entry, now)

    def out_of_reach(self, own: Prefix, prefix: Prefix, now: float) -> None:
        """Do not ask a peer that has asked ``own`` itself, and told links that none of ours reaches.

        Each of the two ignores what the other sends (draft section 3.23).
        """
        inside = [c for c in self.courses() if c.own == own and prefix.covers(c.prefix)]
        if not self.enabled or any(course.state != ASKING for course in inside):
            return
        for course in inside:
            self._remove(course)
        course = Course(own, prefix, min((course.since for course in inside), default=now))
        if self._keep(course, now):
            self._rest(course, NO_FAMILY, now)

    def overlaps_own(self, prefix: Prefix) -> bool:
        """Whether somebody else's prefix has to do with one of ours."""
        return any(own.covers(prefix) or prefix.covers(own) for own in self._attachment.own_prefixes)

    def _take(self, course: Course, prefix: Prefix, entry: Correspondent, now: float) -> None:
        """Let the course lead to the whole prefix of the correspondent, in place of all others there."""
        others = [c for c in self.courses() if c.own == course.own and prefix.covers(c.prefix)]
        for other in others:
            self._remove(other)
        course.prefix, course.correspondent = prefix, entry
        course.state, course.since = TESTING, now
        entry.told = course.told
        entry.courses[course.own] = course
        self._courses.setdefault(course.own, PrefixMap())[prefix] = course
        self.choose_path(entry)
        self._reachability.begin(course, now)
        for other in others:
            if other is not course:
                self._leave(other)
        self.shortcuts.forget()

    def choose_path(self, entry: Correspondent) -> None:
        """Set the path to the correspondent, from a link that it was told of."""
        entry.path = self._attachment.direct_path(entry.links.values(), entry.told)

    # The end of a course

    def _rest(self, course: Course, why: str, now: float) -> None:
        """Ask nobody for a while."""
        self._forget_nonces(course)
        course.why = why
        course.asked = now
        course.tries = TRIES
        course.next_try = now + SILENCE
        self.shortcuts.forget()

    def ended(self, course: Course, why: str, now: float) -> None:
        """Send through the Server again: at once to be asked anew, or after a rest if ``why`` says so."""
        self._leave(course)
        course.since = now
        if why:
            self._rest(course, why, now)
        else:
            self._remove(course)
        self.shortcuts.forget()

    def _leave(self, course: Course) -> None:
        """ForwardTime is 0."""
        entry, course.correspondent = course.correspondent, None
        course.state = ASKING
        course.forward_until = 0.0
        course.retries = 0
        self._reachability.stop(course)
        if entry is not None and entry.courses.get(course.own) is course:
            del entry.courses[course.own]
            self._entries.settle(entry)

    def _remove(self, course: Course) -> None:
        self._forget_nonces(course)
        self._reachability.stop(course)
        courses = self._courses.get(course.own)
        if courses is not None and courses.get(course.prefix) is course:
            courses.pop(course.prefix)
            if not len(courses):
                del self._courses[course.own]

    def _forget_nonces(self, course: Course) -> None:
        for nonce in course.nonces:
            self._asked.pop(nonce, None)
        course.nonces.clear()

    def entry_removed(self, entry: Correspondent) -> None:
        """End what led to an entry that is there no more."""
        for course in list(entry.courses.values()):
            self._leave(course)
            self._remove(course)
        self.shortcuts.forget()

    # What changes at this Client

    def prefixes_changed(self, now: float) -> None:
        """End what came from ACPs that are ours no longer, or leads to what now is ours."""
        own = set(self._attachment.own_prefixes)
        for course in list(self.courses()):
            if course.own not in own or self.overlaps_own(course.prefix):
                self.ended(course, "", now)
        for entry in self._entries:
            if self.overlaps_own(entry.prefix):
                self._entries.remove(entry)
        self.shortcuts.forget()

    def links_changed(self, now: float) -> None:
        """Follow changed underlays and Servers."""
        for entry in self._entries:
            self.follow(entry, now)
        self.shortcuts.forget()

    def follow(self, entry: Correspondent, now: float) -> None:
        """Follow changed links at either end: where the path is another one, it is tested anew.

        A link that the correspondent was not told of is none to send from: it would not accept.
        """
        before = entry.path
        self.choose_path(entry)
        for course in list(entry.courses.values()):
            if entry.path is None:
                self.ended(course, "", now)
            elif entry.path != before:
                self._reachability.suspect(course, now)
        self.shortcuts.forget()
