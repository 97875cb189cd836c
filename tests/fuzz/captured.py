# SPDX-License-Identifier: GPL-3.0-or-later
"""A link in memory that has done everything once, and the datagrams it did it with."""

from __future__ import annotations

from aerod.wire.dhcpv6_authentication import Key
from tests.unit.aerod.engines.test_anycast import wrapped
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, echo, ip4, ip6, underlay

MASTER = Key(1, bytes(range(32)))


def living_link(seed: int) -> tuple[Link, list[bytes]]:
    """Return a link at work with the payloads seen on it, each once; with an odd seed DHCPv6 is signed."""
    link = Link(seed, optimise=True, masters=(MASTER,) if seed % 2 else None).settled()
    for _round in range(5):
        link.c1.send(ip6(H1, H2))
        link.c2.send(ip6(H2, H1, size=1500))
        link.c1.send(ip4(H1_V4, H2_V4, size=1400))
        link.c1.send(ip6(H1, "2001:db9::1"))
        link.c1.send(echo(H1, H2))
        link.r1.send(wrapped(ip6(H2, H1)))
        link.run(5.0)
    link.c2.set_underlays(underlay("203.0.113.103"))
    link.run(30.0)
    payloads = list(dict.fromkeys(datagram.payload for _sender, datagram in link.log))
    link.log.clear()
    return link, payloads
