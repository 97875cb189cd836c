# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which prefix a Client gets that asks for one: the lowest free one of its length inside the ASPs.

The answer follows from the table, the ledger and the day alone, so anybody who computes it gets the same one.
"""

from __future__ import annotations

import bisect
import collections
import typing as t

from ansible_collections.aero.link.plugins.module_utils._prefixes import Prefix, PrefixSet


class Allocator:
    """Hands out prefixes of one IP family, one after the other.

    What is free is kept as a sorted list of gaps, made by one sweep over what is taken. Gaps only get
    smaller, so for each length the search goes on where it ended the last time.
    """

    def __init__(self, asps: t.Iterable[Prefix], taken: t.Iterable[Prefix]) -> None:
        """:param asps: the service prefixes of the family
        :param taken: what may not be handed out, of any family, in any order, inside the ASPs or not
        """
        self._asps = sorted(set(asps))
        self._starts: list[int] = []
        self._ends: list[int] = []  # behind the last address
        self._from: dict[int, int] = collections.defaultdict(int)
        self._sweep(sorted(taken))

    def _sweep(self, taken: list[Prefix]) -> None:
        position = 0
        for asp in PrefixSet(self._asps).outermost:
            start, end = asp.value, asp.last + 1
            while position < len(taken) and taken[position].value < end:
                self._add_gap(start, taken[position].value)
                start = max(start, taken[position].last + 1)
                if start > end:
                    break  # it reaches into the next ASP
                position += 1
            self._add_gap(start, end)

    def _add_gap(self, start: int, end: int) -> None:
        if start < end:
            self._starts.append(start)
            self._ends.append(end)

    def take(self, length: int) -> Prefix | None:
        """The lowest free prefix of a length (of 128 bits), taken from now on; None if there is none."""
        size = 1 << (128 - length)
        for gap in range(bisect.bisect_right(self._ends, self._from[length]), len(self._starts)):
            start = -(-self._starts[gap] // size) * size
            while start + size <= self._ends[gap]:
                found = Prefix(start, length)
                if not self._has_asp(found):
                    self._from[length] = start
                    self._take_out(gap, start, start + size)
                    return found
                start += size
        self._from[length] = 1 << 128
        return None

    def claim(self, prefix: Prefix) -> bool:
        """Take this very prefix, if it is free and can be a Client's."""
        gap = bisect.bisect_right(self._starts, prefix.value) - 1
        if gap < 0 or prefix.last >= self._ends[gap] or self._has_asp(prefix):
            return False
        self._take_out(gap, prefix.value, prefix.last + 1)
        return True

    def _has_asp(self, found: Prefix) -> bool:
        """Whether it is an ASP, or has one inside, and so cannot be a Client's."""
        position = bisect.bisect_left(self._asps, found)
        return position < len(self._asps) and found.covers(self._asps[position])

    def _take_out(self, gap: int, start: int, end: int) -> None:
        """Leave of a gap what is before ``start`` and from ``end`` on. An empty gap may stay: to close it up
        would move all behind it."""
        if start == self._starts[gap]:
            self._starts[gap] = end
        elif end == self._ends[gap]:
            self._ends[gap] = start
        else:
            self._starts.insert(gap + 1, end)
            self._ends.insert(gap, start)
