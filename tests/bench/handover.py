# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves cost streams of 1,000 packets a second in the running lab, by kind of move.

``make bench-handover`` prints one table: of each kind and each stream the packets lost and the longest
time without a packet, from the move until it has settled, as median, p99 and maximum over all moves.
The last line of a kind tells the same of the half seconds before the moves, in which nothing moves.

    MOVES=100       how often each kind is made; KINDS=... takes some of the kinds only
    LIMITS=default  with the link's own damping and move interval, which are 0 otherwise
    SEED=...        of the moments at which the NAT forgets
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from random import Random

from tests.bench.failures import NatForgets, ServerCrash
from tests.bench.figures import verdict as goal_verdict
from tests.bench.kinds import Figures, Kind, Measured, measure
from tests.bench.lab_nodes import set_priority
from tests.bench.moves import BreakBeforeMake, MakeBeforeBreak, OtherServer, RebindLost
from tests.bench.plain import (
    PlainAddress,
    PlainCrash,
    PlainHost,
    PlainLink,
    PlainNextHop,
)
from tests.lab.door import run_playbook

# By IPv4 alone: a Client that has both families may meet its Servers by the other one at any time.
ALWAYS = {"aero_client_server_addresses": ["203.0.113.11", "203.0.113.12"]}
NO_LIMITS = ALWAYS | {"aero_move_interval": 0, "aero_damping_limit": 0}
# What else runs on the machine shall not be measured; see :func:`set_priority`.
BEFORE_OTHERS = -15
# Moves of these are so much alike that fewer tell enough.
MOST = {"rebind_lost": 10, "plain_host": 3}


def kinds(interval: float, random: Random) -> dict[str, Callable[[], Kind]]:
    """The kinds by the name that KINDS takes, the quick ones first, those without AERO last."""
    return {
        "links": MakeBeforeBreak,
        "addresses": BreakBeforeMake,
        "rebind_lost": RebindLost,
        "servers": lambda: OtherServer(interval),
        "crash2": lambda: ServerCrash(2),
        "crash1": lambda: ServerCrash(1),
        "nat1": lambda: NatForgets(1, random),
        "nat25": lambda: NatForgets(25, random),
        "plain_links": PlainLink,
        "plain_addresses": PlainAddress,
        "plain_host": PlainHost,
        "plain_next_hop": PlainNextHop,
        "plain_crash": PlainCrash,
    }


class Settings:
    """The link's variables as they are now; ``site.yml`` is run where they change."""

    def __init__(self, of_all: Mapping[str, object]) -> None:
        self._of_all = dict(of_all)
        self._now: Mapping[str, Mapping[str, object]] = {}
        self._site(self._of_all)

    def use(self, wanted: Mapping[str, Mapping[str, object]]) -> None:
        """Give single hosts variables of their own, and take those of others back."""
        for host in sorted({*self._now, *wanted}):
            if self._now.get(host) != wanted.get(host):
                self._site(self._of_all | dict(wanted.get(host, {})), "--limit", host)
        self._now = wanted

    def restore(self) -> None:
        self._site({})

    @staticmethod
    def _site(variables: Mapping[str, object], *arguments: str) -> None:
        run_playbook("site", *arguments, "-e", json.dumps(variables))


HEADING = f"{'':<44}{'n':>5}  {'packets lost':^22}  {'longest gap, ms':^24}\n" + (
    f"{'':<49}  {'median':>7}{'p99':>7}{'max':>8}  {'median':>8}{'p99':>8}{'max':>8}  goal"
)


def row(words: str, figures: Figures, end: str = "") -> str:
    lost = "{:7.0f}{:7.0f}{:8.0f}".format(*figures.lost)
    gap = "{:8.1f}{:8.1f}{:8.1f}".format(*(1000 * gap for gap in figures.gap))
    return f"{words:<44}{len(figures.windows):5d}  {lost}  {gap}  {end}".rstrip()


def report(measured: Measured) -> Iterable[str]:
    kind = measured.kind
    yield kind.name
    for (group, flow), figures in measured.moves.items():
        words = f"  {flow}" if not group else f"  {group}: {flow}"
        yield row(words, figures, verdict(kind, group, figures))
        yield from missed(kind, group, figures)
    yield row("  nothing moves", measured.calm, f"(load {measured.load:.1f})")


def missed(kind: Kind, group: str, figures: Figures) -> Iterable[str]:
    """Each move that alone misses the goal, with the time by which to find it in the nodes' logs."""
    if kind.goal is None or group:
        return
    since = time.time() - time.monotonic()
    for number, window in enumerate(figures.windows, 1):
        if not (window.back and kind.goal.met(Figures([window]))):
            at = time.strftime("%H:%M:%S", time.gmtime(since + window.begin / 1e9))
            back = "" if window.back else ", not back at its end"
            yield f"    move {number} at {at} UTC: {window.lost} lost, {1000 * window.gap:.1f} ms{back}"


def verdict(kind: Kind, group: str, figures: Figures) -> str:
    if not figures.back:
        return "DID NOT COME BACK" if kind.goal else "does not come back"
    if kind.goal is None or group:
        return ""
    return goal_verdict(kind.goal.words, kind.goal.met(figures))


def main() -> None:
    moves, seed = int(os.environ.get("MOVES") or 100), int(os.environ.get("SEED") or time.time())
    has_limits = os.environ.get("LIMITS") == "default"
    known = kinds(61.0 if has_limits else 0.0, Random(seed))
    wanted = (os.environ.get("KINDS") or " ".join(known)).split()
    if not {*wanted} <= {*known}:
        sys.exit(f"KINDS: there are {' '.join(known)}")
    print(f"{moves} moves a kind, seed {seed}, {os.cpu_count()} processors, {os.uname().release}")
    settings = Settings(ALWAYS if has_limits else NO_LIMITS)
    try:
        set_priority(BEFORE_OTHERS)
        print(HEADING, flush=True)
        for name in wanted:
            kind = known[name]()
            settings.use(kind.settings)
            measured = measure(kind, min(moves, MOST.get(name, moves)))
            print("\n".join(report(measured)), flush=True)
    finally:
        set_priority(0)
        settings.restore()


if __name__ == "__main__":
    main()
