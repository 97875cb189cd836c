# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite itself: no requirement is forgotten."""

from tests.conformance.requirements import load, numbers_with_test


def test_every_requirement_has_a_test_or_a_reason():
    """What is in scope has a test named by its number, or says why not; a reason is for a MAY only."""
    requirements, with_test = load(), numbers_with_test()
    assert not with_test - requirements.keys()
    assert [r.id for r in requirements.values() if r.number not in with_test and not r.reason] == []
    assert [r.id for r in requirements.values() if r.reason and (r.level != "MAY" or r.number in with_test)] == []
