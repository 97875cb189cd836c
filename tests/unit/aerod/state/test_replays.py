# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Server remembers so that no message is taken twice (O-26)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerod.state.replays import WINDOW, Replays, is_stale, nearest

S = 1 << 32
NOW = 3_900_000_000 * S
A, B = b"\x00\x02aaa", b"\x00\x02bbb"
LONG_AGO = NOW - 10**6 * S


def replays(*with_lease: bytes) -> Replays:
    return Replays(lambda duid: duid in with_lease)


def test_only_what_is_later_is_taken() -> None:
    memory = replays()
    assert not memory.holds(A, NOW - 1, LONG_AGO)
    memory.note(A, NOW - 1, 1, NOW)
    assert [memory.holds(A, NOW + n, LONG_AGO) for n in (-2, -1, 0)] == [True, True, False]
    assert not memory.holds(B, NOW - 2, LONG_AGO)


@pytest.mark.parametrize(
    ("off", "stale"), [(WINDOW, False), (WINDOW + 1, True), (-WINDOW, False), (-WINDOW - 1, True)]
)
def test_clocks_may_differ_a_little(off, stale) -> None:
    assert is_stale(NOW + off * S, NOW) is stale


def test_what_was_made_before_the_start_is_old() -> None:
    """By the Client's own clock, once that is known."""
    memory = replays(A)
    memory.restore({A.hex(): [NOW - 150 * S, -100 * S, 1]})
    # The clock of A is 100 s behind: what it makes right after our start has such a time.
    assert memory.holds(A, NOW - 101 * S, NOW)
    assert not memory.holds(A, NOW - 99 * S, NOW)
    assert memory.holds(B, NOW - 99 * S, NOW)
    assert not memory.holds(B, NOW + 1, NOW)


def test_entries_end_with_lease_and_window() -> None:
    memory = replays(A)
    for duid in (A, B):
        memory.note(duid, NOW, 1, NOW)
    memory.forget(NOW + WINDOW * S)
    assert len(memory) == 2
    memory.forget(NOW + WINDOW * S + 1)
    assert len(memory) == 1
    assert memory.holds(A, NOW, LONG_AGO)


def test_entries_without_lease_are_bounded() -> None:
    """Somebody with very many keys gets no more entries than the window holds."""
    memory = replays()
    for n in range(20_000):
        now = NOW + n * S
        memory.note(n.to_bytes(4, "big"), now, 1, now)
    assert len(memory) <= 1024


def test_the_state_survives() -> None:
    memory, again = replays(A), replays(A)
    memory.note(A, NOW + 5, 7, NOW)
    again.restore(memory.saved_state(NOW))
    assert again.holds(A, NOW + 5, LONG_AGO)
    assert again.clients_by_key() == {7: 1}


@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1))
def test_times_do_not_wrap(replay, off) -> None:
    """In 2036 the 64 bits start again: the nearest time is meant."""
    now = (1 << 64) + replay + off
    assert nearest(replay, now) % (1 << 64) == replay
    assert abs(nearest(replay, now) - now) <= 1 << 63
