# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors of the underlay (draft section 3.14)."""

from __future__ import annotations

import pytest

from aerod.address import UNSPECIFIED, parse_address
from aerod.config_encapsulation import EncapsulationConfig
from aerod.interface import UnderlayError, UseChecksums
from aerod.procedures.underlay_errors import Persistence
from aerod.wire.carriage import make_carriage
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.encapsulation import FragmentField
from aerod.wire.ip import ICMPV6, IPV6, parse_ip
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, ip4, ip6, lla

C1_L2, S1_L2, S2_L2, R1_L2 = (lla(f"203.0.113.{n}") for n in (101, 11, 12, 1))


def icmp(kind: int, code: int, local, remote, quote: bytes = b"", mtu: int = 0, protocol: int = 17):
    return UnderlayError("icmp", kind, code, mtu, local, remote, quote, protocol)


def too_big(quote: bytes, mtu: int, local=C1_L2, remote=S1_L2, protocol: int = 17) -> UnderlayError:
    return icmp(3, 4, local, remote, quote, mtu, protocol)


@pytest.mark.parametrize(("mtu", "told"), [(1700, 1664), (1300, 1500), (0, 1500), (9000, 8964)])
def test_too_big_becomes_one_for_the_source(mtu, told) -> None:
    """AERO-071: the MTU is the outer one less ENCAPS, never below 1500."""
    link = Link().settled()
    link.c1.node.underlay_error(too_big(ip6(H1, H2, 2000)[:520], mtu), link.now)
    link.c1.node.underlay_error(too_big(ip4(H1_V4, H2_V4, 2000)[:520], mtu), link.now)
    link.settle(link.c1)
    six, four = link.c1.take_delivered()
    assert (six[40], int.from_bytes(six[44:48], "big")) == (2, told)
    assert (four[20:22], int.from_bytes(four[26:28], "big")) == (b"\x03\x04", told)
    header = parse_ip(six)
    assert (header.source, header.destination) == (parse_address("2001:db8:1000:2000::1"), parse_address(H1))
    pseudo = pseudo_header(header.source, header.destination, len(six) - 40, ICMPV6)
    assert internet_checksum(pseudo, six[40:]) == 0


@pytest.mark.parametrize("how", ["plain", "gue", "raw"])
def test_the_encapsulation_is_stripped(how) -> None:
    """A first fragment has the inner header, a later one has not and is discarded."""
    link = Link(how=EncapsulationConfig(how)).settled()
    carriage = make_carriage(how)
    for offset, answers in ((0, 1), (984, 0)):
        fragment = FragmentField(offset, offset == 0, 7)
        quote = carriage.encode(ip6(H1, H2, 984), IPV6, fragment, b"", (C1_L2, S1_L2))[:500]
        error = too_big(quote, 1400, protocol=carriage.protocol(IPV6, fragment))
        link.c1.node.underlay_error(error, link.now)
        link.settle(link.c1)
        assert len(link.c1.take_delivered()) == answers


@pytest.mark.parametrize("quote", [b"", ip6(H1, H2)[:8], ip6(H1, H2)[:47], ip4(H1_V4, H2_V4)[:27], b"\x0c\x29\x00"])
def test_too_little_quote_is_discarded(quote) -> None:
    """AERO-072."""
    link = Link().settled()
    link.c1.node.underlay_error(too_big(quote, 1400), link.now)
    link.settle(link.c1)
    assert link.c1.take_delivered() == []
    assert link.c1.drops() == {"drop_underlay_error_quote": 1}


def test_a_server_tells_the_client_from_no_address() -> None:
    """AERO-073, 075: toward the link the source is unspecified, the last node writes its own."""
    link = Link().settled()
    before = len(link.log)
    link.s1.node.underlay_error(too_big(ip6(H1, H2, 2000)[:520], 1700, S1_L2, R1_L2), link.now)
    link.settle(link.s1)
    (error,) = [d.payload for name, d in link.log[before:] if name == "s1"]
    assert parse_ip(error).source == UNSPECIFIED
    link.run(0.1)
    (delivered,) = link.c1.take_delivered()
    assert parse_ip(delivered).source == parse_address("2001:db8:1000:2000::1")


def test_a_stranger_is_not_believed() -> None:
    """AERO-082: the quote has to match a neighbor, address and port."""
    link = Link().settled()
    for remote in (lla("192.0.2.1"), S1_L2._replace(port=8061)):
        link.c1.node.underlay_error(too_big(ip6(H1, H2, 2000)[:520], 1700, remote=remote), link.now)
    link.settle(link.c1)
    assert link.c1.take_delivered() == []
    assert link.c1.drops() == {"drop_underlay_error_stranger": 2}


def test_answers_are_limited() -> None:
    """AERO-082: 10 a second to one destination."""
    link = Link().settled()
    for _number in range(1000):
        link.c1.node.underlay_error(too_big(ip6(H1, H2, 2000)[:520], 1700), link.now)
    link.settle(link.c1)
    assert len(link.c1.take_delivered()) == 10


def unreachable_calls(host) -> list:
    calls = []
    host.node._underlay_errors._persistent_unreachable = lambda address, now: calls.append(address)
    return calls


@pytest.mark.parametrize(("kind", "type_", "code"), [("icmp", 3, 3), ("icmp", 3, 1), ("icmp6", 1, 4)])
def test_what_persists_is_looked_into(kind, type_, code) -> None:
    """AERO-078 to 080: three times in ten seconds for the same address."""
    link = Link().settled()
    calls = unreachable_calls(link.s1)
    error = UnderlayError(kind, type_, code, 0, S1_L2, C1_L2, b"")
    for when in (0, 5, 10.1, 14):
        assert calls == []
        link.s1.node.underlay_error(error, link.now + when)
    assert calls == [C1_L2]


def test_permanent_neighbors_are_left_to_routing() -> None:
    """AERO-081."""
    link = Link().settled()
    calls = unreachable_calls(link.s1)
    for _number in range(5):
        link.s1.node.underlay_error(icmp(3, 3, S1_L2, R1_L2), link.now)
    assert calls == []
    assert link.s1.drops() == {"drop_underlay_unreachable_permanent": 5}


def test_failing_reassembly_turns_checksums_on() -> None:
    """AERO-069: a persistent Time Exceeded, code 1, and no other."""
    link = Link().settled()
    node = link.c1.node
    for code in (0, 0, 0, 1, 1):
        node.underlay_error(icmp(11, code, C1_L2, S1_L2), link.now)
    assert not any(isinstance(action, UseChecksums) for action in node.take_output().actions)
    node.underlay_error(icmp(11, 1, C1_L2, S1_L2), link.now)
    assert any(isinstance(action, UseChecksums) for action in node.take_output().actions)


def test_persistence_forgets() -> None:
    """Addresses that were quiet for ten seconds take no memory."""
    persistence = Persistence()
    for number in range(1000):
        assert not persistence.noted(lla("203.0.113.5", number), number / 10)
    assert len(persistence._times) <= 101
