# SPDX-License-Identifier: GPL-3.0-or-later
"""C: probes of the path, and UDP checksums."""

from __future__ import annotations

import time

import pytest

from tests.conformance import knobs
from tests.conformance import packets as p
from tests.conformance.bench import NATIVE6, Bench
from tests.conformance.capture import Capture, Frame
from tests.conformance.conftest import start_link

PROBE = 1500


def is_probe(frame: Frame, node: str = "c1") -> bool:
    """Whether this is a Neighbor Solicitation with something behind it."""
    return frame.node == node and frame.nd == p.NS and len(frame.body) > 40 + frame.inner.plen


def is_whole(frame: Frame) -> bool:
    """Whether this is an echo of c1 that would have to be fragmented over any path."""
    return frame.node == "c1" and frame.is_data and 1280 < len(frame.body) <= 1500


def is_cut(frame: Frame) -> bool:
    """Whether this is a fragment of one."""
    return frame.node == "c1" and frame.piece is not None


@pytest.fixture
def probing(make_bench):
    """A link over an underlay of 1600 bytes, with faster clocks: ``probing(family, time_scale)``."""

    def make(family: int = 4, time_scale: float = 1.0, **tables) -> tuple[Bench, Capture]:
        bench = make_bench(family=family, nodes=("r1", "s1", "c1", "x", "h1"), mtu=1600)
        bench.time_scale = time_scale
        bench.configure_all(**tables)
        u = bench.capture()
        start_link(bench)
        return bench, u

    return make


def proven(bench: Bench, u: Capture) -> None:
    """Send until packets go whole."""

    def whole() -> bool:
        assert bench.pings("h1", NATIVE6, 1500)
        return bool(u.find(is_whole))

    bench.wait_for(whole, 10, "a packet that goes whole")


@pytest.mark.parametrize("family", [4, 6])
def test_aero_063_a_probe(probing, family):
    """NS and Nonce, zero bytes that the inner length does not count and the outer one does, DF=1, in one piece."""
    bench, u = probing(family)
    assert bench.pings("h1", NATIVE6, 1500)
    probe = u.wait_for(is_probe)
    encaps = 36 if family == 4 else 56
    assert probe.length == PROBE + encaps
    assert len(p.nd_option(probe.body, p.NONCE)) >= 8
    assert probe.body[40 + probe.inner.plen :].strip(b"\0") == b""
    assert p.checksum_is_right(probe.body)
    assert probe.df is (family == 4) and not probe.is_ip_fragment and probe.piece is None
    assert (probe.sport, probe.dport) == (8060, 8060)
    asked = p.nd_option(probe.body, p.NONCE)
    answer = u.wait_for(lambda f: f.node == "s1" and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == asked)
    assert answer.dst == bench.address("c1")


@pytest.mark.parametrize("family", [4, 6])
def test_aero_065_whole_after_success(probing, family):
    """Before the answer packets are fragmented; afterwards they go whole, DF=1."""
    bench, u = probing(family)
    assert bench.pings("h1", NATIVE6, 1500)
    proven(bench, u)
    answered = u.wait_for(lambda f: f.node == "s1" and f.nd == p.NA and f.dst == bench.address("c1")).time
    whole, cut = u.find(is_whole), u.find(is_cut)
    assert cut and all(f.time < whole[0].time for f in cut) and answered < whole[0].time
    assert all(f.df is (family == 4) for f in whole)


def test_aero_065_not_where_the_path_is_too_small(link, u):
    """Over an underlay of 1500 bytes packets stay fragmented."""
    for _echo in range(3):
        assert link.pings("h1", NATIVE6, 1500)
    assert u.find(is_cut) and not u.find(is_whole)


def test_aero_066_probing_goes_on(probing):
    """In 5 minutes under load there are probes again and again, and never two within a second."""
    bench, u = probing(time_scale=30)
    begin = time.monotonic()
    while time.monotonic() - begin < 300 / bench.time_scale:
        bench.ping("h1", NATIVE6, 1500, count=3)
    probes = [f.time for f in u.find(is_probe)]
    assert 3 <= len(probes) <= 60
    apart = [later - earlier for earlier, later in zip(probes, probes[1:], strict=False)]
    assert min(apart) > 0.9 / bench.time_scale, apart


def shrink(bench: Bench, mtu: int) -> None:
    """Let the path, not the interfaces at its ends, carry less."""
    for node in ("c1", "s1", "r1"):
        bench.ip("u", f"link set v-{node} mtu {mtu}")


def test_aero_067_fragmentation_resumes_after_failed_probes(probing):
    """A path that became too small without a word is found out; then packets arrive again, in pieces."""
    bench, u = probing(time_scale=20)
    proven(bench, u)
    shrink(bench, 1400)
    assert not bench.pings("h1", NATIVE6, 1500), "the path did not shrink"
    u.clear()
    bench.wait_for(lambda: bench.pings("h1", NATIVE6, 1500), 15, "fragmentation")
    assert u.find(is_cut)


def test_aero_067_fragmentation_resumes_after_a_packet_too_big(probing):
    """A Fragmentation Needed of the underlay is heeded at once."""
    bench, u = probing()
    proven(bench, u)
    (whole, *_more) = u.find(is_whole)
    icmp = p.IP(src=bench.address("x"), dst=bench.address("c1")) / p.ICMP(type=3, code=4, nexthopmtu=1400)
    bench.send_frame("x", "c1", bytes(icmp / p.Raw(whole.packet[:548])))
    bench.wait_for(lambda: bench.counters("c1").get("underlay_too_big"))
    u.clear()
    bench.ping("h1", NATIVE6, 1500)
    u.wait_for_all(is_cut, 2)
    assert not u.find(is_whole)


def test_aero_068_checksum_never(make_bench):
    """Where the operator says so, there is none with DF=0 either."""
    bench = make_bench(nodes=("r1", "s1", "c1", "h1"))
    bench.configure_all(**knobs.CHECKSUM_NEVER)
    u = bench.capture()
    start_link(bench)
    assert bench.pings("h1", NATIVE6, 100) and bench.pings("h1", NATIVE6, 1500)
    assert {f.udp_checksum for f in u.find(lambda f: f.is_tunnel)} == {0}


def test_aero_069_persistent_time_exceeded_turns_checksums_on(make_bench):
    """Three within 10 s about packets of ours; one alone does not."""
    bench = make_bench(nodes=("r1", "s1", "c1", "x", "h1"))
    bench.configure_all(**knobs.CHECKSUM_NEVER)
    u = bench.capture()
    start_link(bench)

    def checksum() -> int:
        u.clear()
        assert bench.pings("h1", NATIVE6, 100)
        return u.wait_for(lambda f: f.node == "c1" and f.is_data).udp_checksum

    assert checksum() == 0
    packet = u.find(lambda f: f.node == "c1" and f.is_data)[0].packet
    icmp = p.IP(src=bench.address("s1"), dst=bench.address("c1")) / p.ICMP(type=11, code=1) / p.Raw(packet[:128])
    bench.send_frame("x", "c1", bytes(icmp))
    time.sleep(0.3)
    assert checksum() == 0
    for _error in range(2):
        bench.send_frame("x", "c1", bytes(icmp))
    bench.wait_for(checksum, 3, "a UDP checksum")
