# SPDX-License-Identifier: GPL-3.0-or-later
"""B: header checksum and signatures."""

from __future__ import annotations

import struct

import pytest

from tests.conformance import knobs
from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, NATIVE4, NATIVE6, Bench
from tests.conformance.capture import joined
from tests.conformance.conftest import start_link
from tests.conformance.traffic import echo_to_h1, ident, is_reply, sends

# Header checksum (O-5)


def with_header_checksum(bench: Bench, packet: bytes, source: str, target: str, change: int = 0, fragment: bytes = b"") -> bytes:
    """A payload with flag C: the UDP pseudo-header, the UDP header with checksum 0, and what precedes the checksum."""
    before = bytes([0x0E if fragment else 0x0A, 0x29]) + fragment
    length = 8 + len(before) + 2 + len(packet)
    addresses = b"".join(p.mapped(bench.address(node)) for node in (source, target))
    covered = addresses + struct.pack("!II", length, 17) + struct.pack("!HHHH", 8060, 8060, length, 0) + before
    return before + struct.pack("!H", p.internet_checksum(covered) ^ change) + packet


@pytest.mark.parametrize("change,taken", [(0, True), (1, False), (0x8000, False)])
def test_aero_037_header_checksum_is_verified(any_link, u, change, taken):
    """Right by our definition: taken; with any bit wrong: dropped."""
    def payloads(number: int) -> list[bytes]:
        return [with_header_checksum(any_link, echo_to_h1(number), "s1", "c1", change)]

    assert sends(any_link, u, "s1", "c1", payloads) is taken


def test_aero_037_header_checksum_of_fragments(any_link, u):
    """With a fragment field before it the checksum covers that too."""
    number = ident()
    packet = echo_to_h1(number, 1400)
    for begin, end in ((0, 800), (800, 1400)):
        position = struct.pack("!HI", begin | (end < 1400), 0x5EED0000 | number)
        any_link.inject(with_header_checksum(any_link, packet[begin:end], "s1", "c1", fragment=position), "s1", "c1")
    u.wait_for(is_reply(number))


def test_aero_037_header_checksum_is_not_sent(any_link, u):
    """By default no packet has one."""
    assert any_link.pings("h1", H2, 1500) and any_link.pings("h1", NATIVE4, 1300)
    headers = u.find(lambda f: f.node != "x" and f.aero)
    assert headers and not any(f.aero.C for f in headers)


# Signatures (O-4)


@pytest.fixture(scope="module")
def signed_link():
    """r1, s1 and c1 with keys; nothing unsigned is taken."""
    bench = Bench(nodes=("r1", "s1", "c1", "x", "h1"))
    try:
        bench.build()
        knobs.sign_everything(bench)
        start_link(bench)
        yield bench
    finally:
        bench.destroy()


def test_aero_038_signature_in_the_first_fragment_only(signed_link):
    """The second fragment has S=0; what both make is what was signed; and it is delivered."""
    u = signed_link.capture()
    assert signed_link.pings("h1", NATIVE6, 1500)
    first, second = u.wait_for_all(lambda f: f.node == "c1" and f.piece, 2)
    assert (first.aero.S, second.aero.S) == (1, 0)
    packet = joined([first, second])
    assert len(packet) == 1500
    assert first.aero.signature == knobs.signature(packet, "c1", signed_link.address("s1"))


def test_aero_038_whole_packets_are_signed(signed_link):
    """Each hop strips the signature and makes its own, whole packets included."""
    u = signed_link.capture()
    assert signed_link.pings("h1", NATIVE4)
    for node, lower, upper in (("c1", "c1", "s1"), ("s1", "s1", "r1"), ("r1", "r1", "s1")):
        frame = u.wait_for(lambda f, node=node: f.node == node and f.is_data)
        assert frame.aero.signature == knobs.signature(frame.body, lower, signed_link.address(upper)), node


def flip(payload: bytes) -> bytes:
    """The last bit of the packet flipped, after it was signed."""
    return payload[:-1] + bytes([payload[-1] ^ 1])


SIGNING = {
    "right": (True, lambda packet, s1: knobs.signed(packet, "c1", s1)),
    "of another key": (False, lambda packet, s1: knobs.signed(packet, "c1", s1, key=b"k" * 32)),
    "with an unknown Key ID": (False, lambda packet, s1: knobs.signed(packet, "c1", s1, key_id=999)),
    "of other neighbors": (False, lambda packet, s1: knobs.signed(packet, "c1", "198.51.100.77")),
    "of another packet": (False, lambda packet, s1: flip(knobs.signed(packet, "c1", s1))),
    "none": (False, lambda packet, _s1: packet),
    "none, with a header": (False, lambda packet, _s1: b"\x08\x29" + packet),
}


@pytest.mark.parametrize("taken,make", SIGNING.values(), ids=SIGNING)
@pytest.mark.parametrize("target", ["c1", "s1"])
def test_aero_039_signatures_are_verified(signed_link, target, taken, make):
    """Only what the neighbor signed, with the key of the two, passes."""
    u = signed_link.capture()
    s1, tried, known = signed_link.address("s1"), ident(), ident()
    for number, how in ((tried, make), (known, SIGNING["right"][1])):
        packet = echo_to_h1(number) if target == "c1" else p.echo(H1, NATIVE6, ident=number)
        signed_link.inject(how(packet, s1), "s1" if target == "c1" else "c1", target)
    answering = "c1" if target == "c1" else "r1"
    u.wait_for(is_reply(known, answering))
    assert bool(u.find(is_reply(tried, answering))) is taken


def test_aero_039_unsigned_fragments_are_dropped(signed_link):
    """A packet of two fragments with S=0 in the first is not put together."""
    u = signed_link.capture()
    dropped, number = signed_link.drops("c1"), ident()
    packet = echo_to_h1(number, 1400)
    for begin, end in ((0, 800), (800, None)):
        signed_link.inject(p.fragment(packet, begin, end, number), "s1", "c1")
    u.never(is_reply(number), 1)
    assert signed_link.drops("c1") > dropped
