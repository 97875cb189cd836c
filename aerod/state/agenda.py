# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due when, of many things whose times often change."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from itertools import count
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Agenda(Generic[Key]):
    """One time for each key; asking for the next one is cheap, however many there are."""

    def __init__(self) -> None:
        self._times: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._serial = count()

    def set(self, key: Key, when: float | None) -> None:
        """Let ``key`` be due at ``when`` instead of whenever it was before, None for never."""
        if when is None:
            self._times.pop(key, None)
        elif self._times.get(key) != when:
            self._times[key] = when
            heapq.heappush(self._heap, (when, next(self._serial), key))

    def next(self) -> float | None:
        """When something is due, None for never."""
        while self._heap and self._times.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[Key]:
        """Yield each key that is due by ``now``, and forget its time."""
        while (when := self.next()) is not None and when <= now:
            key = heapq.heappop(self._heap)[2]
            del self._times[key]
            yield key
