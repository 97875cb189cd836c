# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic comes back after every kind of move.  What it costs is measured by ``make bench-handover``, on a quiet machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest

from tests.bench.failures import NatForgets, ServerCrash
from tests.bench.handover import NO_LIMITS, Settings
from tests.bench.kinds import Kind, measure
from tests.bench.moves import BreakBeforeMake, MakeBeforeBreak, OtherServer

SEED = int(time.time())


@pytest.fixture(scope="module", autouse=True)
def without_limits() -> Iterator[None]:
    """One run of site.yml for all kinds: each Client has one Server, and talks to it each second."""
    settings = Settings(NO_LIMITS | {"aero_client_servers": 1, "aero_keepalive": 1})
    yield
    settings.restore()


@pytest.mark.parametrize(
    ("kind", "moves"),
    [
        (MakeBeforeBreak(), 2),
        (BreakBeforeMake(), 2),
        (OtherServer(0), 2),
        (ServerCrash(1), 1),
        (NatForgets(1, Random(SEED)), 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Kind) else "",
)
def test_traffic_comes_back(kind, moves):
    measured = measure(kind, moves)
    for (group, flow), figures in measured.moves.items():
        assert figures.back, f"{kind.name}, {group} {flow}, seed {SEED}: {figures.windows}"
