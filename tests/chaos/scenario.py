# SPDX-License-Identifier: GPL-3.0-or-later
"""Event after event, and after each the link must find back to what it should be."""

from __future__ import annotations

import time
from collections import Counter
from random import Random

from tests.chaos import plan
from tests.chaos.checks import mismatches
from tests.chaos.events import choose
from tests.chaos.link import Link

# Seconds: what a full disk kept Kea from ending ends with its lease, and a Client that was refused asks again after
# RETRY, of which one question may be lost; all else is much quicker.
_LONGEST = max(plan.VALID, 2 * plan.RETRY) + 25.0
_LONG = 8.0  # seconds, after which the reason is worth a look
_RING = 2.0
_SHOWN = 20
_LOG_LINES = 12


class Failed(AssertionError):
    """The link did not find back."""


class Scenario:
    """Runs ``events`` events on a link of ``clients`` Clients; everything random comes from ``seed``."""

    def __init__(self, clients: int, seed: int, back_end: str = "kea") -> None:
        self._seed = seed
        self._random = Random(seed)
        self._link = Link(clients, seed, back_end)
        self._last = ""
        self.seconds: list[float] = []

    def run(self, events: int) -> None:
        """Do it all; Failed says what went wrong when."""
        print(f"chaos: seed {self._seed}, {events} events, {self._link.count} Clients", flush=True)
        kinds: Counter[str] = Counter()
        try:
            self._link.build()
            print(f"  built, converged after {self._converge(0, 'the start'):.1f} s", flush=True)
            for number in range(1, events + 1):
                event = choose(self._random)
                kinds[event.__name__] += 1
                done = event(self._link, self._random)
                taken = self._converge(number, done)
                self.seconds.append(taken)
                last = f", last {self._last}" if taken > _LONG else ""
                print(f"  {number:3} {done}: {taken:.1f} s{last}", flush=True)
        finally:
            self._link.remove()
        print(f"chaos: {events} events, no mismatch; longest way back {max(self.seconds, default=0):.1f} s")
        print("  " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))

    def _converge(self, number: int, done: str) -> float:
        """Wait until nothing is wrong; return the seconds it took."""
        started = time.monotonic()
        while True:
            wrong = mismatches(self._link.look())
            if not wrong:
                unreached = self._link.ask_clients("ring", seconds=_RING)
                wrong = [f"packet lost: to c{client}" for client in unreached if client in self._link.entitled]
                # Who has no prefix sends nothing to the next one.
                wrong = [] if len(wrong) <= self._link.count - len(self._link.entitled) else wrong
            if not wrong:
                return time.monotonic() - started
            self._last = wrong[0]
            if time.monotonic() - started > _LONGEST:
                raise Failed(self._report(number, done, wrong))
            time.sleep(0.3)

    def _report(self, number: int, done: str, wrong: list[str]) -> str:
        lines = [f"seed {self._seed}, event {number}: {done}; after {_LONGEST:.0f} s there is still", *wrong[:_SHOWN]]
        if len(wrong) > _SHOWN:
            lines.append(f"... {len(wrong)} in all")
        return "\n".join([*lines, self._link.tails(_LOG_LINES)])
