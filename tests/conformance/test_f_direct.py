# SPDX-License-Identifier: GPL-3.0-or-later
"""F: what a Client sends to a correspondent, and what to its Server."""

from __future__ import annotations

from tests.conformance import packets as p
from tests.conformance.bench import H1_V4, H2, H2_V4, NATIVE6
from tests.conformance.correspondent import C1, C2, Correspondent, with_correspondent
from tests.conformance.traffic import has_echo


def next_hop(peer: Correspondent, u, destination: str = H2, **how) -> str:
    """Where a packet from h1 is sent: "s1" or "c2"."""
    number = peer.data_from_h1(destination, **how)
    frame = u.wait_for(lambda f: f.node == "c1" and has_echo(number)(f))
    assert frame.dport == p.AERO_PORT
    return next(node for node in ("s1", "c2") if frame.dst == peer.bench.address(node))


def test_aero_103_direct_while_the_entry_lives(make_bench):
    """Packets go through the Server until a Redirect is proven, then directly, and through the Server again when ForwardTime is over."""
    peer = with_correspondent(make_bench, scale=10, willing=False)
    u = peer.bench.capture()
    assert next_hop(peer, u) == "s1"
    # That c1 takes packets of c2 is no reason to send there.
    peer.predirect()
    peer.wait_for_entry()
    assert next_hop(peer, u) == "s1"
    peer.willing = True
    peer.bench.wait_for(lambda: next_hop(peer, u) == "c2", 6)
    peer.willing = False
    peer.bench.wait_for(lambda: (peer.entry() or {"forward_in": 0})["forward_in"] == 0, 6)
    assert next_hop(peer, u) == "s1"


def test_aero_104_the_whole_prefix(make_bench):
    """Any address inside the correspondent's prefix is reached directly, with no other Predirect; others are not."""
    peer = with_correspondent(make_bench)
    u = peer.bench.capture()
    peer.be_redirected_to()
    asked = len(peer.predirects)
    for destination in ("2001:db8:1:7::11", "2001:db8:1::1", "2001:db8:1:ffff:ffff::1"):
        assert next_hop(peer, u, destination) == "c2"
    assert len(peer.predirects) == asked
    peer.willing = False
    for destination in ("2001:db8:2::1", "2001:db8:0:ffff::1", NATIVE6):
        assert next_hop(peer, u, destination) == "s1"
    # The other family is another ACP, from which and to which nothing was agreed.
    assert next_hop(peer, u, H2_V4, source=H1_V4) == "s1"


def test_aero_104_the_aero_address_itself(make_bench):
    """What c1 sends to the AERO address of the prefix goes directly too."""
    peer = with_correspondent(make_bench)
    u = peer.bench.capture()
    peer.be_redirected_to()
    frame = u.wait_for(lambda f: f.node == "c1" and f.nd == p.NS and f.inner.dst == C2)
    assert (frame.inner.src, frame.dst) == (C1, peer.bench.address("c2"))
    found = peer.bench.ask("c1", "lookup", address=C2)
    assert found["neighbor"]["link_local"] == C2
