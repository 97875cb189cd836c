# SPDX-License-Identifier: GPL-3.0-or-later
"""A: AERO addresses, and what an AERO interface does when it starts."""

from __future__ import annotations

from tests.conformance import packets as p
from tests.conformance.bench import H2


def test_aero_001_address_of_an_ipv6_acp(client_bench, u):
    """Renew and all that follows come from fe80:: and the upper half of the prefix."""
    client_bench.server.grants.t1 = 1
    client_bench.start("c1")
    frame = u.wait_for(lambda f: f.node == "c1" and f.dhcp and f.dhcp.type == p.RENEW, 10)
    assert frame.inner.src == "fe80::2001:db8:1000:2000"


def test_aero_004_any_address_inside_the_acp_is_ours(link, u):
    """A Neighbor Solicitation to another address of the ACP is answered."""
    target = "fe80::2001:db8:1000:2001"
    link.inject(p.neighbor_solicitation("fe80::b", target, p.nonce()), "s1", "c1")
    u.wait_for(lambda f: f.node == "c1" and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == p.nonce())


def test_aero_012_data_flows(link):
    """One default route is enough."""
    assert link.pings("h1", H2)
