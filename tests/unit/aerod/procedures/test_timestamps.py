# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of RFC 3971 section 5.3.4.2 with the numbers of its section 10.2."""

from __future__ import annotations

import pytest

from aerod.procedures.timestamps import WallClock
from aerod.wire.nd_options import Timestamp


def at(seconds: float) -> Timestamp:
    return Timestamp(int(seconds * 65536))


def test_it_is_the_wall_clock() -> None:
    """48 bits of seconds since 1970 and 16 bits of their fraction."""
    assert WallClock(1_700_000_000.0).stamp(100.5).value == 1_700_000_100 << 16 | 0x8000


@pytest.mark.parametrize(("ahead", "fresh"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_first_contact(ahead, fresh) -> None:
    """Within 300 s either way."""
    assert WallClock(1e9).is_fresh(at(1e9 + 50 + ahead), None, 50.0) is fresh


@pytest.mark.parametrize(
    ("sent", "now", "fresh"),
    [
        (1000.0, 100.0, True),  # at the same moment: within the fuzz
        (1000.0, 103.0, False),  # 3 s later with the same time: a repetition
        (1010.0, 110.0, True),
        (1008.1, 110.0, True),  # the fuzz is 1 s twice, the drift 1 %
        (1007.8, 110.0, False),
        (995.0, 100.5, False),  # back in time
        (2000.0, 101.0, True),  # ahead is no repetition
    ],
)
def test_later_ones(sent, now, fresh) -> None:
    """The peer's clock goes on as ours does."""
    assert WallClock().is_fresh(at(sent), (1000.0, 100.0), now) is fresh
