# SPDX-License-Identifier: GPL-3.0-or-later
"""C: packets of more than 1500 bytes."""

from __future__ import annotations

import struct

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, H2, H2_V4, NATIVE4, NATIVE6, Bench
from tests.conformance.capture import Frame
from tests.conformance.conftest import whole_link
from tests.conformance.traffic import ident


def shared(family: int, mtu: int):
    bench = Bench(family=family, mtu=mtu, eun_mtu=9000)
    try:
        yield whole_link(bench)
    finally:
        bench.destroy()


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def wide_eun(request):
    """An underlay of 1500 bytes, and end user networks of 9000."""
    yield from shared(request.param, 1500)


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def jumbo_link(request):
    """9000 bytes everywhere."""
    yield from shared(request.param, 9000)


def encaps(link) -> int:
    return 36 if link.family == 4 else 56


SIZE = 3028  # ping -s 3000


def is_ipv4_piece(frame: Frame, source: str) -> bool:
    return frame.is_data and frame.inner.version == 4 and frame.inner.src == source and bool(frame.inner.flags.MF or frame.inner.frag)


def test_aero_058_inner_ipv4_is_fragmented_first(wide_eun):
    """With DF=0: pieces of at most 1024-ENCAPS bytes, the fewest there can be, each a whole tunnel packet with DF=0."""
    u = wide_eun.capture()
    assert wide_eun.pings("h1", NATIVE4, SIZE, df=False)
    largest = (1024 - encaps(wide_eun) - 20) // 8 * 8 + 20
    assert largest == (988 if wide_eun.family == 4 else 964)
    count = -(-(SIZE - 20) // (largest - 20))
    frames = u.wait_for_all(lambda f: f.node == "c1" and is_ipv4_piece(f, H1_V4), count)
    assert len(u.find(lambda f: f.node == "c1" and is_ipv4_piece(f, H1_V4))) == count
    assert max(f.inner.len for f in frames) <= largest
    assert not any(f.df for f in frames) and all(f.header is None for f in frames)
    assert len({f.inner.id for f in frames}) == 1
    assert sum(f.inner.len - 20 for f in frames) == SIZE - 20


def test_aero_059_those_pieces_reach_the_final_destination(wide_eun):
    """h2 gets IP fragments, and puts them together."""
    at_h2 = wide_eun.capture("h2", "eth0")
    assert wide_eun.pings("h1", H2_V4, SIZE, df=False)
    pieces = at_h2.wait_for_all(lambda f: f.version == 4 and f.src == H1_V4 and f.is_ip_fragment, 4)
    assert all(f.length <= 1024 - encaps(wide_eun) for f in pieces)


def too_big(link, size: int, destination: str, source: str) -> int:
    """The MTU that h1 is told when it sends an unfragmentable packet; nothing may cross."""
    u, at_host = link.capture(), link.capture("h1", "eth0")
    number = ident()
    more = {"flags": "DF"} if ":" not in destination else {}
    link.from_host("h1", p.echo(source, destination, size, ident=number, **more))
    if ":" in destination:
        error = at_host.wait_for(lambda f: f.version == 6 and f.protocol == 58 and f.packet[40] == 2)
        mtu = struct.unpack_from("!I", error.packet, 44)[0]
    else:
        error = at_host.wait_for(lambda f: f.version == 4 and f.protocol == 1 and f.packet[20:22] == b"\x03\x04")
        mtu = struct.unpack_from("!H", error.packet, 26)[0]
    assert not u.find(lambda f: f.node == "c1" and f.length > 1400)
    return mtu


@pytest.mark.parametrize("source,destination", [(H1, NATIVE6), (H1_V4, NATIVE4)], ids=["inner-ipv6", "inner-ipv4"])
@pytest.mark.parametrize("size", [1501, 2000, 8000])
def test_aero_060_too_big_for_the_interface(wide_eun, size, source, destination):
    """What does not fit 1500 bytes is dropped, and its sender told 1500: never less."""
    assert too_big(wide_eun, size, destination, source) == 1500


@pytest.mark.parametrize("source,destination", [(H1, NATIVE6), (H1_V4, NATIVE4)], ids=["inner-ipv6", "inner-ipv4"])
@pytest.mark.parametrize("size", [8990, 9000])
def test_aero_060_too_big_for_a_large_interface(jumbo_link, size, source, destination):
    """With an interface of 9000 bytes the sender is told 9000 less ENCAPS."""
    assert too_big(jumbo_link, size, destination, source) == 9000 - encaps(jumbo_link)


@pytest.mark.parametrize("destination", [H2, H2_V4], ids=["inner-ipv6", "inner-ipv4"])
@pytest.mark.parametrize("size", [1501, 8000])
def test_aero_061_large_packets_that_fit_go_whole(jumbo_link, size, destination):
    """One tunnel packet, with DF=1 over IPv4, and it arrives."""
    u = jumbo_link.capture()
    assert jumbo_link.pings("h1", destination, size)
    frame = u.wait_for(lambda f: f.node == "c1" and f.is_data)
    assert len(frame.body) == size and frame.header is None and not frame.is_ip_fragment
    assert frame.df is (jumbo_link.family == 4)


def test_aero_068_checksum_with_df_0_alone(jumbo_link):
    """Over IPv4 DF=0 has a UDP checksum, DF=1 has none; over IPv6 there is none."""
    u = jumbo_link.capture()
    assert jumbo_link.pings("h1", NATIVE6, 100) and jumbo_link.pings("h1", NATIVE6, 8000)
    small, large = (u.wait_for(lambda f, size=size: f.node == "c1" and f.is_data and len(f.body) == size) for size in (100, 8000))
    if jumbo_link.family == 6:
        assert (small.udp_checksum, large.udp_checksum) == (0, 0)
        return
    assert (small.df, large.df) == (False, True)
    assert small.udp_checksum and not large.udp_checksum
    assert not u.find(lambda f: f.node in ("c1", "s1", "r1") and f.is_tunnel and not f.df and not f.udp_checksum)
