# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Client's packets go, and why not straight, in the form ``aeroctl redirects`` shows."""

from __future__ import annotations

from typing import Any

from aerod.address import Prefix, address_text, is_link_local
from aerod.procedures.attachment import Attachment
from aerod.procedures.route_optimisation import INTERVAL, TRIES, RouteOptimisation
from aerod.state.correspondents import DIRECT, TESTING, Course
from aerod.state.neighbors import Neighbor
from aerod.state.prefix_map import unembed

OFF = "route optimisation is off at this Client"
OUTSIDE = "outside every ASP"
OWN = "this Client's own"
NO_DATA = "no packet has gone there lately"
_SILENCE = f"no answer to {TRIES} Predirects: the peer refuses, is silent, or has no common IP family"


class RedirectReport:
    """Tells of the courses of ``optimisation``."""

    def __init__(self, optimisation: RouteOptimisation, attachment: Attachment) -> None:
        self._optimisation = optimisation
        self._attachment = attachment

    def rows(self, primary: Neighbor | None, now: float) -> list[dict[str, Any]]:
        """Return every destination prefix that packets went to lately; each ASP if none ever do go direct."""
        if not self._optimisation.enabled:
            return [_row(str(asp), primary, OFF) for asp in self._attachment.asps]
        self._optimisation.tidy(now)
        courses = sorted(self._optimisation.courses(), key=lambda course: (course.prefix, course.own))
        return [self._describe(course, primary, now) for course in courses]

    def row(self, address: bytes, primary: Neighbor | None, now: float) -> list[dict[str, Any]]:
        """Return what there is to say about packets to one 16-byte address, from each own ACP."""
        number = int.from_bytes(address, "big")
        key = unembed(number) if is_link_local(address) else number
        text = address_text(address)
        if self._attachment.own_prefix(key) is not None:
            return [_row(text, None, OWN)]
        if not any(asp.contains(key) for asp in self._attachment.asps):
            return [_row(text, primary, OUTSIDE)]
        if not self._optimisation.enabled:
            return [_row(text, primary, OFF)]
        courses = self._optimisation.courses_to(number)
        return [self._describe(course, primary, now) for course in courses] or [_row(text, primary, NO_DATA)]

    def _describe(self, course: Course, primary: Neighbor | None, now: float) -> dict[str, Any]:
        row = _row(str(course.prefix), primary, self._reason(course, now), course.own)
        row["since_ago"] = now - course.since
        if course.state == DIRECT:
            row["direct"] = True
            path = course.correspondent.path
            row["via"] = None if path is None else str(path.remote)
        return row

    def _reason(self, course: Course, now: float) -> str:
        """Say why the course is not direct, empty if it is."""
        if course.state == DIRECT:
            return ""
        if course.state == TESTING:
            most = self._optimisation.max_retry
            return f"waiting for the first NA, {most - course.retries} of {most} NS sent"
        wait = max(0.0, course.next_try - now)
        soon = f"next try in {wait:.0f} s" if wait else "next try with the next packet"
        if course.why:
            ago = f" {now - course.asked:.0f} s ago" if course.tries else ""
            return f"{course.why}{ago}, {soon}"
        if course.tries < TRIES or now < course.asked + INTERVAL:
            ago = f"{now - course.asked:.1f} s ago"
            return f"Predirect {course.tries} of {TRIES} sent {ago}, not answered yet"
        return f"{_SILENCE}; {soon}"


def _row(destination: str, via: Neighbor | None, reason: str, source: Prefix | None = None) -> dict[str, Any]:
    return {
        "destination": destination,
        "source": None if source is None else str(source),
        "direct": False,
        "via": None if via is None else address_text(via.link_local),
        "since_ago": None,
        "reason": reason,
    }
