# SPDX-License-Identifier: GPL-3.0-or-later
"""What all kinds of moves have in common, and what is made of the figures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.figures import p99, progress
from tests.bench.flows import Flow, Window, flowing


@dataclass(frozen=True)
class Figures:
    """The windows of one stream over all moves of a kind."""

    windows: Sequence[Window]

    def _of(self, values: list[float]) -> tuple[float, float, float]:
        """Median, p99 and maximum; of fewer than a hundred, p99 is the maximum."""
        values.sort()
        return median(values), p99(values), values[-1]

    @property
    def lost(self) -> tuple[float, float, float]:
        return self._of([window.lost for window in self.windows])

    @property
    def gap(self) -> tuple[float, float, float]:
        """In seconds."""
        return self._of([window.gap for window in self.windows])

    @property
    def back(self) -> bool:
        """Whether the stream came again after every move."""
        return all(window.back for window in self.windows)


@dataclass(frozen=True)
class Goal:
    """What is wanted of a kind's figures."""

    words: str
    met: Callable[[Figures], bool]


NO_LOSS = Goal("0 lost", lambda figures: figures.lost[2] == 0)


def back_within(seconds: float) -> Goal:
    return Goal(f"back in {seconds:g} s", lambda figures: figures.back and figures.gap[2] <= seconds)


class Kind:
    """A kind of move: ``flows`` cross while ``move`` and ``settle`` are run in turn.

    ``settings`` are variables of the inventory by host, ``site.yml`` is run with them before.
    """

    name = ""
    flows: Sequence[Flow] = ()
    goal: Goal | None = None
    settings: Mapping[str, Mapping[str, object]] = {}
    afterwards = ""
    # How long the streams are watched before a move, and after it has settled, in s.
    calm, rest = 0.5, 0.5

    def prepare(self) -> None:
        """Make the first move possible."""

    def move(self, number: int) -> int:
        """Make a move; return the moment it counts from, in ns of the monotonic clock."""
        raise NotImplementedError

    def settle(self, number: int) -> None:
        """Wait until the move is over and the next may come."""

    def again(self, number: int) -> None:
        """Make the next move possible; what that costs is reported apart if ``afterwards`` says how."""

    def group(self, number: int) -> str:
        """Moves of another group than "" are reported apart."""
        return ""

    def restore(self) -> None:
        """Leave the lab as it was."""


@dataclass
class Measured:
    """Figures of a kind by group and flow, and of the windows before the moves, in which nothing moved."""

    kind: Kind
    moves: dict[tuple[str, Flow], Figures]
    calm: Figures
    load: float


def measure(kind: Kind, moves: int) -> Measured:
    """Make ``moves`` moves of a kind and look at what they cost its streams."""
    moved: list[tuple[str, int, int]] = []
    calm: list[tuple[int, int]] = []
    try:
        kind.prepare()
        with flowing(kind.flows) as streams:
            _wait_for_streams(kind)
            for number in range(moves):
                begin = time.monotonic_ns()
                time.sleep(kind.calm)
                calm.append((begin, time.monotonic_ns()))
                moment = kind.move(number)
                kind.settle(number)
                time.sleep(kind.rest)
                end = time.monotonic_ns()
                moved.append((kind.group(number), moment, end))
                kind.again(number)
                if kind.afterwards:
                    time.sleep(kind.rest)
                    moved.append((kind.afterwards, end, time.monotonic_ns()))
                progress(f"{kind.name}: {number + 1} of {moves}")
    finally:
        kind.restore()
        progress("")
    found = {
        (group, flow): Figures([stream.window(b, e) for of, b, e in moved if of == group])
        for group in sorted({group for group, _begin, _end in moved})
        for flow, stream in zip(kind.flows, streams, strict=True)
    }
    quiet = Figures([stream.window(*window) for stream in streams for window in calm])
    return Measured(kind, found, quiet, os.getloadavg()[0])


def _wait_for_streams(kind: Kind) -> None:
    """Until the streams run as they will: route optimisation has set in, caches are filled."""
    deadline = time.monotonic() + 30
    while not all(flow.arrives() for flow in kind.flows):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{kind.name}: a stream does not arrive: {', '.join(map(str, kind.flows))}")
    time.sleep(3)
