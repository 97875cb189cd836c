# SPDX-License-Identifier: GPL-3.0-or-later
"""C: what the ingress makes of packets of each size up to 1500 bytes."""

from __future__ import annotations

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, H2_V4, NATIVE4, NATIVE6, NODES, Bench
from tests.conformance.capture import Frame, joined
from tests.conformance.conftest import start_link, whole_link
from tests.conformance.fakes import FakeClient, FakeDhcp

DESTINATIONS = pytest.mark.parametrize("destination", [NATIVE6, NATIVE4], ids=["inner-ipv6", "inner-ipv4"])


def encaps(link) -> int:
    """What is counted around a packet, fragment fields included."""
    return 36 if link.family == 4 else 56


def whole_limit(link) -> int:
    """The largest packet that goes whole over any path."""
    return 1280 - encaps(link)


def first_payload(link) -> int:
    """The largest first piece: at most 1024 bytes with ENCAPS, a multiple of 8."""
    return (1024 - encaps(link)) // 8 * 8


def crossing(link, u, size: int, destination: str, count: int) -> list[Frame]:
    """c1's tunnel packets for one echo of a size, which has to be answered; ``count`` of them, and no more."""
    u.clear()
    assert link.pings("h1", destination, size), size
    u.wait_for_all(lambda f: f.node == "c1" and (f.is_data or f.piece), count)
    frames = u.find(lambda f: f.node == "c1" and (f.is_data or f.piece))
    assert len(frames) == count, frames
    return frames


@DESTINATIONS
def test_aero_044_encaps_counts_absent_fragment_fields(any_link, u, destination):
    """The largest whole packet is 1280 less 36 or 56 bytes, though it has no AERO header."""
    (whole,) = crossing(any_link, u, whole_limit(any_link), destination, 1)
    assert whole.header is None
    crossing(any_link, u, whole_limit(any_link) + 1, destination, 2)


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def narrow_link(request):
    """A whole link over an underlay of 1280 bytes."""
    bench = Bench(family=request.param, mtu=1280)
    try:
        yield whole_link(bench)
    finally:
        bench.destroy()


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=["inner-ipv6", "inner-ipv4"])
def test_aero_045_1280_bytes_never_cause_a_packet_too_big(narrow_link, destination):
    """With DF, over the smallest underlay there is."""
    at_host = narrow_link.capture("h1", "eth0")
    for size in (1200, 1244, 1245, 1279, 1280):
        assert narrow_link.pings("h1", destination, size)
    assert not at_host.find(is_too_big)


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=["inner-ipv6", "inner-ipv4"])
def test_aero_046_1500_bytes_are_always_admitted(narrow_link, any_link, destination):
    """With DF, over an underlay of 1280 and one of 1500 bytes."""
    for link in (narrow_link, any_link):
        at_host = link.capture("h1", "eth0")
        for size in (1281, 1400, 1500):
            assert link.pings("h1", destination, size)
        assert not at_host.find(is_too_big)


def is_too_big(frame: Frame) -> bool:
    """Whether this is a Packet Too Big or Fragmentation Needed."""
    if frame.version == 6:
        return frame.protocol == 58 and frame.packet[40] == 2
    return frame.protocol == 1 and frame.packet[20:22] == b"\x03\x04"


@DESTINATIONS
def test_aero_047_small_packets_go_whole_with_df_0(any_link, u, destination):
    """One packet; routers may fragment it."""
    for size in (64, 576, whole_limit(any_link)):
        (frame,) = crossing(any_link, u, size, destination, 1)
        assert not frame.df and not frame.is_ip_fragment


SIZES = range(1245, 1501, 51)


@DESTINATIONS
def test_aero_048_exactly_two_fragments(any_link, u, destination):
    """They do not overlap, leave nothing out, and have DF=0."""
    for size in (*SIZES, 1500):
        frames = crossing(any_link, u, size, destination, 2)
        assert len(joined(frames)) == size
        assert not any(f.df for f in frames)


@DESTINATIONS
def test_aero_049_sizes_of_the_fragments(any_link, u, destination):
    """The first at most 1024 bytes with ENCAPS, the second no larger than the first."""
    for size in (whole_limit(any_link) + 1, 1300, 1500):
        first, second = crossing(any_link, u, size, destination, 2)
        assert first.length <= 1024 and second.length <= first.length
        assert len(first.body) == first_payload(any_link)


