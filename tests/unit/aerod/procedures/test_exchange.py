# SPDX-License-Identifier: GPL-3.0-or-later
"""Retransmission of DHCPv6 messages (RFC 8415 section 15)."""

from __future__ import annotations

from random import Random

import pytest

from aerod.procedures.exchange import HANDOVER, Exchange
from aerod.wire.dhcpv6 import REBIND, RELEASE, RENEW, REQUEST, SOLICIT
from tests.unit.aerod.harness import underlay


def intervals(kind: int, count: int, seed: int = 1, timing=None) -> list[float]:
    exchange = Exchange(kind, underlay("203.0.113.1"), Random(seed), 100.0, timing)
    times = []
    for _unused in range(count):
        now = exchange.due
        exchange.transmitted(now)
        times.append(exchange.due - now)
    return times


@pytest.mark.parametrize(
    ("kind", "timing", "nominal"),
    [
        (SOLICIT, None, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]),
        (REQUEST, None, [1, 2, 4, 8, 16, 30, 30]),
        (RENEW, None, [10, 20, 40, 80, 160, 320, 600, 600]),
        (REBIND, None, [10, 20, 40, 80, 160, 320, 600, 600]),
        (REBIND, HANDOVER, [1, 2, 4, 8, 16, 30, 30]),
        (RELEASE, None, [1, 2, 4, 8, 16, 30, 30, 30]),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_intervals_double_up_to_the_longest(kind, timing, nominal, seed) -> None:
    """AERO-123: each wait is twice the one before, give or take a tenth, and capped."""
    waits = intervals(kind, len(nominal), seed, timing)
    for before, wait, expected in zip([None, *waits], waits, nominal, strict=False):
        doubled = expected if before is None else 2 * before
        middle = min(doubled, nominal[-1])
        assert 0.85 * middle <= wait <= 1.15 * middle
        assert wait <= 1.1 * nominal[-1]
    assert min(intervals(SOLICIT, 1, seed)) >= 1.0


def test_elapsed_time_counts_from_the_first_transmission() -> None:
    """AERO-124: hundredths of a second, 0 at first, never more than 16 bits."""
    exchange = Exchange(SOLICIT, underlay("203.0.113.1"), Random(1), 100.0)
    assert exchange.transmitted(100.0) == 0
    assert exchange.transmitted(101.5) == 150
    assert exchange.transmitted(5000.0) == 0xFFFF


def test_a_request_is_given_up_after_ten() -> None:
    """REQ_MAX_RC."""
    exchange = Exchange(REQUEST, underlay("203.0.113.1"), Random(1), 0.0)
    for n in range(10):
        assert not exchange.exhausted
        exchange.transmitted(float(n))
    assert exchange.exhausted


def test_a_departing_link_is_told_with_preference_0() -> None:
    """Section 18.3: over another link."""
    exchange = Exchange(REBIND, underlay("203.0.113.1", link_id=1), Random(1), 0.0, HANDOVER, departing=7)
    assert (exchange.link_id, exchange.preference, exchange.underlay.link_id) == (7, 0, 1)
