# SPDX-License-Identifier: GPL-3.0-or-later
"""C: what the egress makes of fragments."""

from __future__ import annotations

import time

import pytest

from tests.conformance import knobs
from tests.conformance import packets as p
from tests.conformance.bench import H1, NATIVE6, NODES
from tests.conformance.conftest import start_link
from tests.conformance.traffic import echo_to_h1, ident, is_reply, sends

C1 = p.aero_address(NODES["c1"].acps[0])


def cut(packet: bytes, ident: int, *ends: int) -> list[bytes]:
    """The fragments of a packet that end at ``ends``, and the last one."""
    begins = (0, *ends)
    return [p.fragment(packet, begin, end, ident) for begin, end in zip(begins, (*ends, None), strict=True)]


def test_aero_053_1500_bytes_are_rebuilt(any_link, u):
    """Of two fragments, however they were cut."""
    for ends in ((984,), (968,), (752,), (104,), (1400,), (504, 1000)):
        assert sends(any_link, u, "s1", "c1", lambda n, ends=ends: cut(echo_to_h1(n, 1500), n, *ends))


def solicitation(size: int) -> bytes:
    """A Neighbor Solicitation of c1 to s1 of ``size`` bytes: a Nonce, and options nobody knows."""
    left = size - 64 - 8
    options = b""
    while left:
        length = min(left, 2040)
        options += bytes([200, length // 8]) + bytes(length - 2)
        left -= length
    packet = p.neighbor_solicitation(C1, "fe80::b", p.nonce() + options)
    assert len(packet) == size
    return packet


def is_answered(bench, u, size: int, *ends: int) -> bool:
    """Whether s1 answers that, in fragments."""
    u.clear()
    for payload in cut(solicitation(size), ident(), *ends):
        bench.inject(payload, "c1", "s1")
    try:
        u.wait_for(lambda f: f.node == "s1" and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == p.nonce(), 1.5)
    except AssertionError:
        return False
    return True


def test_aero_054_2048_bytes_are_rebuilt(any_link, u):
    """A control message of three fragments is answered; one beyond the limit is not."""
    assert is_answered(any_link, u, 2048, 984, 1968)
    assert not is_answered(any_link, u, 2056, 984, 1968)


def test_aero_054_the_operator_can_raise_it(make_bench):
    """To 4096 bytes, for example."""
    bench = make_bench(nodes=("s1", "c1", "x"))
    bench.configure_all(**knobs.REASSEMBLE_4096)
    u = bench.capture()
    start_link(bench)
    assert is_answered(bench, u, 4096, 984, 1968, 2952, 3936)


def test_aero_055_out_of_order(any_link, u):
    """The last first, and any other order."""
    assert sends(any_link, u, "s1", "c1", lambda n: cut(echo_to_h1(n, 1500), n, 984)[::-1])

    def three(number: int) -> list[bytes]:
        first, second, third = cut(echo_to_h1(number, 1500), number, 400, 800)
        return [second, third, first]

    assert sends(any_link, u, "s1", "c1", three)


def overlapping(number: int) -> list[bytes]:
    packet = echo_to_h1(number, 1500)
    return [p.fragment(packet, 0, 984, number), p.fragment(packet, 976, None, number), p.fragment(packet, 984, None, number)]


def contained(number: int) -> list[bytes]:
    packet = echo_to_h1(number, 1500)
    return [p.fragment(packet, 0, 984, number), p.fragment(packet, 8, 800, number), p.fragment(packet, 984, None, number)]


def right_in_sum(number: int) -> list[bytes]:
    """A piece that overlaps and is as long as the hole."""
    packet = echo_to_h1(number, 1500)
    misplaced = bytes(p.AERO(F=1, nh=41, frag=1, M=1, ident=number)) + packet[984:1000]
    return [p.fragment(packet, 0, 984, number), misplaced, p.fragment(packet, 1000, None, number)]


def two_ends(number: int) -> list[bytes]:
    packet = echo_to_h1(number, 1500)
    longer = packet + bytes(8)
    return [p.fragment(longer, 984, None, number), p.fragment(packet, 984, None, number), p.fragment(packet, 0, 984, number)]


def odd_length(number: int) -> list[bytes]:
    packet = echo_to_h1(number, 1500)
    return [p.fragment(packet[:981], 0, 981, number), p.fragment(packet, 984, None, number)]


@pytest.mark.parametrize("pieces", [overlapping, contained, right_in_sum, two_ends, odd_length])
def test_aero_056_contradicting_pieces_spoil_the_packet(link, u, pieces):
    """Overlaps, two ends, a piece before the last that is no multiple of 8: nothing is delivered, whatever follows."""
    assert not sends(link, u, "s1", "c1", pieces)


def test_aero_056_timer(make_bench):
    """The second half 45 s after the first completes the packet, 61 s after it does not."""
    bench = make_bench(nodes=("r1", "s1", "x"))
    bench.time_scale = 20
    bench.start("r1")
    u = bench.capture()
    bench.route("r1", "2001:db8:1000:2000::/56", "s1")
    bench.wait_for(lambda: bench.ask("r1", "lookup", address=H1)["neighbor"])
    for seconds, expected in ((45, True), (61, False)):
        number, known = ident(), ident()
        first, second = cut(p.echo(H1, NATIVE6, 1500, ident=number), number, 984)
        bench.inject(first, "s1", "r1")
        time.sleep(seconds / bench.time_scale)
        bench.inject(second, "s1", "r1")
        bench.inject(p.echo(H1, NATIVE6, ident=known), "s1", "r1")
        u.wait_for(is_reply(known, "r1"))
        assert bool(u.find(is_reply(number, "r1"))) is expected, seconds


def test_aero_056_memory_is_bounded(make_bench):
    """20000 halves from one neighbor leave the daemon as large as it was, and others' packets are rebuilt meanwhile."""
    bench = make_bench(nodes=("r1", "s1", "s2", "x"))
    bench.start("r1")
    u = bench.capture()
    bench.route("r1", "2001:db8:1000:2000::/56", "s2")
    bench.wait_for(lambda: bench.ask("r1", "lookup", address=H1)["neighbor"])
    number = ident()
    first, second = cut(p.echo(H1, NATIVE6, 1500, ident=number), number, 984)
    bench.inject(first, "s2", "r1")
    half = bytes(p.AERO(F=1, nh=41, frag=0, M=1, ident=0))
    before = bench.resident("r1")
    frame = bytes(p.IP(src=bench.address("s1"), dst=bench.address("r1")) / p.UDP(sport=8060, dport=8060, chksum=0) / p.Raw(half + bytes(1400)))
    for count in range(20000):
        bench.send_frame("x", "r1", frame[:32] + count.to_bytes(4, "big") + frame[36:])
        if count % 200 == 0:
            time.sleep(0.01)
    bench.wait_for(lambda: bench.ask("r1", "status"))
    assert bench.resident("r1") - before < 8 << 20
    bench.inject(second, "s2", "r1")
    u.wait_for(is_reply(number, "r1"))


def test_aero_057_fragments_of_different_senders_are_apart(any_link, u):
    """The same Identification from two neighbors, or from another port, makes two packets."""
    number = ident()
    first, second = cut(p.echo(H1, NATIVE6, 1500, ident=number), number, 984)
    dropped, known = any_link.drops("r1"), ident()
    any_link.inject(first, "s1", "r1")
    any_link.inject(second, "s2", "r1")
    any_link.inject(second, (any_link.address("s1"), 9000), "r1")
    any_link.inject(p.echo(H1, NATIVE6, ident=known), "s1", "r1")
    u.wait_for(is_reply(known, "r1"))
    assert not u.find(lambda f: f.node == "r1" and f.piece)
    any_link.inject(second, "s1", "r1")
    u.wait_for_all(lambda f: f.node == "r1" and f.piece, 2)
    assert any_link.drops("r1") > dropped, "the one from another port"


def test_aero_064_padding_of_a_solicitation_is_ignored(any_link, u):
    """Zero bytes behind the inner packet, up to 1500 in all; the answer has the Nonce, and no padding."""
    padding = bytes(1400 if any_link.family == 4 else 1380)
    for source, target, l3 in (("c1", "s1", (C1, "fe80::b")), ("s1", "r1", ("fe80::b", "fe80::1")), ("s1", "c1", ("fe80::b", C1))):
        value = p.nonce(f"{source}{target}ab".encode())
        message = p.neighbor_solicitation(*l3, value)
        any_link.inject(message + padding, source, target)
        answer = u.wait_for(lambda f, t=target, value=value: f.node == t and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == value)
        assert len(answer.body) < 200
