# SPDX-License-Identifier: GPL-3.0-or-later
"""The agenda: one time a key, the last one set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aerod.state.agenda import Agenda

STEPS = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20)), max_size=40)


@given(STEPS, st.integers(0, 20))
def test_it_is_a_dict_sorted_by_time(steps, now) -> None:
    """Whatever was set before, the last time of each key counts."""
    agenda: Agenda[int] = Agenda()
    times: dict[int, int] = {}
    for key, when in steps:
        agenda.set(key, when)
        times.pop(key, None)
        if when is not None:
            times[key] = when
    assert agenda.next() == min(times.values(), default=None)
    due = list(agenda.due(now))
    assert sorted(due) == sorted(key for key, when in times.items() if when <= now)
    assert [times[key] for key in due] == sorted(times[key] for key in due)
    assert agenda.next() == min((when for when in times.values() if when > now), default=None)


def test_what_is_set_while_it_runs_is_seen() -> None:
    """A key may ask to be called again, at once or later."""
    agenda: Agenda[str] = Agenda()
    agenda.set("a", 1)
    agenda.set("b", 2)
    seen = []
    for key in agenda.due(3):
        seen.append(key)
        if key == "a":
            agenda.set("b", None)
            agenda.set("c", 3)
    assert seen == ["a", "c"] and agenda.next() is None