@DESTINATIONS
def test_aero_050_fragment_fields(any_link, u, destination):
    """Offsets in units of 8 bytes, M on the first, Res zero, one Identification for both and another for the next packet."""
    identifications = []
    for size in (1300, 1500):
        first, second = crossing(any_link, u, size, destination, 2)
        assert len(first.body) % 8 == 0
        assert (first.piece.offset, first.piece.more) == (0, True)
        assert (second.piece.offset, second.piece.more) == (len(first.body), False)
        assert (first.aero.res, second.aero.res) == (0, 0)
        assert first.piece.ident == second.piece.ident
        identifications.append(first.piece.ident)
    assert identifications[0] != identifications[1]


@DESTINATIONS
def test_aero_051_outer_headers_are_identical(any_link, u, destination):
    """Besides lengths (and what follows from them), and so are Next Header and Identification."""
    u.clear()
    assert any_link.pings("h1", destination, 1500, "-Q", "0x28", "-t", "77")
    first, second = u.wait_for_all(lambda f: f.node == "c1" and f.piece, 2)
    for field in ("version", "src", "dst", "ttl", "tos", "protocol", "df", "sport", "dport"):
        assert getattr(first, field) == getattr(second, field), field
    assert any_link.family == 4 or first.flow_label == second.flow_label != 0
    assert (first.ttl, first.tos) == (76, 0x28)
    assert first.piece[2:] == second.piece[2:]


@DESTINATIONS
def test_aero_052_fragmentation_is_above_udp(any_link, narrow_link, u, destination):
    """The ingress leaves nothing to the underlay's IP, whatever its MTU."""
    for size in (1245, 1500):
        crossing(any_link, u, size, destination, 2)
    narrow = narrow_link.capture()
    for size in (1200, 1245, 1500):
        assert narrow_link.pings("h1", destination, size)
    for capture in (u, narrow):
        assert not capture.find(lambda f: f.node != "x" and f.version in (4, 6) and f.is_ip_fragment)


def test_aero_062_large_replies_are_fragmented(make_bench):
    """The fewest pieces, the first at most 1024 bytes, whatever the size; never refused."""
    bench = make_bench(nodes=("s1", "c1", "x"))
    u = bench.capture()
    # 12 bytes each: a Reply of more than 3000 bytes.
    bench.configure("s1", link={"asps": ["2001:db8::/32", "192.0.2.0/24", *(f"3000:{n:x}::/32" for n in range(240))]})
    bench.start("s1")
    bench.closing(FakeDhcp(bench, "s1"))
    client = FakeClient(bench, "c1")
    client.send(p.dhcp_packet(p.UNASSIGNED, p.ALL_AGENTS, client.message(p.SOLICIT)), "s1")
    last = u.wait_for(lambda f: f.node == "s1" and f.piece and not f.piece.more)
    pieces = u.find(lambda f: f.node == "s1" and f.piece and f.piece.ident == last.piece.ident)
    packet = joined(pieces)
    assert p.dhcp(packet).type == p.REPLY and len(packet) > 3000
    assert len(pieces) == -(-len(packet) // 984)
    assert all(f.length <= 1024 and not f.df for f in pieces)


def test_aero_062_large_replies_arrive(make_bench):
    """A Client takes a Reply that came in pieces."""
    bench = make_bench(nodes=("r1", "s1", "c1", "h1"))
    bench.configure("s1", link={"asps": ["2001:db8::/32", "192.0.2.0/24", *(f"3000:{n:x}::/32" for n in range(120))]})
    u = bench.capture()
    start_link(bench)
    assert len(u.find(lambda f: f.node == "s1" and f.piece)) >= 2
    assert len(bench.ask("c1", "leases")[0]["asps"]) == 122


def test_aero_070_reencapsulation_fragments_anew(make_bench):
    """A Server puts a packet together and cuts it for the other underlay, either way."""
    bench = make_bench()
    for name in ("c2",):
        bench.configure(name, client={"server_addresses": [NODES["s2"].v6]})
    start_link(bench)
    u = bench.capture()
    assert bench.pings("h1", H2, 1500) and bench.pings("h2", H1, 1500)
    for node, to, largest in (("c1", "v4", 984), ("s2", "v6", 968), ("c2", "v6", 968), ("s1", "v4", 984)):
        address = {"c1": NODES["s1"].v4, "s2": NODES["c2"].v6, "c2": NODES["s2"].v6, "s1": NODES["c1"].v4}[node]
        pieces = u.find(lambda f, node=node, address=address: f.node == node and f.piece and f.dst == address)
        sizes = [len(f.body) for f in pieces]
        # Those of a Predirect may be among them.
        assert (largest, 1500 - largest) in list(zip(sizes, sizes[1:], strict=False)), (node, to, sizes)
