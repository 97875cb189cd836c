# SPDX-License-Identifier: GPL-3.0-or-later
"""B: encapsulation and decapsulation."""

from __future__ import annotations

import pytest

from tests.conformance.bench import H1, H1_V4, H2, H2_V4


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=["inner-ipv6", "inner-ipv4"])
def test_aero_015_plain_packets_follow_udp(any_link, u, destination):
    """A small packet has no AERO header."""
    assert any_link.pings("h1", destination)
    frame = u.wait_for(lambda f: f.node == "c1" and f.is_data)
    assert frame.payload[0] >> 4 == (6 if ":" in destination else 4)
    assert frame.inner.src == (H1 if ":" in destination else H1_V4)


def test_aero_016_fragments_have_an_aero_header(link, u):
    """What needs more than UDP gets the header."""
    assert link.pings("h1", H2, 1500)
    frames = u.wait_for_all(lambda f: f.node == "c1" and f.aero, 2)
    assert [f.payload[0] for f in frames] == [0x0C, 0x0C]
