# SPDX-License-Identifier: GPL-3.0-or-later
"""Multicast on a link over an underlay that has none (draft section 3.24)."""

from __future__ import annotations

import pytest

from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6

FROM_HERE = [ip6(H1, "ff02::fb", hop_limit=1), ip4(H1_V4, "224.0.0.251", ttl=1)]


@pytest.mark.parametrize("packet", FROM_HERE)
def test_link_scope_goes_to_the_server(packet) -> None:
    """AERO-216: the Server's link-layer address, and an outer hop limit that gets there (AERO-033)."""
    link = Link().settled()
    before = len(link.log)
    link.c1.send(packet)
    ((_unused, datagram),) = link.log[before:]
    assert (datagram.remote.text, datagram.payload, datagram.outer.hop_limit) == ("203.0.113.11", packet, 64)


@pytest.mark.parametrize(
    "packet",
    [
        ip6(H1, "ff05::1"),
        ip6(H1, "ff01::1"),
        ip4(H1_V4, "239.1.1.1"),
        ip6(H2, "ff02::fb"),
        ip4(H2_V4, "224.0.0.1"),
        ip6("::", "ff02::16"),
    ],
)
def test_other_multicast_stays_here(packet) -> None:
    """Wider scopes are not the link's, and neither are the packets of others (O-20)."""
    link = Link().settled()
    before = len(link.log)
    link.c1.send(packet)
    assert link.log[before:] == []
    assert link.c1.drops() == {"drop_multicast": 1}


@pytest.mark.parametrize("packet", FROM_HERE)
def test_nobody_to_send_it_to(packet) -> None:
    """A Client without Server, and a Server, drop it."""
    link = Link()
    link.c1.send(packet)
    link.settled()
    link.s1.send(packet)
    assert (link.c1.drops(), link.s1.drops()) == ({"drop_multicast": 1}, {"drop_multicast": 1})
