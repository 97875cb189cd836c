# SPDX-License-Identifier: GPL-3.0-or-later
"""B: the other ways to carry packets: GUE and IP in IP."""

from __future__ import annotations

import pytest

from tests.conformance import knobs
from tests.conformance import packets as p
from tests.conformance.bench import H1, NATIVE4, NATIVE6, Bench
from tests.conformance.capture import joined
from tests.conformance.conftest import start_link
from tests.conformance.traffic import echo_to_h1, ident, is_reply


def link_with(tables, family: int):
    """A link of r1, s1 and c1 with another encapsulation."""
    bench = Bench(family=family, nodes=("r1", "s1", "c1", "x", "h1"))
    try:
        bench.build()
        bench.configure_all(**tables)
        start_link(bench)
        yield bench
    finally:
        bench.destroy()


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def gue_link(request):
    yield from link_with(knobs.GUE, request.param)


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def raw_link(request):
    yield from link_with(knobs.RAW, request.param)


@pytest.mark.parametrize("destination,protocol", [(NATIVE6, 41), (NATIVE4, 4)])
def test_aero_040_gue_of_a_whole_packet(gue_link, destination, protocol):
    """Version 0, C=0, protocol 4 or 41, no flags, no options, port 6080; nothing else is on the wire."""
    u = gue_link.capture()
    assert gue_link.pings("h1", destination)
    frame = u.wait_for(lambda f: f.node == "c1" and f.is_data)
    assert frame.dport == 6080
    assert frame.payload[:4] == bytes([0, protocol, 0, 0])
    assert {f.dport for f in u.find(lambda f: f.is_udp and f.node in ("c1", "s1", "r1"))} == {6080}


def test_aero_040_gue_fragments(gue_link):
    """The fragment field of 8 bytes; the protocol in the first fragment, 59 in the second."""
    u = gue_link.capture()
    assert gue_link.pings("h1", NATIVE6, 1500)
    first, second = u.wait_for_all(lambda f: f.node == "c1" and f.piece, 2)
    for frame, protocol in ((first, 41), (second, 59)):
        g = frame.gue
        assert (g.version, g.C, g.hlen, g.proto, g.flags) == (0, 0, 2, protocol, 0x0800)
        assert (g.res, g.orig, g.res2) == (0, 41, 0)
    assert first.piece.ident == second.piece.ident
    assert [len(f.body) for f in (first, second)] == ([984, 516] if gue_link.family == 4 else [960, 540])
    assert len(joined([first, second])) == 1500


BAD_GUE = {
    "a flag": b"\x00\x29\x40\x00",
    "another flag": b"\x00\x29\x00\x01",
    "version 1": b"\x40\x29\x00\x00",
    "version 2": b"\x80\x29\x00\x00",
    "a control message": b"\x20\x29\x00\x00",
    "Hlen too short for the fragment field": b"\x00\x29\x08\x00",
    "private data": b"\x01\x29\x00\x00" + b"\x00\x00\x00\x00",
    "another protocol": b"\x00\x11\x00\x00",
    "IPv4 said, IPv6 there": b"\x00\x04\x00\x00",
}


@pytest.mark.parametrize("header", BAD_GUE.values(), ids=BAD_GUE)
def test_aero_041_bad_gue_is_dropped(gue_link, header):
    """No packet, no error."""
    u = gue_link.capture()
    tried, known = ident(), ident()
    for number, prefix in ((tried, header), (known, b"\x00\x29\x00\x00")):
        gue_link.inject(prefix + echo_to_h1(number), "s1", "c1", sport=6080, dport=6080)
    u.wait_for(is_reply(known))
    assert not u.find(is_reply(tried))
    assert not u.find(lambda f: f.node == "c1" and f.protocol in (1, 58) and f.dst == gue_link.address("s1"))


def test_aero_042_gue_over_ipv6_has_a_udp_checksum(gue_link):
    """Always a real one; over IPv4 by the usual rule."""
    u = gue_link.capture()
    for size in (64, 1500):
        assert gue_link.pings("h1", NATIVE6, size)
    frames = u.wait_for_all(lambda f: f.node == "c1" and f.is_tunnel, 3)
    assert all(f.udp_checksum for f in frames)


def test_aero_042_gue_and_a_checksum_of_zero(gue_link):
    """Over IPv6 it is refused, over IPv4 accepted."""
    u = gue_link.capture()
    tried, known = ident(), ident()
    for number, checksum in ((tried, 0), (known, None)):
        payload = b"\x00\x29\x00\x00" + echo_to_h1(number)
        gue_link.inject(payload, "s1", "c1", sport=6080, dport=6080, checksum=checksum)
    u.wait_for(is_reply(known))
    assert bool(u.find(is_reply(tried))) is (gue_link.family == 4)


@pytest.mark.parametrize("destination,protocol", [(NATIVE6, 41), (NATIVE4, 4)])
def test_aero_043_raw_ip(raw_link, destination, protocol):
    """Protocol 4 or 41 and the inner packet, nothing between; control messages too."""
    u = raw_link.capture()
    assert raw_link.pings("h1", destination)
    frame = u.wait_for(lambda f: f.node == "c1" and f.is_data)
    assert (frame.protocol, frame.body[0] >> 4) == (protocol, 6 if protocol == 41 else 4)
    assert not u.find(lambda f: f.is_udp and f.node in ("c1", "s1", "r1"))


@pytest.mark.parametrize("destination,protocol", [(NATIVE6, 41), (NATIVE4, 4)])
def test_aero_043_raw_ip_fragments(raw_link, destination, protocol):
    """An IPv6 Fragment header stands between the two, over IPv4 as well."""
    u = raw_link.capture()
    assert raw_link.pings("h1", destination, 1400)
    first, second = u.wait_for_all(lambda f: f.node == "c1" and f.piece, 2)
    assert (first.protocol, second.protocol) == (44, 44)
    assert {f.piece.next_header for f in (first, second)} == {protocol}
    assert len(first.body) == (992 if raw_link.family == 4 else 976)
    packet = joined([first, second])
    assert len(packet) == 1400 and p.ip(packet).src in (H1, "192.0.2.34")
