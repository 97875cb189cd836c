# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors about inner packets (section 7): who gets them, from which source, how many."""

from __future__ import annotations

import pytest

from aerod.procedures.errors import RateLimit
from aerod.wire.checksum import internet_checksum, pseudo_header
from aerod.wire.icmp import destination_unreachable
from aerod.wire.ip import parse_ip
from tests.unit.aerod.harness import H1, H1_V4, H2, Link, echo, ip4, ip6, lla, parse_address

S1_AT = lla("203.0.113.11")


@pytest.fixture
def link() -> Link:
    return Link().settled()


def assert_valid(error: bytes) -> None:
    """The checksum of the ICMP message is right."""
    header = parse_ip(error)
    message = error[header.payload_offset :]
    pseudo = b""
    if header.version == 6:
        pseudo = pseudo_header(header.source, header.destination, len(message), header.protocol)
    assert internet_checksum(pseudo, message) == 0


def test_relay_answers_for_an_unknown_acp(link) -> None:
    """AERO-077, O-16: code 0 in IPv6, 1 in IPv4, quoting the packet; back over Server and Client."""
    six, four = ip6(H1, "2001:db8:dead::1"), ip4(H1_V4, "198.51.100.200")
    for packet, start, code in ((six, 40, b"\x01\x00"), (four, 20, b"\x03\x01")):
        link.c1.send(packet)
        link.run(1)
        (error,) = link.c1.take_delivered()
        assert error[start : start + 2] == code
        assert error[start + 8 :] == packet
        assert parse_ip(error).destination == parse_ip(packet).source
        assert_valid(error)
    assert link.r1.drops() == {"drop_unreachable": 2}


def test_source_on_the_link_and_at_its_end(link) -> None:
    """AERO-073 to 076: unspecified on the link, the Client's own at the last hop."""
    link.c1.send(ip6(H1, "2001:db8:dead::1"))
    link.run(1)
    errors = [d.payload for name, d in link.log if name in ("r1", "s1") and d.payload[6] == 58]
    assert len(errors) == 2 and errors[0] == errors[1]
    assert parse_ip(errors[0]).source == bytes(16)
    (error,) = link.c1.take_delivered()
    assert parse_ip(error).source == parse_address("2001:db8:1000:2000::1")
    assert_valid(error)


def test_native_source_gets_it_natively(link) -> None:
    """AERO-074: from an underlay address of the Relay."""
    link.r1.send(ip6("3fff:1::1", "2001:db8:dead::1"))
    link.r1.send(ip4("198.18.0.1", "198.51.100.200"))
    six, four = link.r1.take_delivered()
    assert parse_ip(six).source == parse_address("fd00:ae::1")
    assert parse_ip(four).source == parse_address("203.0.113.1")


def test_link_local_packets_for_nobody(link) -> None:
    """An AERO address under an ASP without ACP is answered as well, to the AERO address."""
    link.c1.send(echo("fe80::2001:db8:1000:2000", "fe80::2001:db8:dead:0"))
    link.run(1)
    (error,) = link.c1.take_delivered()
    assert parse_ip(error).destination == parse_address("fe80::2001:db8:1000:2000")


def test_no_error_about_an_error(link) -> None:
    """RFC 4443 2.4 e."""
    error = destination_unreachable(ip6("2001:db8:dead::1", H1), parse_address(H1))
    link.c1.send(error)
    link.run(1)
    assert link.c1.delivered == []
    assert "errors_sent" not in link.r1.node.counters()


def test_only_errors_get_a_source(link) -> None:
    """Anything else from :: ends at the last hop, even from a Server."""
    link.c1.inject(ip6("::", H1), S1_AT)
    assert link.c1.delivered == []
    assert link.c1.drops() == {"drop_unspecified_source": 1}


def test_errors_are_limited(link) -> None:
    """AERO-082: 10 a second to one destination, 100 in all."""
    for _unused in range(50):
        link.c1.send(ip6(H1, "2001:db8:dead::1"))
    link.run(0.9)
    assert len(link.c1.take_delivered()) == 10
    link.run(1)
    link.c1.send(ip6(H1, "2001:db8:dead::1"))
    link.run(0.9)
    assert len(link.c1.take_delivered()) == 1
    for n in range(200):
        link.c1.send(ip6(f"2001:db8:1000:2000::{n:x}", "2001:db8:dead::1"))
    link.run(0.9)
    assert 90 <= len(link.c1.take_delivered()) <= 100


def test_rate_limit_starts_afresh_each_second() -> None:
    """A full second's budget, per destination and for all."""
    limit = RateLimit()
    assert sum(limit.allows(b"a", 5.5) for _unused in range(20)) == 10
    assert limit.allows(b"b", 5.6)
    assert limit.allows(b"a", 6.0)


def test_errors_travel_between_clients(link) -> None:
    """AERO-076: an error of a host behind c2 reaches h1 unchanged."""
    error = destination_unreachable(ip6(H1, H2), parse_address(H2))
    link.c2.send(error)
    link.run(1)
    assert link.c1.take_delivered() == [error]
